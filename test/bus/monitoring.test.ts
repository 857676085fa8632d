/** Monitors: what they give up, what they are shown, and what nobody else notices. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Bus, createBus } from "../../bus/bus.ts";
import { type Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageFlag, MessageType } from "../../wire/protocol.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { joinAsOther, OTHER_USER } from "../support/other-user.ts";

const MONITORING = "org.freedesktop.DBus.Monitoring";
const tick = { path: "/org/example", interface: "org.example.Clock", member: "Tick" };

const TYPES = ["", "call", "return", "error", "signal"];

/** "call :1.0 > org.example.Name Member", "signal org.freedesktop.DBus > NameLost :1.2". */
function brief(message: Message): string {
  const { type, sender, destination, member, errorName, body } = message;
  const error = errorName?.replace("org.freedesktop.DBus.Error.", "") ?? null;
  const words = [TYPES[type], sender, ">", destination, member, error];
  const values = type === MessageType.Error ? [] : body.map((value) => JSON.stringify(value));
  return [...words.filter((word) => word !== null), ...values].join(" ");
}

function becomeMonitor(peer: MemoryPeer, rules: readonly string[], flags = 0): Promise<Message> {
  return peer.call({
    path: DRIVER_PATH,
    interface: MONITORING,
    member: "BecomeMonitor",
    destination: DRIVER_NAME,
    signature: "asu",
    body: [rules, flags],
  });
}

/** A monitor that has seen nothing yet. */
async function monitor(bus: Bus, rules: readonly string[] = []): Promise<MemoryPeer> {
  const peer = await MemoryPeer.join(bus);
  expect((await becomeMonitor(peer, rules)).type).toBe(MessageType.MethodReturn);
  await seen(peer);
  return peer;
}

/** What a monitor, which cannot ask, has been shown. */
async function seen(peer: MemoryPeer): Promise<string[]> {
  await turn();
  return peer.received.splice(0).map(brief);
}

test("a monitor gives up its names, its rules and its calls, in dbus-daemon's order", async () => {
  const bus = createBus();
  const watcher = await MemoryPeer.join(bus);
  const peer = await MemoryPeer.join(bus);
  for (const name of ["a.first", "a.second"]) await peer.driver("RequestName", "su", [name, 0]);
  await watcher.driver("RequestName", "su", ["a.first", 0]);
  await watcher.driver("RequestName", "su", ["a.queued", 0]);
  await peer.driver("RequestName", "su", ["a.queued", 0]);
  await watcher.driver("AddMatch", "s", ["type='signal'"]);
  await peer.driver("AddMatch", "s", ["member='Tick'"]);
  const failed = watcher.call({ path: "/", member: "Wait", destination: "a.second" });
  peer.send(methodCall({ path: "/", member: "Wait", destination: watcher.uniqueName }));
  await peer.drain();
  await watcher.drain();

  await becomeMonitor(peer, ["member='Nothing'"]);
  expect((await failed).errorName).toBe("org.freedesktop.DBus.Error.NoReply");
  const D = DRIVER_NAME;
  expect(await seen(peer)).toEqual([
    `signal ${D} > :1.1 NameLost ":1.1"`,
    `signal ${D} > :1.1 NameLost "a.first"`,
    `signal ${D} > :1.1 NameLost "a.second"`,
  ]);
  expect((await watcher.drain()).map(brief)).toEqual([
    `signal ${D} > NameOwnerChanged ":1.1" ":1.1" ""`,
    `signal ${D} > NameOwnerChanged "a.first" ":1.1" ":1.0"`,
    `signal ${D} > :1.0 NameAcquired "a.first"`,
    `signal ${D} > NameOwnerChanged "a.second" ":1.1" ""`,
  ]);
  expect(bus.subscriptions.ruleCountOf(1)).toBe(0);
  expect(bus.router.replies.size).toBe(0);
});

test("nobody sees that a monitor is there, comes or goes", async () => {
  const bus = createBus();
  const watcher = await MemoryPeer.join(bus);
  const silent = await monitor(bus);
  await watcher.driver("AddMatch", "s", ["type='signal'"]);
  expect((await watcher.driver("ListNames")).body).toEqual([[DRIVER_NAME, ":1.0"]]);
  expect((await watcher.driver("NameHasOwner", "s", [":1.1"])).body).toEqual([false]);
  silent.end.close();
  await turn();
  expect(await watcher.drain()).toEqual([]);
  expect(bus.router.monitors.isActive).toBe(false);
  expect(bus.connectionCount).toBe(1);
});

