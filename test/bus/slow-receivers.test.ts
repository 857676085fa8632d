/** Receivers that do not read: who is told, who is disconnected, and who does not notice. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { LogEntry } from "../../bus/log.ts";
import { Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const LIMIT = 2000;
const tick = { path: "/", interface: "org.example.Clock", member: "Tick" };

/** A body of which a few exceed the limit. */
const large = { signature: "s", body: ["x".repeat(800)] };

function small(log: LogEntry[] = []): Bus {
  return createBus({ limits: { maxOutgoingBytes: LIMIT }, log: (entry) => log.push(entry) });
}

function callTo(peer: MemoryPeer): Message {
  return methodCall({ path: "/", member: "M", destination: peer.uniqueName, ...large });
}

function indexed(peer: MemoryPeer, bus: Bus): string {
  return bus.directory.findText(peer.uniqueName)?.description ?? "gone";
}

test("a caller learns that its call cannot be queued, and the callee gets all that were", async () => {
  const log: LogEntry[] = [];
  const bus = small(log);
  const caller = await MemoryPeer.join(bus);
  const callee = await MemoryPeer.join(bus);
  callee.end.setReading(false);
  for (let n = 0; n < 5; n++) caller.send(callTo(callee));
  const answers = await caller.drain();
  expect(answers.map(({ errorName, replySerial }) => [errorName, replySerial])).toEqual(
    [4, 5, 6].map((serial) => ["org.freedesktop.DBus.Error.LimitsExceeded", serial]),
  );
  expect(answers[0]?.body[0]).toContain(indexed(callee, bus));
  callee.end.setReading(true);
  expect(await callee.drain()).toHaveLength(2);
  caller.send(callTo(callee));
  await caller.drain();
  expect(await callee.drain()).toHaveLength(1);
  expect(log).toEqual([]);
});

test("a call that is refused leaves no reply to wait for", async () => {
  const bus = small();
  const caller = await MemoryPeer.join(bus);
  const callee = await MemoryPeer.join(bus);
  callee.end.setReading(false);
  for (let n = 0; n < 5; n++) caller.send(callTo(callee));
  await caller.drain();
  expect(bus.router.replies.size).toBe(2);
  callee.end.close();
  await turn();
  expect(bus.router.replies.size).toBe(0);
  const errors = await caller.drain();
  expect(errors.map(({ errorName }) => errorName)).toEqual([
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.NoReply",
  ]);
});

test("who does not read its replies is disconnected, and the log says who and why", async () => {
  const log: LogEntry[] = [];
  const bus = small(log);
  const greedy = await MemoryPeer.join(bus);
  const service = await MemoryPeer.join(bus);
  greedy.end.setReading(false);
  for (let n = 0; n < 4; n++) {
    greedy.send(methodCall({ path: "/", member: "M", destination: service.uniqueName }));
  }
  await turn();
  for (const call of await service.drain()) service.send(methodReturn(call, large));
  expect((await service.driver("NameHasOwner", "s", [greedy.uniqueName])).body).toEqual([false]);
  expect(log).toHaveLength(1);
  expect(log[0]?.text).toMatch(
    /^disconnected :1\.0 \(pid \d+, uid \d+\): it does not read its replies: \d+ bytes wait, 2000 may$/,
  );
  expect(log[0]?.fields).toEqual({
    peer: ":1.0",
    pid: process.pid,
    uid: process.geteuid?.(),
  });
  expect((await service.driver("GetId")).body).toEqual([bus.guid]);
});

test("who does not read what the bus itself answers is disconnected", async () => {
  const log: LogEntry[] = [];
  const bus = small(log);
  const greedy = await MemoryPeer.join(bus);
  greedy.end.setReading(false);
  for (let n = 0; n < 40; n++) void greedy.driver("GetId");
  await turn();
  expect(bus.connectionCount).toBe(0);
  expect(log[0]?.text).toContain("it does not read its replies");
  greedy.end.setReading(true);
  await greedy.closed();
});

test("who does not read the signals it subscribed to is disconnected, and nobody else notices", async () => {
  const log: LogEntry[] = [];
  const bus = small(log);
  const [clock, slow, quick, other] = [
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
  ];
  for (const peer of [slow, quick, other]) {
    await peer.driver("AddMatch", "s", ["member='Tick'"]);
    await peer.driver("AddMatch", "s", ["member='NameOwnerChanged'"]);
  }
  slow.end.setReading(false);
  for (let n = 0; n < 6; n++) {
    clock.send(signal({ ...tick, ...large }));
    await turn();
  }
  for (const peer of [quick, other]) {
    const received = await peer.drain();
    expect(received.map(({ member }) => member)).toEqual([
      "Tick",
      "Tick",
      "Tick",
      "NameOwnerChanged",
      "Tick",
      "Tick",
      "Tick",
    ]);
  }
  expect(await clock.drain()).toEqual([]);
  expect(log.map(({ text }) => text)).toEqual([
    expect.stringMatching(
      /^disconnected :1\.1 \(pid \d+, uid \d+\): it does not read the signals that it subscribed to: \d+ bytes wait, 2000 may$/,
    ),
  ]);
});

