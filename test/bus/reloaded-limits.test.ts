/** Limits count from the reload on that brings them, for those who are connected as for those who come. */

import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import { DEFAULT_LIMITS, type Limits } from "../../bus/limits.ts";
import { methodCall } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const DENIED = "org.freedesktop.DBus.Error.LimitsExceeded";

/** A bus without limits worth mentioning, and how to give it others. */
function newBus(): { bus: Bus; reload: (limits: Partial<Limits>) => void; refuse: () => void } {
  let limits: Partial<Limits> = {};
  let failure: string | null = null;
  const bus = createBus({ limits: () => limits, reload: () => failure });
  return {
    bus,
    reload: (next) => {
      limits = next;
      failure = null;
      bus.reload();
    },
    refuse: () => {
      limits = { maxNamesPerConnection: 1 };
      failure = "no";
      expect(bus.reload()).toBe("no");
    },
  };
}

async function requestName(peer: MemoryPeer, name: string): Promise<string | null> {
  return (await peer.driver("RequestName", "su", [name, 0])).errorName;
}

test("names, rules and replies of a peer that is connected", async () => {
  const { bus, reload } = newBus();
  const peer = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  expect(await requestName(peer, "org.example.One")).toBeNull();
  reload({ maxNamesPerConnection: 1, maxMatchRulesPerConnection: 1, maxRepliesPerConnection: 1 });
  expect(await requestName(peer, "org.example.Two")).toBe(DENIED);
  expect((await peer.driver("AddMatch", "s", ["type='signal'"])).errorName).toBeNull();
  expect((await peer.driver("AddMatch", "s", ["type='error'"])).errorName).toBe(DENIED);
  const question = { path: "/a", member: "M", destination: other.uniqueName };
  peer.send(methodCall(question));
  expect((await peer.call(question)).errorName).toBe(DENIED);
  reload({});
  expect(await requestName(peer, "org.example.Two")).toBeNull();
  expect((await peer.driver("AddMatch", "s", ["type='error'"])).errorName).toBeNull();
});

test("what may wait for a receiver", async () => {
  const { bus, reload } = newBus();
  const sender = await MemoryPeer.join(bus);
  const receiver = await MemoryPeer.join(bus);
  receiver.end.setReading(false);
  const body = ["x".repeat(5000)];
  const message = {
    path: "/a",
    member: "M",
    destination: receiver.uniqueName,
    signature: "s",
    body,
  };
  sender.send(methodCall(message));
  sender.send(methodCall(message));
  expect(await sender.drain()).toEqual([]);
  reload({ maxOutgoingBytes: 6000 });
  expect((await sender.call(message)).errorName).toBe(DENIED);
});

test("the size of a message: for those who connect from then on, as in dbus-daemon", async () => {
  const { bus, reload } = newBus();
  const early = await MemoryPeer.join(bus);
  reload({ maxMessageSize: 1000 });
  const late = await MemoryPeer.join(bus);
  const name = `org.example.${"a".repeat(900)}`;
  expect((await early.driver("NameHasOwner", "s", [name])).errorName).toBeNull();
  late.driver("NameHasOwner", "s", [name]);
  await late.closed();
});

test("the time of a handshake that has begun", async () => {
  const { bus, reload } = newBus();
  const idle = new MemoryPeer(bus.connect());
  const quick = await MemoryPeer.join(bus);
  reload({ authTimeoutMs: 1 });
  await idle.closed();
  expect((await quick.driver("GetId")).errorName).toBeNull();
});

test("after a reload that fails the old ones count", async () => {
  const { bus, refuse } = newBus();
  const peer = await MemoryPeer.join(bus);
  refuse();
  expect(await requestName(peer, "org.example.One")).toBeNull();
  expect(bus.limits).toEqual(DEFAULT_LIMITS);
});