test("a monitor without rules sees calls, replies, signals, and what the bus itself says", async () => {
  const bus = createBus();
  const silent = await monitor(bus);
  const caller = await MemoryPeer.join(bus);
  const service = await MemoryPeer.join(bus);
  await service.driver("RequestName", "su", ["org.example.Echo", 0]);
  const reply = caller.call({ path: "/", member: "Echo", destination: "org.example.Echo" });
  const [, call] = await service.drain();
  if (call === undefined) throw new Error("no call came");
  service.send(methodReturn(call, { signature: "s", body: ["world"] }));
  await reply;
  caller.send(signal(tick));
  caller.send(signal({ ...tick, destination: ":1.2" }));
  service.end.close();
  const D = DRIVER_NAME;
  const shown = await seen(silent);
  expect(shown.filter((text) => !text.includes("GetId") && !/ > :1.. "\w{32}"/.test(text))).toEqual(
    [
      `call :1.1 > ${D} Hello`,
      `return ${D} > :1.1 ":1.1"`,
      `signal ${D} > NameOwnerChanged ":1.1" "" ":1.1"`,
      `signal ${D} > :1.1 NameAcquired ":1.1"`,
      `call :1.2 > ${D} Hello`,
      `return ${D} > :1.2 ":1.2"`,
      `signal ${D} > NameOwnerChanged ":1.2" "" ":1.2"`,
      `signal ${D} > :1.2 NameAcquired ":1.2"`,
      `call :1.2 > ${D} RequestName "org.example.Echo" 0`,
      `signal ${D} > NameOwnerChanged "org.example.Echo" "" ":1.2"`,
      `signal ${D} > :1.2 NameAcquired "org.example.Echo"`,
      `return ${D} > :1.2 1`,
      "call :1.1 > org.example.Echo Echo",
      'return :1.2 > :1.1 "world"',
      "signal :1.1 > Tick",
      "signal :1.1 > :1.2 Tick",
      // Who is gone is not told, but a monitor sees what it would have been told.
      `signal ${D} > :1.2 NameLost "org.example.Echo"`,
      `signal ${D} > NameOwnerChanged "org.example.Echo" ":1.2" ""`,
      `signal ${D} > :1.2 NameLost ":1.2"`,
      `signal ${D} > NameOwnerChanged ":1.2" ":1.2" ""`,
    ],
  );
});

test("a message that does not arrive is shown, and so is the error", async () => {
  const bus = createBus();
  const silent = await monitor(bus);
  const caller = await MemoryPeer.join(bus);
  await seen(silent);
  await caller.call({ path: "/", member: "M", destination: "org.example.Missing" });
  caller.send(methodReturn({ serial: 7, sender: ":1.99" }));
  expect(await seen(silent)).toEqual([
    "call :1.1 > org.example.Missing M",
    `error ${DRIVER_NAME} > :1.1 ServiceUnknown`,
    "return :1.1 > :1.99",
  ]);
});

test("who has not said Hello is shown as not active yet", async () => {
  const bus = createBus();
  const silent = await monitor(bus);
  const peer = new MemoryPeer(bus.connect());
  peer.authenticate();
  await peer.driver("GetId");
  expect(await seen(silent)).toEqual([
    `call :not.active.yet > ${DRIVER_NAME} GetId`,
    `error ${DRIVER_NAME} > :not.active.yet AccessDenied`,
  ]);
});

