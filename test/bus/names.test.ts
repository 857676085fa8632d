/** The queues of names against a second, simple model that was written from the specification. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { NameRegistry } from "../../bus/names.ts";
import { Endpoint } from "../../routing/endpoint.ts";
import type { NameChange, NameDecision } from "../../routing/name-authority.ts";
import { Connection } from "../../transport/connection.ts";

const AllowReplacement = 1;
const ReplaceExisting = 2;
const DoNotQueue = 4;

const PEERS = 5;

/**
 * https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-request-name, sentence by
 * sentence: a list of entries [peer, flags] for each name, the primary owner first.
 */
class Specified {
  readonly queues: Map<string, [number, number][]> = new Map();
  /** The names each peer owns or waits for, the one it got into last at the end. */
  readonly order: string[][] = Array.from({ length: PEERS }, () => []);

  request(peer: number, name: string, flags: number): [number, number | null, number | null] {
    const queue = this.queues.get(name) ?? [];
    const primary = queue[0];
    if (primary === undefined) {
      this.#set(name, [[peer, flags]]);
      return [1, null, peer];
    }
    if (primary[0] === peer) {
      primary[1] = flags;
      return [4, peer, peer];
    }
    const others = queue.slice(1).filter(([waiting]) => waiting !== peer);
    if ((primary[1] & AllowReplacement) !== 0 && (flags & ReplaceExisting) !== 0) {
      const replaced = (primary[1] & DoNotQueue) === 0 ? [primary] : [];
      // A peer that waited and now replaces has a new place.
      this.#remove(peer, name);
      this.#set(name, [[peer, flags], ...replaced, ...others]);
      return [1, primary[0], peer];
    }
    if ((flags & DoNotQueue) !== 0) {
      this.#set(name, [primary, ...others]);
      return [3, primary[0], primary[0]];
    }
    const waiting = queue.find(([each]) => each === peer);
    if (waiting === undefined) this.#set(name, [...queue, [peer, flags]]);
    else waiting[1] = flags;
    return [2, primary[0], primary[0]];
  }

  release(peer: number, name: string): [number, number | null, number | null] {
    const queue = this.queues.get(name);
    const primary = queue?.[0]?.[0] ?? null;
    if (queue === undefined) return [2, null, null];
    if (!queue.some(([each]) => each === peer)) return [3, primary, primary];
    this.#remove(peer, name);
    return [1, primary, this.queues.get(name)?.[0]?.[0] ?? null];
  }

  /** What happens to the names of a peer that disconnects, the newest first. */
  leave(peer: number): [string, number, number | null][] {
    const changes: [string, number, number | null][] = [];
    for (const name of [...(this.order[peer] ?? [])].reverse()) {
      const [, before, after] = this.release(peer, name);
      if (before === peer) changes.push([name, before, after]);
    }
    return changes;
  }

  #set(name: string, queue: [number, number][]): void {
    const before = this.queues.get(name) ?? [];
    for (const [peer] of before) {
      if (!queue.some(([each]) => each === peer)) this.#forget(peer, name);
    }
    for (const [peer] of queue) {
      if (!(this.order[peer]?.includes(name) ?? true)) this.order[peer]?.push(name);
    }
    if (queue.length === 0) this.queues.delete(name);
    else this.queues.set(name, queue);
  }

  #remove(peer: number, name: string): void {
    this.#set(
      name,
      (this.queues.get(name) ?? []).filter(([each]) => each !== peer),
    );
  }

  #forget(peer: number, name: string): void {
    const names = this.order[peer] ?? [];
    names.splice(names.indexOf(name), 1);
  }
}

const noCredentials = {
  processId: null,
  userId: null,
  groupId: null,
  groups: null,
  securityLabel: null,
  processDescriptor: null,
};
const owner = {
  authenticated() {},
  message() {},
  closed() {},
  turnEnded() {},
  descriptorsWait() {},
  messagesDropped() {},
};
const options = { guid: "0".repeat(32), mechanisms: [], maxMessageBytes: 1 };

function endpoint(index: number): Endpoint {
  return new Endpoint(new Connection(index, noCredentials, -1, null, "test", owner, options), {
    userId: 0,
  });
}

/** The registry and the model, asked the same. */
class Both {
  readonly registry = new NameRegistry();
  readonly specified = new Specified();
  readonly peers: readonly Endpoint[] = Array.from({ length: PEERS }, (_, n) => endpoint(n));

  request(peer: number, name: string, flags: number): void {
    const [reply, before, after] = this.specified.request(peer, name, flags);
    this.#compare(name, reply, before, after, (answer) =>
      this.registry.request(this.#peer(peer), name, flags, answer),
    );
  }

