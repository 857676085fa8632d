/** Messages whose destination is being found wait in one place, for whoever looks for it. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { Limits } from "../../bus/limits.ts";
import { type Gateway, GatewayAnswer } from "../../routing/gateway.ts";
import { errorReply, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { MessageFlag } from "../../wire/protocol.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const NAME = "org.example.Lazy";

/** A gateway that looks for every name under org.example, and writes down what it was asked. */
class Searching implements Gateway {
  readonly asked: [string, string, boolean][] = [];

  find(name: string, sender: { uniqueName: string }, mayStart: boolean): GatewayAnswer {
    this.asked.push([name, sender.uniqueName, mayStart]);
    return name.startsWith("org.example.") ? GatewayAnswer.Pending : GatewayAnswer.Absent;
  }
}

function searching(limits: Partial<Limits> = {}): { bus: Bus; gateway: Searching } {
  const gateway = new Searching();
  return { gateway, bus: createBus({ gateway, limits }) };
}

function numbered(n: number, destination = NAME): ReturnType<typeof methodCall> {
  return methodCall({ path: "/", member: "M", destination, signature: "u", body: [n] });
}

async function serviceFor(bus: Bus): Promise<MemoryPeer> {
  const service = await MemoryPeer.join(bus);
  await service.driver("RequestName", "su", [NAME, 0]);
  await service.drain();
  return service;
}

test("messages wait until the name is found, in the order of each sender, and are answered", async () => {
  const { bus, gateway } = searching();
  const callers = [await MemoryPeer.join(bus), await MemoryPeer.join(bus)];
  for (let n = 0; n < 10; n++) callers[n % 2]?.send(numbered(n), n % 3 === 0);
  await turn();
  expect(gateway.asked.filter(([, sender]) => sender === ":1.0")).toEqual(
    Array(5).fill([NAME, ":1.0", true]),
  );
  const service = await serviceFor(bus);
  bus.router.found(NAME);
  const calls = await service.drain();
  for (const rest of [0, 1]) {
    const own = calls.filter(({ sender }) => sender === callers[rest]?.uniqueName);
    expect(own.map(({ body }) => body[0])).toEqual([0, 2, 4, 6, 8].map((n) => n + rest));
  }
  for (const call of calls) service.send(methodReturn(call, { signature: "u", body: call.body }));
  await service.drain();
  expect((await callers[1]?.drain())?.map(({ body }) => body[0])).toEqual([1, 3, 5, 7, 9]);
  expect(bus.router.replies.size).toBe(0);
});

test("nobody is asked about names that have an owner, and others do not wait", async () => {
  const { bus, gateway } = searching();
  const caller = await MemoryPeer.join(bus);
  const friend = await MemoryPeer.join(bus);
  caller.send(numbered(1));
  caller.send(numbered(2, friend.uniqueName));
  caller.send(numbered(3, "com.example.Nowhere"));
  expect((await caller.drain()).map(({ errorName }) => errorName)).toEqual([
    "org.freedesktop.DBus.Error.ServiceUnknown",
  ]);
  expect((await friend.drain()).map(({ body }) => body)).toEqual([[2]]);
  expect(gateway.asked.map(([name]) => name)).toEqual([NAME, "com.example.Nowhere"]);
});

test("each sender learns that a name was not found", async () => {
  const { bus } = searching();
  const one = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  one.send(numbered(1));
  other.send(numbered(2));
  other.send(
    methodCall({ path: "/", member: "M", destination: NAME, flags: MessageFlag.NoAutoStart }),
  );
  await turn();
  bus.router.notFound(NAME);
  expect((await one.drain()).map(({ errorName }) => errorName)).toEqual([
    "org.freedesktop.DBus.Error.ServiceUnknown",
  ]);
  expect((await other.drain()).map(({ errorName }) => errorName)).toEqual([
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
  ]);
  expect([...bus.router.pending.entries()]).toEqual([]);
});

test("a name that was found, and was lost before its messages went, was not found", async () => {
  const { bus } = searching();
  const caller = await MemoryPeer.join(bus);
  const reply = caller.call({ path: "/", member: "M", destination: NAME });
  await turn();
  bus.router.found(NAME);
  expect((await reply).errorName).toBe("org.freedesktop.DBus.Error.ServiceUnknown");
});

