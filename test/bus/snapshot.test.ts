/** A bus recorded at any moment and taken up elsewhere does what the recorded one goes on to do. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Bus, createBus } from "../../bus/bus.ts";
import type { BusSnapshot } from "../../bus/snapshot.ts";
import type { Endpoint } from "../../routing/endpoint.ts";
import { GatewayAnswer } from "../../routing/gateway.ts";
import type { NameAuthority } from "../../routing/name-authority.ts";
import type { MemoryEnd } from "../../transport/memory-transport.ts";
import { Message, methodCall, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageType } from "../../wire/protocol.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const identity = Buffer.from(String(process.geteuid?.())).toString("hex");
const HANDSHAKE = Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`);

const NAMES = ["a.a", "b.b"] as const;
const RULES = ["type='signal'", "member='Tick'", `sender='${DRIVER_NAME}'`, "sender='a.a'"];

type Operation = readonly [
  kind: (typeof KINDS)[number],
  peer: number,
  which: number,
  flags: number,
  cut: number,
];

const KINDS = [
  "connect",
  "handshake",
  "hello",
  "request",
  "release",
  "addMatch",
  "removeMatch",
  "signal",
  "call",
  "callName",
  "reply",
  "rest",
  "reading",
  "leave",
] as const;

/** One end of a peer, and what there is to say about it. */
interface Peer {
  end: MemoryEnd;
  readonly endpoint: Endpoint;
  received: Buffer;
  isClosed: boolean;
  isReading: boolean;
  /** The unsent rest of a message that was cut in two. */
  rest: Uint8Array;
  serial: number;
}

/** A bus and what its peers do and see. */
class World {
  bus: Bus;
  readonly peers: Peer[] = [];

  constructor(bus: Bus) {
    this.bus = bus;
  }

  /** The same world around a restored bus; what its peers see from now on is written down anew. */
  static restored(world: World, record: BusSnapshot): World {
    const { bus, ends } = Bus.restore(record);
    const copy = new World(bus);
    for (const peer of world.peers) {
      const { endpoint } = peer;
      // Disconnected by the bus, and has not noticed because it does not read.
      if (world.bus.directory.at(endpoint.index) !== endpoint) peer.isClosed = true;
      const name = endpoint.uniqueName || `#${endpoint.index}`;
      const end = peer.isClosed ? peer.end : ends.get(name);
      if (end === undefined) throw new Error(`there is no end for ${name}`);
      const again = { ...peer, received: Buffer.alloc(0), end };
      if (!peer.isClosed) listen(again);
      copy.peers.push(again);
    }
    return copy;
  }

  do([kind, number, which, flags, cut]: Operation): void {
    if (kind === "connect" || this.peers.length === 0) {
      if (this.peers.length < 6) this.#connect();
      return;
    }
    const peer = this.peers[number % this.peers.length] as Peer; // there is one
    if (peer.isClosed) return;
    const name = NAMES[which % NAMES.length] ?? "";
    const rule = RULES[which % RULES.length] ?? "";
    const tick = { path: "/a", interface: "a.b", member: which % 2 === 0 ? "Tick" : "Tock" };
    switch (kind) {
      case "handshake":
        this.#write(peer, HANDSHAKE, cut);
        break;
      case "hello":
        this.#driver(peer, cut, "Hello", "", []);
        break;
      case "request":
        this.#driver(peer, cut, "RequestName", "su", [name, flags]);
        break;
      case "release":
        this.#driver(peer, cut, "ReleaseName", "s", [name]);
        break;
      case "addMatch":
        this.#driver(peer, cut, "AddMatch", "s", [rule]);
        break;
      case "removeMatch":
        this.#driver(peer, cut, "RemoveMatch", "s", [rule]);
        break;
      case "signal":
        this.#send(peer, cut, signal({ ...tick, signature: "su", body: [rule, flags] }));
        break;
      case "call":
        this.#call(peer, cut, `:1.${which}`, flags);
        break;
      case "callName":
        this.#call(peer, cut, name, flags);
        break;
      case "reply":
        this.#reply(peer, cut, which, flags);
        break;
      case "rest":
        this.#write(peer, new Uint8Array(0), 0);
        break;
      case "reading":
        peer.isReading = !peer.isReading;
        peer.end.setReading(peer.isReading);
        break;
      case "leave":
        peer.isClosed = true;
        peer.end.close();
        break;
    }
  }