  release(peer: number, name: string): void {
    const [reply, before, after] = this.specified.release(peer, name);
    this.#compare(name, reply, before, after, (answer) =>
      this.registry.release(this.#peer(peer), name, answer),
    );
  }

  leave(peer: number): void {
    expect(this.registry.releaseAll(this.#peer(peer)).map(indexes)).toEqual(
      this.specified.leave(peer),
    );
  }

  check(): void {
    const { queues, order } = this.specified;
    expect(new Set(this.registry.names())).toEqual(new Set(queues.keys()));
    for (const [name, queue] of queues) {
      expect(this.registry.queueOf(name).map(({ index }) => index)).toEqual(
        queue.map(([peer]) => peer),
      );
      expect(this.registry.primaryOwner(name)?.index).toBe(queue[0]?.[0]);
    }
    for (const [peer, names] of order.entries()) {
      expect(this.registry.countOf(this.#peer(peer))).toBe(names.length);
    }
  }

  #peer(index: number): Endpoint {
    return this.peers[index] as Endpoint; // indexes are below PEERS
  }

  #compare(
    name: string,
    reply: number,
    before: number | null,
    after: number | null,
    ask: (answer: (decision: NameDecision) => void) => void,
  ): void {
    const decisions: NameDecision[] = [];
    ask((decision) => decisions.push(decision));
    const change = before === after ? null : [name, before, after];
    expect(decisions.map((each) => [each.reply, each.change && indexes(each.change)])).toEqual([
      [reply, change],
    ]);
  }
}

function indexes({ name, oldOwner, newOwner }: NameChange): [string, number | null, number | null] {
  return [name, oldOwner?.index ?? null, newOwner?.index ?? null];
}

const operation = fc.tuple(
  fc.constantFrom("request", "request", "request", "release", "leave", "restore"),
  fc.nat(PEERS - 1),
  fc.constantFrom("a.a", "b.b", "c.c"),
  fc.nat(7),
);

test("any sequence of requests, releases and departures gives what the specification says", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const both = new Both();
      for (const [kind, peer, name, flags] of operations) {
        if (kind === "request") both.request(peer, name, flags);
        else if (kind === "release") both.release(peer, name);
        else if (kind === "leave") both.leave(peer);
        both.check();
      }
    }),
    { numRuns: 200 },
  );
});

test("flags beyond the three known ones mean nothing", () => {
  const both = new Both();
  both.request(0, "a.a", 8);
  both.request(1, "a.a", 0xfffffff8 | ReplaceExisting | DoNotQueue);
  both.check();
});

test("a peer's names go the newest first", () => {
  const both = new Both();
  for (const name of ["c.c", "a.a", "b.b"]) both.request(0, name, 0);
  both.request(1, "a.a", 0);
  expect(both.registry.releaseAll(both.peers[0] as Endpoint).map(indexes)).toEqual([
    ["b.b", 0, null],
    ["a.a", 0, 1],
    ["c.c", 0, null],
  ]);
});

test("a registry restored from a record goes on alike, in the same order", () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 40 }),
      fc.array(operation, { maxLength: 20 }),
      (before, after) => {
        const registry = new NameRegistry();
        const peers = Array.from({ length: PEERS }, (_, n) => endpoint(n));
        apply(registry, peers, before);
        const again = new NameRegistry(registry.uniqueNameCount);
        const others = Array.from({ length: PEERS }, (_, n) => endpoint(n));
        again.restore(structuredClone(registry.snapshot()), (index) => others[index] as Endpoint);
        expect(apply(again, others, after)).toEqual(apply(registry, peers, after));
        expect(again.snapshot()).toEqual(registry.snapshot());
      },
    ),
  );
});

/** What each operation led to. */
function apply(
  registry: NameRegistry,
  peers: readonly Endpoint[],
  operations: readonly (readonly [string, number, string, number])[],
): unknown[] {
  const results: unknown[] = [];
  const note = ({ reply, change }: NameDecision): void => {
    results.push([reply, change && indexes(change)]);
  };
  for (const [kind, peer, name, flags] of operations) {
    const asking = peers[peer] as Endpoint; // indexes are below PEERS
    if (kind === "request") registry.request(asking, name, flags, note);
    else if (kind === "release") registry.release(asking, name, note);
    else if (kind === "leave") results.push(registry.releaseAll(asking).map(indexes));
  }
  return results;
}

test("no unique name is given twice, not even after a restore", () => {
  const given: string[] = [];
  let registry = new NameRegistry();
  for (let n = 0; n < 10; n++) {
    registry.hello(endpoint(n), (name) => given.push(name));
    if (n % 3 === 0) registry = new NameRegistry(registry.uniqueNameCount);
  }
  expect(given).toEqual(Array.from({ length: 10 }, (_, n) => `:1.${n}`));
});
