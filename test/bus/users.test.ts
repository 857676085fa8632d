/** Users beside each other: what one of them uses up is its own share, and nobody else's. */

import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, jest, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { Limits } from "../../bus/limits.ts";
import type { LogEntry } from "../../bus/log.ts";
import { GatewayAnswer } from "../../routing/gateway.ts";
import { methodCall, methodReturn, signal } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { connectAsOther, joinAsOther, OTHER_USER } from "../support/other-user.ts";

const LIMITS_EXCEEDED = "org.freedesktop.DBus.Error.LimitsExceeded";
const THIRD_USER = OTHER_USER + 1;
const tick = { path: "/", interface: "org.example.Clock", member: "Tick" };
const kilobyte = { signature: "s", body: ["x".repeat(1000)] };

let log: LogEntry[] = [];

afterEach(() => {
  jest.restoreAllMocks();
  log = [];
});

function shared(limits: Partial<Limits> = {}): Bus {
  return createBus({ limits, mayConnect: () => true, log: (entry) => log.push(entry) });
}

function callTo(peer: MemoryPeer) {
  return methodCall({ path: "/", member: "M", destination: peer.uniqueName, ...kilobyte });
}

async function errorsOf(peer: MemoryPeer): Promise<(string | null)[]> {
  return (await peer.drain()).map(({ errorName }) => errorName);
}

/** Calls `request` with 0, 1, 2 … until it fails; how often it succeeded, and the error's text. */
async function until(
  request: (n: number) => Promise<{ errorName: string | null; body: readonly unknown[] }>,
): Promise<[count: number, text: string]> {
  for (let n = 0; n < 5000; n++) {
    const { errorName, body } = await request(n);
    if (errorName === null) continue;
    expect(errorName).toBe(LIMITS_EXCEEDED);
    return [n, String(body[0])];
  }
  throw new Error("nothing was ever refused");
}

const addMatch = (peer: MemoryPeer) => (n: number) => peer.driver("AddMatch", "s", [`arg0='${n}'`]);
const requestName = (peer: MemoryPeer, prefix: string) => (n: number) =>
  peer.driver("RequestName", "su", [`org.example.${prefix}${n}`, 0]);

test("a queue that is full of one user's calls has room for others", async () => {
  const bus = shared({ maxOutgoingBytes: 64_000 });
  const receiver = await MemoryPeer.join(bus);
  const [flooder, neighbour, own] = [
    await joinAsOther(bus),
    await joinAsOther(bus, THIRD_USER),
    await MemoryPeer.join(bus),
  ];
  receiver.end.setReading(false);
  for (let n = 0; n < 100; n++) flooder.send(callTo(receiver));
  const answers = await flooder.drain();
  expect(answers.length).toBeGreaterThan(60);
  expect(answers[0]?.errorName).toBe(LIMITS_EXCEEDED);
  expect(String(answers[0]?.body[0])).toMatch(
    /^User 4000000 has its fair share of what may wait for ":1\.0" .*max_outgoing_bytes=64000/,
  );
  for (const peer of [neighbour, own]) {
    peer.send(callTo(receiver));
    expect(await errorsOf(peer)).toEqual([]);
  }
  receiver.end.setReading(true);
  const got = await receiver.drain();
  expect(got).toHaveLength(100 - answers.length + 2);
  // Now that it reads, the flooder has room again.
  flooder.send(callTo(receiver));
  expect(await errorsOf(flooder)).toEqual([]);
});

test("signals of another user cannot get a receiver disconnected, and its own user's can", async () => {
  const bus = shared({ maxOutgoingBytes: 64_000 });
  const [receiver, own] = [await MemoryPeer.join(bus), await MemoryPeer.join(bus)];
  const flooder = await joinAsOther(bus);
  await receiver.driver("AddMatch", "s", ["member='Tick'"]);
  receiver.end.setReading(false);
  for (let n = 0; n < 300; n++) flooder.send(signal({ ...tick, ...kilobyte }));
  expect(await flooder.drain()).toEqual([]);
  expect(bus.connectionCount).toBe(3);
  const told = log.map(({ text }) => text);
  expect(told).toEqual([
    expect.stringMatching(/^messages of :1\.2 .* for :1\.0 .* user 4000000 has/),
  ]);
  expect(log[0]?.fields).toEqual({ uid: OTHER_USER, limit: "max_outgoing_bytes" });
  own.send(signal({ ...tick, ...kilobyte, member: "Tick" }));
  await own.drain();
  receiver.end.setReading(true);
  const heard = await receiver.drain();
  expect(heard.at(-1)?.sender).toBe(own.uniqueName);
  expect(heard.length).toBeLessThan(40);

  receiver.end.setReading(false);
  for (let n = 0; n < 100; n++) own.send(signal({ ...tick, ...kilobyte }));
  await own.drain();
  expect(bus.connectionCount).toBe(2);
});