  #connect(): void {
    const known = new Set([...this.bus.directory.endpoints()]);
    const end = this.bus.connect();
    const endpoint = [...this.bus.directory.endpoints()].find((each) => !known.has(each));
    if (endpoint === undefined) throw new Error("connecting made no endpoint");
    const peer = {
      end,
      endpoint,
      received: Buffer.alloc(0),
      isClosed: false,
      isReading: true,
      rest: new Uint8Array(0),
      serial: 0,
    };
    listen(peer);
    this.peers.push(peer);
  }

  #driver(
    peer: Peer,
    cut: number,
    member: string,
    signature: string,
    body: readonly unknown[],
  ): void {
    const destination = DRIVER_NAME;
    const path = DRIVER_PATH;
    const call = { path, interface: DRIVER_NAME, member, destination, signature, body };
    this.#send(peer, cut, methodCall(call));
  }

  #call(peer: Peer, cut: number, destination: string, flags: number): void {
    this.#send(peer, cut, methodCall({ path: "/", member: "M", destination, flags: flags & 1 }));
  }

  /** A reply to one of the first serials of some peer; most are not expected. */
  #reply(peer: Peer, cut: number, which: number, flags: number): void {
    const header = {
      type: MessageType.MethodReturn,
      destination: `:1.${which}`,
      replySerial: flags + 2,
    };
    this.#send(peer, cut, new Message(header, []));
  }

  #send(peer: Peer, cut: number, message: Message): void {
    this.#write(peer, encodeMessage(message, ++peer.serial, peer.serial % 2 === 0), cut);
  }

  /** Writes what was held back before, and all of `bytes` or, if `cut` is not 0, only a part. */
  #write(peer: Peer, bytes: Uint8Array, cut: number): void {
    const whole = Buffer.concat([peer.rest, bytes]);
    const length = cut === 0 ? whole.length : whole.length - (cut % (bytes.length + 1));
    peer.rest = whole.subarray(length);
    peer.end.write(whole.subarray(0, length));
  }
}

function listen(peer: Peer): void {
  peer.end.onBytes = (bytes) => {
    peer.received = Buffer.concat([peer.received, bytes]);
  };
  peer.end.onClose = () => {
    peer.isClosed = true;
  };
  peer.end.setReading(peer.isReading);
}

const operation: fc.Arbitrary<Operation> = fc.tuple(
  fc.constantFrom(...KINDS),
  fc.nat(5),
  fc.nat(5),
  fc.nat(7),
  fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(200) }),
);

/** Peers that have registered, so that not every run has to get there by chance. */
const registered: readonly Operation[] = [0, 1, 2].flatMap((peer) => [
  ["connect", peer, 0, 0, 0],
  ["handshake", peer, 0, 0, 0],
  ["hello", peer, 0, 0, 0],
]);

test("whenever it is recorded, the restored bus and the recorded one do the same", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 40 }),
      fc.array(operation, { maxLength: 40 }),
      fc.boolean(),
      async (before, after, isMidway) => {
        const world = new World(createBus());
        for (const each of registered) {
          world.do(each);
          await turn();
        }
        for (const each of before) {
          world.do(each);
          await turn();
        }
        // Recorded with input that the bus has not seen yet: of one peer, for between two the order
        // in which they wrote is nowhere.
        if (isMidway) {
          for (const [kind, , ...rest] of before.slice(0, 3)) world.do([kind, 1, ...rest]);
        }
        if (world.peers.some((peer) => peer.isClosed)) await turn();
        const copy = World.restored(world, structuredClone(world.bus.snapshot()));
        const seen = world.peers.map(({ received }) => received.length);
        await turn();
        for (const each of [...after, ...endings(world)]) {
          world.do(each);
          copy.do(each);
          await turn();
        }
        expect(copy.bus.guid).toBe(world.bus.guid);
        for (const [number, peer] of world.peers.entries()) {
          const other = copy.peers[number];
          const news = peer.received.subarray(seen[number]);
          expect(other?.received.toString("latin1")).toBe(news.toString("latin1"));
          expect(other?.isClosed).toBe(peer.isClosed);
          compared += news.length;
        }
        expect(summary(copy.bus.snapshot())).toEqual(summary(world.bus.snapshot()));
      },
    ),
    { numRuns: 50 },
  );
  expect(compared).toBeGreaterThan(5000);
});

/** At the end everybody reads what waits, and says what is left of a cut message. */
function endings(world: World): Operation[] {
  return world.peers.flatMap(({ isReading }, number): Operation[] => {
    const rest: Operation = ["rest", number, 0, 0, 0];
    return isReading ? [rest] : [rest, ["reading", number, 0, 0, 0]];
  });
}

/** A record without the dense numbers that connections may have got differently since. */
function summary(record: BusSnapshot): unknown {
  const nameOf = (index: number): string =>
    record.peers.find((peer) => peer.index === index)?.uniqueName ?? "";
  return {
    ...record,
    peers: record.peers
      .map(({ index: _, replies, rules, ...peer }) => ({
        ...peer,
        rules: [...rules].sort(),
        replies: replies.map(({ serial, callee }) => [serial, nameOf(callee)]),
      }))
      // Which free index a newcomer gets is not recorded, so peers before Hello are told apart by all else.
      .sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1)),
    names: record.names.map(({ name, owners }) => [
      name,
      owners.map(({ owner, flags, place }) => [nameOf(owner), flags, place]),
    ]),
  };
}