test("one message is shown once, however many rules it matches, and only if one does", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  await peer.driver("RequestName", "su", ["org.example.Owned", 0]);
  const silent = await monitor(bus, [
    "member='Tick'",
    "interface='org.example.Clock'",
    "destination='org.example.Owned'",
    "destination='org.example.Missing'",
    "sender='org.example.Owned',type='error'",
    "eavesdrop='false',member='Tock'",
  ]);
  const self = peer.uniqueName;
  peer.send(signal(tick));
  peer.send(signal({ ...tick, interface: "org.example.Other", member: "Other" }));
  peer.send(signal({ ...tick, destination: self }));
  peer.send(signal({ ...tick, interface: "org.example.Other", member: "Tock", destination: self }));
  peer.send(methodCall({ path: "/", member: "ToUnique", destination: self }));
  peer.send(methodCall({ path: "/", member: "ToMissing", destination: "org.example.Missing" }));
  peer.send(methodCall({ path: "/", member: "ToOther", destination: "org.example.Missing2" }));
  expect(await seen(silent)).toEqual([
    "signal :1.0 > Tick",
    "signal :1.0 > :1.0 Tick",
    "signal :1.0 > :1.0 Tock",
    "call :1.0 > :1.0 ToUnique",
    "call :1.0 > org.example.Missing ToMissing",
    // The errors go to the owner of org.example.Owned.
    `error ${DRIVER_NAME} > :1.0 ServiceUnknown`,
    `error ${DRIVER_NAME} > :1.0 ServiceUnknown`,
  ]);
});

test("flags, bad rules and other paths are refused, and nothing is given up", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  await peer.driver("AddMatch", "s", ["member='Tick'"]);
  const flags = await becomeMonitor(peer, ["bogus"], 1);
  expect([flags.errorName, flags.body]).toEqual([
    "org.freedesktop.DBus.Error.InvalidArgs",
    ["BecomeMonitor does not support any flags yet"],
  ]);
  const rules = await becomeMonitor(peer, ["type='signal'", "bogus"]);
  expect(rules.errorName).toBe("org.freedesktop.DBus.Error.MatchRuleInvalid");
  const elsewhere = await peer.call({
    path: "/",
    interface: MONITORING,
    member: "BecomeMonitor",
    destination: DRIVER_NAME,
    signature: "asu",
    body: [[], 0],
  });
  expect(elsewhere.errorName).toBe("org.freedesktop.DBus.Error.UnknownInterface");
  expect(bus.router.monitors.isActive).toBe(false);
  expect((await peer.driver("NameHasOwner", "s", [peer.uniqueName])).body).toEqual([true]);
  peer.send(signal(tick));
  expect(await peer.drain()).toHaveLength(1);
});

test("a user who runs neither the bus nor the machine may neither monitor nor eavesdrop", async () => {
  const log: string[] = [];
  const bus = createBus({ mayConnect: () => true, log: (entry) => log.push(entry.text) });
  const other = await joinAsOther(bus);
  const refused = await becomeMonitor(other, ["bogus"], 1);
  expect(refused.errorName).toBe("org.freedesktop.DBus.Error.AccessDenied");
  expect(refused.body).toEqual([
    expect.stringMatching(
      `^rejected attempt to call BecomeMonitor by connection :1.0 \\(uid=${OTHER_USER} pid=1 comm="[^"]*"\\) with uid ${OTHER_USER}$`,
    ),
  ]);
  expect(log).toEqual(refused.body);
  const eavesdrop = await other.driver("AddMatch", "s", ["eavesdrop='true'"]);
  expect(eavesdrop.errorName).toBe("org.freedesktop.DBus.Error.AccessDenied");
  expect((await other.driver("AddMatch", "s", ["eavesdrop='false'"])).errorName).toBeNull();
  expect(bus.subscriptions.ruleCount).toBe(1);
});

test("a monitor that says anything is disconnected, and what it says goes nowhere", async () => {
  const log: string[] = [];
  const bus = createBus({ log: (entry) => log.push(entry.text) });
  const peer = await MemoryPeer.join(bus);
  const other = await monitor(bus);
  const silent = await monitor(bus);
  await peer.driver("AddMatch", "s", ["member='Tick'"]);
  await seen(other);
  silent.send(signal(tick));
  await silent.closed();
  expect(log.at(-1)).toMatch(
    /^disconnected :1\.2 \(pid \d+, uid \d+\): it is a monitor, and monitors may not send messages$/,
  );
  expect(await seen(other)).toEqual([]);
  expect(await peer.drain()).toEqual([]);
  expect(bus.router.monitors.isActive).toBe(true);
});

test("a call without a reply wanted makes a monitor as well", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  peer.send(
    methodCall({
      path: DRIVER_PATH,
      interface: MONITORING,
      member: "BecomeMonitor",
      destination: DRIVER_NAME,
      signature: "asu",
      body: [[], 0],
      flags: MessageFlag.NoReplyExpected,
    }),
  );
  expect(await seen(peer)).toEqual([`signal ${DRIVER_NAME} > :1.0 NameLost ":1.0"`]);
  other.send(signal(tick));
  expect(await seen(peer)).toEqual(["signal :1.1 > Tick"]);
});