test("a peer that is to go gets nothing more, not even what is small enough", async () => {
  const bus = small();
  const clock = await MemoryPeer.join(bus);
  const slow = await MemoryPeer.join(bus);
  await slow.driver("AddMatch", "s", ["member='Tick'"]);
  slow.end.setReading(false);
  const sizes = [800, 700, 900, 1];
  for (const size of sizes) {
    clock.send(signal({ ...tick, signature: "s", body: ["x".repeat(size)] }));
  }
  await clock.drain();
  slow.end.setReading(true);
  await slow.closed();
  expect(slow.received.map(({ body }) => String(body[0]).length)).toEqual([800, 700]);
});

test("a signal to one slow receiver is dropped for it alone, and its sender told if it listens", async () => {
  const bus = small();
  const sender = await MemoryPeer.join(bus);
  const slow = await MemoryPeer.join(bus);
  slow.end.setReading(false);
  const unicast = signal({ ...tick, ...large, destination: slow.uniqueName });
  for (let n = 0; n < 4; n++) sender.send(unicast);
  expect(await sender.drain()).toEqual([]);
  expect(bus.connectionCount).toBe(2);
  sender.send(new Message({ ...unicast, flags: 0 }, unicast.body));
  expect((await sender.drain()).map(({ errorName }) => errorName)).toEqual([
    "org.freedesktop.DBus.Error.LimitsExceeded",
  ]);
  slow.end.setReading(true);
  expect(await slow.drain()).toHaveLength(2);
});

test("one message larger than the limit still reaches an empty queue", async () => {
  const bus = small();
  const sender = await MemoryPeer.join(bus);
  const receiver = await MemoryPeer.join(bus);
  const body = ["x".repeat(10 * LIMIT)];
  sender.send(signal({ ...tick, destination: receiver.uniqueName, signature: "s", body }));
  await sender.drain();
  expect((await receiver.drain())[0]?.body).toEqual(body);
});

test("disconnecting one slow peer may make others too slow, and all of them go cleanly", async () => {
  const log: LogEntry[] = [];
  const bus = small(log);
  const peers: MemoryPeer[] = [];
  for (let n = 0; n < 6; n++) peers.push(await MemoryPeer.join(bus));
  const [survivor, ...slow] = peers as [MemoryPeer, ...MemoryPeer[]];
  for (const [n, peer] of slow.entries()) {
    // Each owns a name that the next one waits for, so that every departure is a message to all.
    await peer.driver("RequestName", "su", [`org.example.N${n}`, 0]);
    await peer.driver("RequestName", "su", [`org.example.N${(n + 4) % 5}`, 0]);
    await peer.driver("AddMatch", "s", ["type='signal'"]);
  }
  for (const peer of slow) peer.end.setReading(false);
  for (let n = 0; n < 30; n++) {
    survivor.send(signal({ ...tick, signature: "s", body: ["x".repeat(20)] }));
  }
  await survivor.drain();
  expect(bus.connectionCount).toBe(1);
  expect(new Set(log.map(({ fields }) => fields["peer"]))).toEqual(
    new Set(slow.map(({ uniqueName }) => uniqueName)),
  );
  expect([...bus.names.names()]).toEqual([]);
  expect((await survivor.driver("ListNames")).body).toEqual([
    ["org.freedesktop.DBus", survivor.uniqueName],
  ]);
});

test("a name changes hands between two peers whose queues are full", async () => {
  // Room for the answer to the request, but not for NameLost and what follows from it.
  for (let limit = 300; limit < 2200; limit += 50) {
    const bus = createBus({ limits: { maxOutgoingBytes: limit } });
    const old = await MemoryPeer.join(bus);
    const young = await MemoryPeer.join(bus);
    const witness = await MemoryPeer.join(bus);
    await old.driver("RequestName", "su", ["org.example.Name", 1]);
    for (const peer of [old, young]) await peer.driver("AddMatch", "s", ["type='signal'"]);
    await turn();
    old.end.setReading(false);
    young.end.setReading(false);
    witness.send(signal({ ...tick, signature: "s", body: ["x".repeat(150)] }));
    await witness.drain();
    void young.driver("RequestName", "su", ["org.example.Name", 2]);
    await turn();
    const owner = bus.names.primaryOwner("org.example.Name");
    expect(bus.directory.findText("org.example.Name")).toBe(owner);
    if (owner !== null) expect(owner.connection.isClosed).toBe(false);
    expect((await witness.driver("GetId")).body).toEqual([bus.guid]);
  }
});