function sortKey(peer: { readonly uniqueName: string }): string {
  return peer.uniqueName + JSON.stringify(peer);
}

test("a record survives JSON-like copying with partial lines, partial messages and unsent output", async () => {
  const bus = createBus();
  const reader = await MemoryPeer.join(bus);
  await reader.driver("AddMatch", "s", ["member='Tick'"]);
  const talker = await MemoryPeer.join(bus);
  const late = bus.connect();
  late.write(HANDSHAKE.subarray(0, 9));
  await turn();
  reader.end.setReading(false);
  const message = encodeMessage(signal({ path: "/", interface: "a.b", member: "Tick" }), 77);
  talker.end.write(Buffer.concat([message, message.subarray(0, 30)]));
  await turn();
  const record = structuredClone(bus.snapshot());
  expect(record.peers.map(({ uniqueName }) => uniqueName)).toEqual([":1.0", ":1.1", ""]);
  expect(record.peers[0]?.stream.output).toHaveLength(1);
  expect(record.peers[1]?.stream.input).toHaveLength(30);

  const { ends } = Bus.restore(record);
  const again = new MemoryPeer(ends.get(":1.0") as MemoryEnd, true);
  const lines: string[] = [];
  const lateEnd = ends.get("#2") as MemoryEnd;
  lateEnd.onBytes = (bytes) => lines.push(Buffer.from(bytes).toString());
  lateEnd.write(HANDSHAKE.subarray(9));
  ends.get(":1.1")?.write(message.subarray(30));
  await turn();
  expect(again.received.map(({ sender, serial }) => [sender, serial])).toEqual([
    [":1.1", 77],
    [":1.1", 77],
  ]);
  expect(lines).toEqual([`OK ${record.guid}\r\n`]);
});

test("registered peers are not counted among those in the handshake after a restore", async () => {
  const bus = createBus();
  await MemoryPeer.join(bus);
  await MemoryPeer.join(bus);
  const limits = { maxIncompleteConnections: 1 };
  const restored = Bus.restore(structuredClone(bus.snapshot()), { limits }).bus;
  const [peer] = restored.directory.endpoints();
  if (peer === undefined) throw new Error("the restored bus has no peer");
  expect(restored.isAdmitting).toBe(true);
  expect(restored.admit(peer.connection.credentials, -1, null, "test")).not.toBeNull();
  expect(restored.isAdmitting).toBe(false);
});

test("unique names go on where they stopped", async () => {
  const bus = createBus();
  const gone = await MemoryPeer.join(bus);
  gone.end.close();
  await turn();
  const { bus: restored } = Bus.restore(structuredClone(bus.snapshot()));
  expect((await MemoryPeer.join(restored)).uniqueName).toBe(":1.1");
  expect(restored.guid).toBe(bus.guid);
});

test("what waits for a name that is being found is looked for again, in its order", async () => {
  const gateway = { find: (): GatewayAnswer => GatewayAnswer.Pending };
  const bus = createBus({ gateway });
  const caller = await MemoryPeer.join(bus);
  for (const member of ["One", "Two"]) {
    caller.send(methodCall({ path: "/", member, destination: "a.b" }));
  }
  await turn();
  const record = structuredClone(bus.snapshot());
  const { bus: restored, ends } = Bus.restore(record, { gateway });
  expect(restored.snapshot()).toMatchObject({ waiting: record.waiting, names: [] });
  expect(restored.snapshot().peers[0]?.acceptedCount).toBe(record.peers[0]?.acceptedCount);
  const owner = await MemoryPeer.join(restored);
  await owner.driver("RequestName", "su", ["a.b", 0]);
  restored.router.found("a.b");
  const calls = (await owner.drain()).filter(({ type }) => type === MessageType.MethodCall);
  expect(calls.map(({ member, sender }) => [member, sender])).toEqual([
    ["One", caller.uniqueName],
    ["Two", caller.uniqueName],
  ]);

  const { ends: lost } = Bus.restore(record);
  expect([...lost.keys()]).toEqual([...ends.keys()]);
});

test("a bus that waits for the name authority's answer says why it cannot be recorded", async () => {
  const never = (local: NameAuthority): NameAuthority => ({
    hello: (endpoint, answer) => local.hello(endpoint, answer),
    request: () => {},
    release: (endpoint, name, answer) => local.release(endpoint, name, answer),
  });
  const asking = createBus({ nameAuthority: never });
  const asker = await MemoryPeer.join(asking);
  void asker.driver("RequestName", "su", ["a.b", 0]);
  await turn();
  expect(() => asking.snapshot()).toThrow("waits for the name authority's answer");
});