test("a caller whose queue another user has filled learns that a reply of that user is lost", async () => {
  const bus = shared({ maxOutgoingBytes: 64_000 });
  const caller = await MemoryPeer.join(bus);
  const service = await joinAsOther(bus);
  caller.end.setReading(false);
  const serials = [1, 2, 3].map(() =>
    caller.send(methodCall({ path: "/", member: "M", destination: service.uniqueName })),
  );
  await turn();
  const calls = await service.drain();
  for (let n = 0; n < 100; n++) service.send(callTo(caller));
  for (const call of calls) service.send(methodReturn(call, kilobyte));
  await service.drain();
  expect(bus.connectionCount).toBe(2);
  caller.end.setReading(true);
  const got = await caller.drain();
  const errors = got.filter(({ errorName }) => errorName !== null);
  expect(errors.map(({ replySerial, errorName }) => [replySerial, errorName])).toEqual(
    serials.map((serial) => [serial, LIMITS_EXCEEDED]),
  );
  expect(bus.router.replies.countOf(0)).toBe(0);
});

test("all receivers of a user together have so much waiting from another one", async () => {
  const bus = shared({ maxOutgoingBytes: 64_000, maxWaitingBytesPerUser: 40_000 });
  const receivers = [
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
    await MemoryPeer.join(bus),
  ];
  const [flooder, neighbour] = [await joinAsOther(bus), await joinAsOther(bus, THIRD_USER)];
  for (const receiver of receivers) {
    receiver.end.setReading(false);
    for (let n = 0; n < 15; n++) flooder.send(callTo(receiver));
  }
  // Of each queue its share would be thirty, and of all of them it is half of forty.
  const refused = await errorsOf(flooder);
  expect(refused.length).toBeGreaterThanOrEqual(45 - 20 - 3 * 4);
  expect(refused.length).toBeLessThanOrEqual(45 - 17);
  neighbour.send(callTo(receivers[0] as MemoryPeer));
  expect(await errorsOf(neighbour)).toEqual([]);
  // What has left is noticed when it matters, though nothing more was sent to those who have read it.
  for (const receiver of receivers.slice(0, 2)) receiver.end.setReading(true);
  await turn();
  flooder.send(callTo(receivers[2] as MemoryPeer));
  expect(await errorsOf(flooder)).toEqual([]);
});

test("the connections of one user cannot fill this process with their own messages", async () => {
  const bus = shared({ maxOutgoingBytes: 64_000, maxWaitingBytesPerUser: 100_000 });
  const sender = await joinAsOther(bus);
  const receivers: MemoryPeer[] = [];
  for (let n = 0; n < 4; n++) receivers.push(await joinAsOther(bus));
  for (const receiver of receivers) {
    receiver.end.setReading(false);
    for (let n = 0; n < 50; n++) sender.send(callTo(receiver));
  }
  const accepted = 200 - (await errorsOf(sender)).length;
  // A hundred, and for the third and the fourth their part of it.
  expect(accepted).toBeGreaterThan(120);
  expect(accepted).toBeLessThan(165);
  expect(bus.connectionCount).toBe(5);
});

test.each([
  ["match rules", { maxMatchRules: 1200 }, addMatch, 600],
  ["names", { maxNames: 300 }, (peer: MemoryPeer) => requestName(peer, "N"), 150],
])(
  "%s: half of what there is for one who is alone, and always something for the next",
  async (noun, limits, request, half) => {
    const bus = shared(limits);
    const [greedy, more] = [await joinAsOther(bus), await joinAsOther(bus)];
    const [count, text] = await until(request(greedy));
    expect(count).toBe(half);
    expect(text).toContain(`user ${OTHER_USER} has its fair share of ${noun}: ${half} (`);
    // Another connection is no other user.
    expect((await request(more)(9999)).errorName).toBe(LIMITS_EXCEEDED);
    expect(log.map(({ fields }) => fields)).toEqual([{ uid: OTHER_USER, limit: noun }]);
    const [another] = await until(request(await joinAsOther(bus, THIRD_USER)));
    expect(another).toBe(Math.max(half / 3, noun === "names" ? 64 : 256));
    // The bus's own user is not asked, and who leaves gives back.
    const owner = await MemoryPeer.join(bus);
    for (let n = 0; n < half * 2; n++)
      expect((await request(owner)(n + 20_000)).errorName).toBeNull();
    greedy.end.close();
    await turn();
    expect((await request(more)(9998)).errorName).toBeNull();
  },
);

