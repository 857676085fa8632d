/**
 * Who owns which well-known name, and who waits in line for it.
 *
 * The registry decides and reports; it sends nothing and knows no messages. Every change of primary
 * owner comes back as a `NameChange`, which the driver turns into signals.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-names
 */

import type { Endpoint } from "../routing/endpoint.ts";
import type { NameAuthority, NameChange, NameDecision } from "../routing/name-authority.ts";
import { ReleaseNameReply, RequestNameFlag, RequestNameReply } from "../wire/protocol.ts";

const { AllowReplacement, ReplaceExisting, DoNotQueue } = RequestNameFlag;

interface Ownership {
  readonly owner: Endpoint;
  allowsReplacement: boolean;
  /** It would rather have nothing than wait. */
  doesNotQueue: boolean;
}

/** A name's queue as a plain record: owners by endpoint index, the primary owner first. */
export interface NameRecord {
  readonly name: string;
  readonly owners: readonly {
    readonly owner: number;
    readonly flags: number;
    /** How many names the owner had asked for before this one, of those that it has. */
    readonly place: number;
  }[];
}

export class NameRegistry implements NameAuthority {
  /** The first ownership in a queue is the primary owner; a queue is never empty. */
  readonly #queues: Map<string, Ownership[]> = new Map();
  /** Names that each endpoint owns or waits for, in the order in which it asked. */
  readonly #namesOf: Map<Endpoint, Set<string>> = new Map();
  #uniqueNameCount: number;
  #claimCount = 0;
  /** Called when somebody has come to own or wait for a name (`isGained`), or does so no more. */
  onChange: (endpoint: Endpoint, name: string, isGained: boolean) => void = () => {};

  /** `uniqueNameCount`: how many unique names have been given out; they are never given again. */
  constructor(uniqueNameCount = 0) {
    this.#uniqueNameCount = uniqueNameCount;
  }

  get uniqueNameCount(): number {
    return this.#uniqueNameCount;
  }

  hello(_endpoint: Endpoint, answer: (uniqueName: string) => void): void {
    answer(`:1.${this.#uniqueNameCount++}`);
  }

  request(
    endpoint: Endpoint,
    name: string,
    flags: number,
    answer: (decision: NameDecision) => void,
  ): void {
    answer(this.#request(endpoint, name, flags));
  }

  release(endpoint: Endpoint, name: string, answer: (decision: NameDecision) => void): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) {
      answer({ reply: ReleaseNameReply.NonExistent, change: null });
    } else if (!queue.some((ownership) => ownership.owner === endpoint)) {
      answer({ reply: ReleaseNameReply.NotOwner, change: null });
    } else {
      answer({ reply: ReleaseNameReply.Released, change: this.#leave(endpoint, name) });
    }
  }

  /** Gives up all that a gone endpoint owned or waited for, the newest first, as dbus-daemon does. */
  releaseAll(endpoint: Endpoint): NameChange[] {
    const names = this.#namesOf.get(endpoint);
    if (names === undefined) return [];
    const changes: NameChange[] = [];
    for (const name of [...names].reverse()) {
      const change = this.#leave(endpoint, name);
      if (change !== null) changes.push(change);
    }
    return changes;
  }

  /** The well-known names that have an owner. */
  names(): Iterable<string> {
    return this.#queues.keys();
  }

  primaryOwner(name: string): Endpoint | null {
    return this.#queues.get(name)?.[0]?.owner ?? null;
  }

  /** All owners of a name, the primary one first; empty if there is none. */
  queueOf(name: string): Endpoint[] {
    return (this.#queues.get(name) ?? []).map((ownership) => ownership.owner);
  }

  /** How many names all endpoints own or wait for, a name counted once for each of them. */
  get claimCount(): number {
    return this.#claimCount;
  }

  /** The well-known names that an endpoint owns or waits for. */
  namesOf(endpoint: Endpoint): Iterable<string> {
    return this.#namesOf.get(endpoint) ?? [];
  }

  /** How many names an endpoint owns or waits for. */
  countOf(endpoint: Endpoint): number {
    return this.#namesOf.get(endpoint)?.size ?? 0;
  }

  snapshot(): NameRecord[] {
    const places = new Map<Endpoint, Map<string, number>>();
    for (const [owner, names] of this.#namesOf) {
      places.set(owner, new Map([...names].map((name, place) => [name, place])));
    }
    return [...this.#queues].map(([name, queue]) => ({
      name,
      owners: queue.map((ownership) => ({
        owner: ownership.owner.index,
        flags:
          (ownership.allowsReplacement ? AllowReplacement : 0) |
          (ownership.doesNotQueue ? DoNotQueue : 0),
        place: places.get(ownership.owner)?.get(name) ?? 0,
      })),
    }));
  }