test("what waits goes with its sender", async () => {
  const { bus } = searching();
  const leaver = await MemoryPeer.join(bus);
  const stayer = await MemoryPeer.join(bus);
  leaver.send(numbered(1));
  leaver.send(numbered(2, "org.example.Other"));
  stayer.send(numbered(3));
  await turn();
  leaver.end.close();
  await turn();
  expect([...bus.router.pending.entries()].map(([name, held]) => [name, held.length])).toEqual([
    [NAME, 1],
  ]);
  const service = await serviceFor(bus);
  bus.router.found(NAME);
  bus.router.notFound("org.example.Other");
  expect((await service.drain()).map(({ body }) => body)).toEqual([[3]]);
});

test("one sender may only keep so many bytes waiting, and is told about the rest", async () => {
  const { bus } = searching({ maxIncomingBytes: 250 });
  const greedy = await MemoryPeer.join(bus);
  const modest = await MemoryPeer.join(bus);
  for (let n = 0; n < 5; n++) greedy.send(numbered(n));
  modest.send(numbered(9));
  const told = await greedy.drain();
  expect(told.map(({ errorName }) => errorName)).toEqual(
    Array.from({ length: 3 }, () => "org.freedesktop.DBus.Error.LimitsExceeded"),
  );
  expect(told[0]?.body[0]).toContain("max_incoming_bytes=250");
  expect(await modest.drain()).toEqual([]);
  const service = await serviceFor(bus);
  bus.router.found(NAME);
  expect((await service.drain()).map(({ body }) => body)).toEqual([[0], [1], [9]]);
  // What was settled is paid for no longer.
  await service.driver("ReleaseName", "s", [NAME]);
  greedy.send(numbered(10));
  expect(await greedy.drain()).toEqual([]);
});

test("messages of every size and kind wait unchanged", async () => {
  const { bus } = searching();
  const sender = await MemoryPeer.join(bus);
  const large = Buffer.alloc(5 << 20, 7);
  const place = { path: "/a", interface: "a.b", member: "C", destination: NAME };
  sender.send(
    signal({ ...place, signature: "ay", body: [large], sender: "a.forged.Sender" }),
    false,
  );
  sender.send(signal({ ...place, signature: "s", body: ["small"] }));
  await turn();
  const service = await serviceFor(bus);
  bus.router.found(NAME);
  const [first, second] = await service.drain();
  expect([first?.sender, first?.path, first?.destination]).toEqual([":1.0", "/a", NAME]);
  expect(Buffer.compare(first?.body[0] as Uint8Array, large)).toBe(0); // "ay" is a Uint8Array
  expect(second?.body).toEqual(["small"]);
});

test("what is delivered late is numbered when it is delivered", async () => {
  const { bus } = searching();
  const sender = await MemoryPeer.join(bus);
  sender.send(numbered(1));
  sender.send(signal({ path: "/", interface: "a.b", member: "C" }));
  await turn();
  const service = await serviceFor(bus);
  service.end.setReading(false);
  const before = bus.router.sequence.last;
  bus.router.found(NAME);
  const connection = bus.directory.findText(NAME)?.connection;
  expect(connection?.unsentFrom()).toBeGreaterThan(before);
});

test("an error to a name that is being found waits like any other message", async () => {
  const { bus } = searching();
  const sender = await MemoryPeer.join(bus);
  sender.send(errorReply({ serial: 5, sender: NAME }, "a.b.Error", "text"));
  await turn();
  expect([...bus.router.pending.entries()]).toHaveLength(1);
  const service = await serviceFor(bus);
  bus.router.found(NAME);
  // It answers no call, so it goes no further.
  expect(await service.drain()).toEqual([]);
  expect(bus.router.counters.unexpectedReplies).toBe(1);
});

test("what has a place among waiting messages comes in its turn, when the name is found and not before", async () => {
  const { bus } = searching();
  const caller = await MemoryPeer.join(bus);
  const leaver = await MemoryPeer.join(bus);
  const order: unknown[] = [];
  leaver.send(numbered(0));
  caller.send(numbered(1));
  await turn();
  bus.router.holdPlace(NAME, () => order.push("kept"));
  const giveUp = bus.router.holdPlace(NAME, () => order.push("given up"));
  caller.send(numbered(2));
  await turn();
  expect([...bus.router.pending.entries()].map(([, held]) => held.length)).toEqual([3]);
  leaver.end.close();
  bus.router.notFound(NAME);
  expect((await caller.drain()).map(({ errorName }) => errorName)).toEqual(
    Array(2).fill("org.freedesktop.DBus.Error.ServiceUnknown"),
  );
  expect(order).toEqual([]);
  caller.send(numbered(3));
  await turn();
  giveUp();
  await serviceFor(bus);
  bus.router.found(NAME);
  bus.router.found(NAME);
  giveUp();
  expect(order).toEqual(["kept"]);
});
