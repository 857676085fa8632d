/** Who owns the well-known names that match rules have as sender, always as the bus sees it. */

import { DBusErrorName } from "../wire/error-names.ts";
import type { Strings } from "../wire/intern.ts";
import { DRIVER_NAME, MessageType } from "../wire/protocol.ts";
import type { DBusError } from "./errors.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** Calls a method of the bus with string arguments; `onReply` is called before later messages are. */
export type DriverCall = (
  member: string,
  body: readonly string[],
  onReply?: (reply: ReceivedMessage) => void,
) => Promise<ReceivedMessage>;

interface FollowedName {
  /** In the table of strings, held. */
  readonly id: number;
  /** "": nobody, or not known yet. */
  owner: string;
  users: number;
  /** Settles when the owner is known, and its changes will be. */
  readonly known: Promise<void>;
}

/**
 * Signals carry the sender's unique name. A rule with a well-known name as sender says something about
 * the name's owner at that moment, which the bus knows; a client with more than one rule has to know it too,
 * so that each signal goes to the rules that it matched.
 */
export class NameOwners {
  readonly #strings: Strings;
  readonly #driver: DriverCall;
  readonly #names: Map<string, FollowedName> = new Map();
  readonly #byOwner: Map<string, Set<FollowedName>> = new Map();

  constructor(strings: Strings, driver: DriverCall) {
    this.#strings = strings;
    this.#driver = driver;
  }

  get isActive(): boolean {
    return this.#names.size > 0;
  }

  /** Follows `name` until `release` has been called as often. Resolves when its owner is known. */
  hold(name: string): Promise<void> {
    const known = this.#names.get(name);
    if (known !== undefined) {
      known.users++;
      return known.known;
    }
    const followed: FollowedName = {
      id: this.#strings.hold(name),
      owner: "",
      users: 1,
      known: Promise.all([
        this.#driver("AddMatch", [ruleFor(name)]),
        this.#driver("GetNameOwner", [name], (reply) => {
          const [owner] = reply.body;
          if (reply.type === MessageType.MethodReturn) this.#setOwner(followed, String(owner));
        }).catch(unlessNobodyOwnsIt),
      ]).then(() => {}),
    };
    this.#names.set(name, followed);
    return followed.known;
  }

  /** Resolves when the bus has been told, or is gone. */
  async release(name: string): Promise<void> {
    const followed = this.#names.get(name);
    if (followed === undefined || --followed.users > 0) return;
    this.#names.delete(name);
    this.#setOwner(followed, "");
    this.#strings.release(followed.id);
    await this.#driver("RemoveMatch", [ruleFor(name)]);
  }

  /** The bus has sent NameOwnerChanged. */
  changed(message: ReceivedMessage): void {
    const [name, , owner] = message.body;
    const followed = typeof name === "string" ? this.#names.get(name) : undefined;
    if (followed !== undefined) this.#setOwner(followed, String(owner));
  }

  /** How many followed names `owner` owns. */
  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** Writes the ids of the names that `owner` owns to `ids`, from `at` on. */
  writeIds(owner: string, ids: Int32Array, at: number): void {
    let end = at;
    for (const { id } of this.#byOwner.get(owner) ?? []) ids[end++] = id;
  }

  #setOwner(followed: FollowedName, owner: string): void {
    const before = this.#byOwner.get(followed.owner);
    before?.delete(followed);
    if (before?.size === 0) this.#byOwner.delete(followed.owner);
    followed.owner = owner;
    if (owner === "") return;
    const names = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, names.add(followed));
  }
}

function ruleFor(name: string): string {
  return `type='signal',sender='${DRIVER_NAME}',interface='${DRIVER_NAME}',member='NameOwnerChanged',arg0='${name}'`;
}

function unlessNobodyOwnsIt(error: DBusError): void {
  if (error.errorName !== DBusErrorName.NameHasNoOwner) throw error;
}
