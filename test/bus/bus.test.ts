/** The bus in one process, without a socket and without the addon. */

import { expect, test } from "@jest/globals";
import { createBus } from "../../bus/bus.ts";
import { methodReturn, signal } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const tick = { path: "/org/example", interface: "org.example.Clock", member: "Tick" };

test("a peer gets a unique name, and NameAcquired after the reply to Hello", async () => {
  const bus = createBus();
  const peer = new MemoryPeer(bus.connect());
  peer.authenticate();
  const reply = await peer.driver("Hello");
  expect(reply.body).toEqual([":1.0"]);
  const received = await peer.drain();
  expect(received.map(({ member, body }) => [member, body])).toEqual([["NameAcquired", [":1.0"]]]);
});

test("a call reaches a well-known name and its reply the caller", async () => {
  const bus = createBus();
  const caller = await MemoryPeer.join(bus);
  const service = await MemoryPeer.join(bus);
  expect((await service.driver("RequestName", "su", ["org.example.Echo", 0])).body).toEqual([1]);
  await service.drain();
  const reply = caller.call({
    path: "/",
    member: "Echo",
    destination: "org.example.Echo",
    signature: "s",
    body: ["hello"],
  });
  await caller.driver("GetId");
  const [call] = await service.drain();
  expect(call?.sender).toBe(caller.uniqueName);
  expect(call?.body).toEqual(["hello"]);
  if (call === undefined) return;
  service.send(methodReturn(call, { signature: "s", body: ["world"] }));
  expect((await reply).body).toEqual(["world"]);
  expect((await reply).sender).toBe(service.uniqueName);
});

test("a signal reaches each subscriber once, in either byte order", async () => {
  const bus = createBus();
  const clock = await MemoryPeer.join(bus);
  const watcher = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  await watcher.driver("AddMatch", "s", ["interface='org.example.Clock'"]);
  await watcher.driver("AddMatch", "s", ["member='Tick'"]);
  await other.driver("AddMatch", "s", ["member='Tock'"]);
  clock.send(signal({ ...tick, signature: "s", body: ["one"] }));
  clock.send(signal({ ...tick, signature: "s", body: ["two"] }), false);
  await clock.driver("GetId");
  const received = await watcher.drain();
  expect(received.map(({ sender, body }) => [sender, body])).toEqual([
    [clock.uniqueName, ["one"]],
    [clock.uniqueName, ["two"]],
  ]);
  expect(await other.drain()).toEqual([]);
});

test("callers of a peer that leaves get NoReply, after NameOwnerChanged", async () => {
  const bus = createBus();
  const caller = await MemoryPeer.join(bus);
  const service = await MemoryPeer.join(bus);
  await caller.driver("AddMatch", "s", ["member='NameOwnerChanged'"]);
  const reply = caller.call({ path: "/", member: "Wait", destination: service.uniqueName });
  await caller.driver("GetId");
  service.end.close();
  expect((await reply).errorName).toBe("org.freedesktop.DBus.Error.NoReply");
  const received = await caller.drain();
  expect(received.map(({ body }) => body)).toEqual([[service.uniqueName, service.uniqueName, ""]]);
});

test("a malformed message ends its sender's connection, with the offset in the log", async () => {
  const log: string[] = [];
  const bus = createBus({ log: (entry) => log.push(entry.text) });
  const good = await MemoryPeer.join(bus);
  const bad = await MemoryPeer.join(bus);
  bad.end.write(new Uint8Array([0x6c, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));
  await bad.closed();
  expect(log).toHaveLength(1);
  expect(log[0]).toMatch(
    /^disconnected :1\.1 \(pid \d+, uid \d+\): the message type is 0 \(byte 1 /,
  );
  expect((await good.driver("GetId")).body).toEqual([bus.guid]);
});

test("no two live connections share an index after others have left", async () => {
  const bus = createBus();
  const witness = await MemoryPeer.join(bus);
  for (const left of [await MemoryPeer.join(bus), await MemoryPeer.join(bus)]) {
    left.end.close();
    await witness.drain();
    await witness.drain();
  }
  const joined = [
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
  ];
  const indexes = [...bus.directory.endpoints()].map(({ index }) => index);
  expect(new Set(indexes).size).toBe(indexes.length);
  for (const peer of joined) {
    expect((await peer.driver("GetNameOwner", "s", [peer.uniqueName])).body).toEqual([
      peer.uniqueName,
    ]);
  }
});

test("who has closed its end gets nothing more, whatever was on its way", async () => {
  const bus = createBus();
  const clock = await MemoryPeer.join(bus);
  const listener = await MemoryPeer.join(bus);
  await listener.driver("AddMatch", "s", ["interface='org.example.Clock'"]);
  await listener.drain();
  clock.send(signal(tick));
  listener.end.close();
  await clock.driver("GetId");
  expect(listener.received).toEqual([]);
  expect(bus.connectionCount).toBe(1);
});
