/** Who owned which name, as far as the messages of a capture say it. */

import { DBusErrorName } from "../wire/error-names.ts";
import type { Message } from "../wire/message.ts";
import { DRIVER_NAME, MessageType, RequestNameReply } from "../wire/protocol.ts";

/** Calls of which the reply is still awaited; a capture may end before it, or miss it. */
const AWAITED_LIMIT = 4096;
const ASKING = new Set(["GetNameOwner", "NameHasOwner", "RequestName", "ListNames"]);

/**
 * Learns from what the bus tells anybody: NameOwnerChanged, NameAcquired and NameLost, and its answers to
 * GetNameOwner, NameHasOwner, RequestName and ListNames.
 */
export class CaptureOwners {
  readonly #owners: Map<string, string | null> = new Map();
  readonly #names: Map<string, Set<string>> = new Map();
  /** The answer to ListNames: what was not in it, nobody owned. */
  #listed: ReadonlySet<unknown> | null = null;
  readonly #awaited: Map<string, Message> = new Map();

  /** `null`: nobody; `undefined`: the capture has not said it yet. */
  ownerOf(name: string): string | null | undefined {
    if (name.startsWith(":") || name === DRIVER_NAME) return name;
    const owner = this.#owners.get(name);
    if (owner !== undefined) return owner;
    return this.#listed === null || this.#listed.has(name) ? undefined : null;
  }

  /** Well-known names of a connection. */
  namesOf(uniqueName: string | null): string[] {
    return [...(this.#names.get(uniqueName ?? "") ?? [])];
  }

  /** Takes note of the next message. */
  observe(message: Message): void {
    const { type, sender, destination, serial } = message;
    if (type === MessageType.MethodCall && destination === DRIVER_NAME) {
      if (!ASKING.has(message.member ?? "")) return;
      const [oldest] = this.#awaited.keys();
      if (this.#awaited.size >= AWAITED_LIMIT && oldest !== undefined) this.#awaited.delete(oldest);
      this.#awaited.set(`${sender} ${serial}`, message);
    } else if (sender === DRIVER_NAME && type === MessageType.Signal) {
      this.#signal(message);
    } else if (sender === DRIVER_NAME) {
      const key = `${destination} ${message.replySerial}`;
      const call = this.#awaited.get(key);
      this.#awaited.delete(key);
      if (call !== undefined) this.#reply(call, message);
    }
  }

  #signal({ member, destination, body }: Message): void {
    const [name, , owner] = body;
    if (typeof name !== "string" || name.startsWith(":")) return;
    if (member === "NameOwnerChanged") this.#set(name, owner === "" ? null : owner);
    else if (member === "NameAcquired") this.#set(name, destination);
    // Who has it now, if anybody, another signal says.
    else if (member === "NameLost" && this.#owners.get(name) === destination)
      this.#set(name, undefined);
  }

  #reply(call: Message, { type, errorName, body: [answer] }: Message): void {
    const [name] = call.body;
    if (call.member === "ListNames" && Array.isArray(answer)) this.#listed = new Set(answer);
    if (typeof name !== "string") return;
    if (type === MessageType.Error) {
      if (errorName === DBusErrorName.NameHasNoOwner) this.#set(name, null);
    } else if (call.member === "GetNameOwner") {
      this.#set(name, answer);
    } else if (call.member === "NameHasOwner") {
      if (answer === false) this.#set(name, null);
    } else if (
      answer === RequestNameReply.PrimaryOwner ||
      answer === RequestNameReply.AlreadyOwner
    ) {
      this.#set(name, call.sender);
    }
  }

  #set(name: string, owner: unknown): void {
    const before = this.#owners.get(name);
    if (typeof before === "string") this.#names.get(before)?.delete(name);
    this.#owners.delete(name);
    if (owner === null) this.#owners.set(name, null);
    if (typeof owner !== "string") return;
    this.#owners.set(name, owner);
    const names = this.#names.get(owner) ?? new Set();
    this.#names.set(owner, names.add(name));
  }
}
