/** Which connection owns which well-known name, as the messages tell that pass by. */

import { isWellKnownName } from "../../wire/names.ts";
import { DRIVER_NAME, MessageType, RequestNameReply } from "../../wire/protocol.ts";
import type { OpenCall } from "./open-calls.ts";
import type { WatchedMessage } from "./watched-message.ts";

export class KnownNames {
  readonly #owners: Map<string, string> = new Map();
  readonly #names: Map<string, Set<string>> = new Map();

  /** From now on `owner` is the primary owner of `name`; null: nobody. */
  set(name: string, owner: string | null): void {
    const previous = this.#owners.get(name);
    if (previous !== undefined) this.#forget(name, previous);
    if (owner === null) return;
    this.#owners.set(name, owner);
    const names = this.#names.get(owner);
    if (names === undefined) this.#names.set(owner, new Set([name]));
    else names.add(name);
  }

  /** The unique name of the primary owner, if it is known. */
  ownerOf(name: string): string | null {
    return this.#owners.get(name) ?? null;
  }

  /** Well-known names, in the order in which they were acquired. */
  namesOf(owner: string): readonly string[] {
    return [...(this.#names.get(owner) ?? [])];
  }

  /** All names, unique and well-known, of the connection that `name` leads to; `name` itself is one of them. */
  allNamesOf(name: string): readonly string[] {
    const owner = this.#owners.get(name) ?? name;
    return [...new Set([name, owner, ...this.namesOf(owner)])];
  }

  /** Learns from a signal of the bus. */
  seeSignal({ message }: WatchedMessage): void {
    if (message.sender !== DRIVER_NAME || message.member !== "NameOwnerChanged") return;
    if (message.type !== MessageType.Signal || message.signature !== "sss") return;
    const [name, , owner] = message.body as [string, string, string]; // as the signature says
    if (!name.startsWith(":")) this.set(name, owner === "" ? null : owner);
  }

  /**
   * Learns from the bus's answer to a call: who owns a name, or that the caller got it. On a bus that is watched
   * signals have said it already; in a capture file they may be missing.
   */
  seeReply({ message }: WatchedMessage, call: OpenCall): void {
    if (message.type !== MessageType.MethodReturn || message.sender !== DRIVER_NAME) return;
    const { name } = call;
    if (name === null || !isWellKnownName(name) || name === DRIVER_NAME) return;
    const answer = message.body[0];
    switch (`${call.message.member} ${message.signature}`) {
      case "GetNameOwner s":
        this.set(name, String(answer));
        break;
      case "RequestName u":
        if (answer === RequestNameReply.PrimaryOwner) this.set(name, call.message.sender);
    }
  }

  #forget(name: string, owner: string): void {
    this.#owners.delete(name);
    const names = this.#names.get(owner);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(owner);
  }
}