test("a name that is taken away is not paid for any longer", async () => {
  const bus = shared({ maxNames: 300 });
  const [greedy, taker] = [await joinAsOther(bus), await MemoryPeer.join(bus)];
  const take = (n: number) =>
    greedy.driver("RequestName", "su", [`org.example.N${n}`, 1 /* ALLOW_REPLACEMENT */ | 4]);
  const [count] = await until(take);
  for (let n = 0; n < count; n++) {
    await taker.driver("RequestName", "su", [`org.example.N${n}`, 2 /* REPLACE_EXISTING */]);
  }
  expect((await until((n) => take(n + 1000)))[0]).toBe(count);
});

test("replies: a share for each user, counted in portions", async () => {
  const bus = shared({ maxReplies: 4096 });
  const silent = await MemoryPeer.join(bus);
  const callers = [await joinAsOther(bus), await joinAsOther(bus)];
  const call = methodCall({ path: "/", member: "M", destination: silent.uniqueName });
  const accepted: number[] = [];
  for (const caller of callers) {
    for (let n = 0; n < 2500; n++) caller.send(call);
    accepted.push(2500 - (await errorsOf(caller)).length);
  }
  // Half of all, and what each connection has for nothing.
  expect(accepted).toEqual([2048 + 256, 256]);
  const neighbour = await joinAsOther(bus, THIRD_USER);
  for (let n = 0; n < 600; n++) neighbour.send(call);
  expect(await errorsOf(neighbour)).toEqual([]);
  // Who does not wait any more has given back what it does not need when the next one asks.
  for (const received of await silent.drain()) {
    if (received.sender === callers[0]?.uniqueName) silent.send(methodReturn(received, {}));
  }
  await silent.drain();
  await callers[0]?.drain();
  for (let n = 0; n < 700; n++) callers[1]?.send(call);
  expect(await errorsOf(callers[1] as MemoryPeer)).toEqual([]);
});

test("half-open connections of one user do not keep others out", async () => {
  const bus = shared({ maxIncompleteConnections: 40 });
  const open: MemoryPeer[] = [];
  for (;;) {
    const peer = connectAsOther(bus);
    if (peer === null) break;
    open.push(peer);
  }
  expect(open).toHaveLength(20);
  expect(bus.isAdmitting).toBe(true);
  await joinAsOther(bus, THIRD_USER);
  expect(log.map(({ text }) => text)).toEqual([
    `refused: user ${OTHER_USER} has its fair share of connections in the handshake: 20 (max_incomplete_connections: 40)`,
    expect.stringMatching(/^connection of pid 1 refused at test: user 4000000 has its fair share/),
  ]);
  await (open[0] as MemoryPeer).driver("Hello");
  expect(connectAsOther(bus)).not.toBeNull();
});

test("completed connections are shared, and the next Hello of who has its share fails", async () => {
  const bus = shared({ maxCompletedConnections: 60 });
  let last: MemoryPeer | null = null;
  const hello = async (): Promise<{ errorName: string | null; body: readonly unknown[] }> => {
    last = connectAsOther(bus) as MemoryPeer;
    return last.driver("Hello");
  };
  const [count, text] = await until(hello);
  expect(count).toBe(30);
  expect(text).toBe(
    "user 4000000 has its fair share of connections: 30 (max_completed_connections: 60)",
  );
  await joinAsOther(bus, THIRD_USER);
  await MemoryPeer.join(bus);
});

test("messages held for a name: the sender's user pays, until they are settled or the sender is gone", async () => {
  const bus = createBus({
    limits: { maxHeldBytes: 4 << 20 },
    mayConnect: () => true,
    gateway: { find: () => GatewayAnswer.Pending },
  });
  const held = methodCall({
    path: "/",
    member: "M",
    destination: "org.example.Later",
    signature: "s",
    body: ["x".repeat(100_000)],
  });
  const hold = async (peer: MemoryPeer): Promise<number> => {
    for (let n = 0; n < 50; n++) peer.send(held);
    return 50 - (await errorsOf(peer)).length;
  };
  const [one, other] = [await joinAsOther(bus), await joinAsOther(bus)];
  expect(await hold(one)).toBe(20);
  expect(await hold(other)).toBe(0);
  expect(await hold(await joinAsOther(bus, THIRD_USER))).toBeGreaterThan(0);
  bus.router.notFound("org.example.Later");
  await one.drain();
  expect(await hold(other)).toBe(20);
  other.end.close();
  await turn();
  expect(await hold(one)).toBe(20);
});

test("a user that is gone has left nothing behind", async () => {
  const bus = shared({ maxMatchRules: 600, maxOutgoingBytes: 64_000 });
  for (let round = 0; round < 3; round++) {
    const peers = [await joinAsOther(bus), await joinAsOther(bus)];
    const [one, other] = peers as [MemoryPeer, MemoryPeer];
    expect((await until(addMatch(one)))[0]).toBe(300);
    await until(requestName(other, "N")).catch(() => {});
    other.end.setReading(false);
    for (let n = 0; n < 100; n++) one.send(callTo(other));
    await one.drain();
    for (const peer of peers) peer.end.close();
    await turn();
  }
});