test("a monitor that does not read is disconnected, and the others go on", async () => {
  const log: string[] = [];
  const bus = createBus({
    limits: { maxOutgoingBytes: 2000 },
    log: (entry) => log.push(entry.text),
  });
  const peer = await MemoryPeer.join(bus);
  const deaf = await monitor(bus, ["member='Tick'"]);
  const silent = await monitor(bus, ["member='Tick'"]);
  deaf.end.setReading(false);
  for (let n = 0; n < 5; n++) {
    peer.send(signal({ ...tick, signature: "s", body: ["x".repeat(800)] }));
    await turn();
  }
  expect(await seen(silent)).toHaveLength(5);
  expect(log.at(-1)).toMatch(/^disconnected :1\.1 .*: it does not read what it monitors: /);
});

test("a restored bus shows its monitors what the recorded one would", async () => {
  const bus = createBus();
  await monitor(bus, ["member='Tick'"]);
  await MemoryPeer.join(bus);
  const { bus: restored, ends } = Bus.restore(structuredClone(bus.snapshot()));
  const [silentEnd, peerEnd] = [ends.get(":1.0"), ends.get(":1.1")];
  if (silentEnd === undefined || peerEnd === undefined) throw new Error("a peer is missing");
  const silent = new MemoryPeer(silentEnd, true);
  const peer = new MemoryPeer(peerEnd, true);
  peer.send(signal(tick));
  peer.send(signal({ ...tick, member: "Tock" }));
  expect((await peer.driver("ListNames")).body).toEqual([[DRIVER_NAME, ":1.1"]]);
  expect(await seen(silent)).toEqual(["signal :1.1 > Tick"]);
  silent.send(signal(tick));
  await silent.closed();
  expect(restored.router.monitors.isActive).toBe(false);
});

/** What makes one message of one bus the same as another. */
function identity({ sender, destination, serial, type }: Message): string {
  return `${type} ${sender} ${destination} ${serial}`;
}

test("property: whatever anybody gets, a monitor has seen once, and two monitors see the same", async () => {
  const operations = fc.array(
    fc.record({
      kind: fc.constantFrom(
        "signal",
        "call",
        "callMissing",
        "request",
        "release",
        "addMatch",
        "reply",
      ),
      peer: fc.nat({ max: 2 }),
      other: fc.nat({ max: 2 }),
    }),
    { maxLength: 40 },
  );
  const property = fc.asyncProperty(operations, async (steps) => {
    const bus = createBus();
    const peers = [
      await MemoryPeer.join(bus),
      await MemoryPeer.join(bus),
      await MemoryPeer.join(bus),
    ];
    const first = await monitor(bus);
    const second = await monitor(bus);
    await seen(first);
    for (const { kind, peer, other } of steps) {
      const actor = peers[peer] as MemoryPeer; // there are three
      const destination = (peers[other] as MemoryPeer).uniqueName; // the same
      const received = actor.received.find(({ type }) => type === MessageType.MethodCall);
      if (kind === "signal") actor.send(signal(tick));
      if (kind === "call") actor.send(methodCall({ path: "/", member: "M", destination }));
      if (kind === "callMissing") {
        actor.send(methodCall({ path: "/", member: "M", destination: "a.missing" }));
      }
      if (kind === "request") await actor.driver("RequestName", "su", [`a.n${other}`, 3]);
      if (kind === "release") await actor.driver("ReleaseName", "s", [`a.n${other}`]);
      if (kind === "addMatch") await actor.driver("AddMatch", "s", ["type='signal'"]);
      if (kind === "reply" && received !== undefined) actor.send(methodReturn(received));
      await turn();
    }
    const shown = first.received.map(identity);
    expect(second.received.map(identity)).toEqual(shown);
    expect(new Set(shown).size).toBe(shown.length);
    for (const { received } of peers) {
      const got = received.map(identity);
      // In the same order, too.
      expect(shown.filter((each) => got.includes(each))).toEqual(got);
    }
  });
  await fc.assert(property, { numRuns: 50 });
});