  /** Puts all queues back as a snapshot had them. */
  restore(records: readonly NameRecord[], endpointAt: (index: number) => Endpoint): void {
    const memberships: { owner: Endpoint; name: string; place: number }[] = [];
    for (const { name, owners } of records) {
      const queue = owners.map(({ owner, flags }) => ownershipOf(endpointAt(owner), flags));
      this.#queues.set(name, queue);
      for (const { owner, place } of owners) {
        memberships.push({ owner: endpointAt(owner), name, place });
      }
    }
    memberships.sort((one, other) => one.place - other.place);
    for (const { owner, name } of memberships) this.#noteName(owner, name);
  }

  #request(endpoint: Endpoint, name: string, flags: number): NameDecision {
    // It asked somebody who asks here only now, and has left meanwhile.
    if (endpoint.connection.isClosed) return decision(RequestNameReply.Exists, null);
    const primary = this.#queues.get(name)?.[0];
    const ownership = ownershipOf(endpoint, flags);
    if (primary === undefined) {
      this.#join(name, ownership, "last");
      return decision(RequestNameReply.PrimaryOwner, { name, oldOwner: null, newOwner: endpoint });
    }
    if (primary.owner === endpoint) {
      primary.allowsReplacement = ownership.allowsReplacement;
      primary.doesNotQueue = ownership.doesNotQueue;
      return decision(RequestNameReply.AlreadyOwner, null);
    }
    const mayReplace = (flags & ReplaceExisting) !== 0 && primary.allowsReplacement;
    if (mayReplace) {
      if (primary.doesNotQueue) this.#leaveQueue(primary.owner, name);
      this.#leaveQueue(endpoint, name);
      this.#join(name, ownership, "first");
      return decision(RequestNameReply.PrimaryOwner, {
        name,
        oldOwner: primary.owner,
        newOwner: endpoint,
      });
    }
    if (ownership.doesNotQueue) {
      // Whoever waited and now would not wait any more waits no more.
      this.#leaveQueue(endpoint, name);
      return decision(RequestNameReply.Exists, null);
    }
    this.#wait(name, ownership);
    return decision(RequestNameReply.InQueue, null);
  }

  /** Stays where it waits already, with new flags, or goes to the end. */
  #wait(name: string, ownership: Ownership): void {
    const waiting = this.#queues.get(name)?.find((each) => each.owner === ownership.owner);
    if (waiting === undefined) {
      this.#join(name, ownership, "last");
    } else {
      waiting.allowsReplacement = ownership.allowsReplacement;
      waiting.doesNotQueue = ownership.doesNotQueue;
    }
  }

  #join(name: string, ownership: Ownership, place: "first" | "last"): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, [ownership]);
    else if (place === "first") queue.unshift(ownership);
    else queue.push(ownership);
    this.#noteName(ownership.owner, name);
  }

  #noteName(owner: Endpoint, name: string): void {
    this.#claimCount++;
    const names = this.#namesOf.get(owner);
    if (names === undefined) this.#namesOf.set(owner, new Set([name]));
    else names.add(name);
    this.onChange(owner, name, true);
  }

  #leave(endpoint: Endpoint, name: string): NameChange | null {
    const wasPrimary = this.primaryOwner(name) === endpoint;
    this.#leaveQueue(endpoint, name);
    if (!wasPrimary) return null;
    return { name, oldOwner: endpoint, newOwner: this.primaryOwner(name) };
  }

  #leaveQueue(endpoint: Endpoint, name: string): void {
    const queue = this.#queues.get(name) ?? [];
    const at = queue.findIndex((ownership) => ownership.owner === endpoint);
    if (at < 0) return;
    queue.splice(at, 1);
    this.#claimCount--;
    if (queue.length === 0) this.#queues.delete(name);
    const names = this.#namesOf.get(endpoint);
    names?.delete(name);
    if (names?.size === 0) this.#namesOf.delete(endpoint);
    this.onChange(endpoint, name, false);
  }
}

function ownershipOf(owner: Endpoint, flags: number): Ownership {
  return {
    owner,
    allowsReplacement: (flags & AllowReplacement) !== 0,
    doesNotQueue: (flags & DoNotQueue) !== 0,
  };
}

function decision(reply: number, change: NameChange | null): NameDecision {
  return { reply, change };
}
