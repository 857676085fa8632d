/** A bus with a policy: who is refused what, in which words, and what the log says. */

import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../../bus/index.ts";
import type { LogEntry } from "../../../bus/log.ts";
import type { BusOptions } from "../../../bus/options.ts";
import {
  errorReply,
  type Message,
  methodCall,
  methodReturn,
  signal,
} from "../../../wire/message.ts";
import { MessageFlag } from "../../../wire/protocol.ts";
import { MemoryPeer } from "../../support/memory-peer.ts";
import { ALLOW_ALL, policyOf } from "./policy-text.ts";

const OTHER = {
  userId: 65_534,
  groupId: 65_534,
  groups: [65_534, 4],
  processId: 1,
};
const DENIED = "org.freedesktop.DBus.Error.AccessDenied";
const call = { path: "/a", interface: "a.b", member: "M" };

function busWith(text: string, options: BusOptions = {}): { bus: Bus; log: LogEntry[] } {
  const log: LogEntry[] = [];
  const policy = policyOf(text);
  const bus = createBus({ policy: () => policy, log: (entry) => log.push(entry), ...options });
  return { bus, log };
}

const textsOf = (log: readonly LogEntry[]): string[] => log.map(({ text }) => text);

test("a bus where everything is allowed has no gatekeeper", () => {
  expect(busWith(ALLOW_ALL).bus.router.gatekeeper).toBeNull();
  expect(createBus().router.gatekeeper).toBeNull();
  const allowing =
    '<policy context="mandatory"><allow send_destination="*" eavesdrop="true"/></policy>';
  expect(busWith(ALLOW_ALL + allowing).bus.router.gatekeeper).toBeNull();
});

test.each([
  '<policy user="root"><deny send_interface="a.b"/></policy>',
  '<policy context="mandatory"><deny receive_sender="a.b"/></policy>',
  '<policy group="root"><allow send_destination="*" log="true" eavesdrop="true"/></policy>',
  '<policy at_console="true"><allow send_destination="*"/></policy>',
])("a bus with %s has one", (text) => {
  expect(busWith(ALLOW_ALL + text).bus.router.gatekeeper).not.toBeNull();
});

test("rules about names alone cost messages nothing", () => {
  const own = '<policy context="default"><deny own="a.b"/></policy>';
  expect(busWith(ALLOW_ALL + own).bus.router.gatekeeper).toBeNull();
});

test("a call that its sender may not send is refused, and the log names the rule", async () => {
  const { bus, log } = busWith(`${ALLOW_ALL}
<policy context="default"><deny send_interface="a.b"/></policy>`);
  const one = await MemoryPeer.join(bus, OTHER);
  const two = await MemoryPeer.join(bus);
  const reply = await one.call({ ...call, destination: two.uniqueName });
  expect(reply.errorName).toBe(DENIED);
  const text = String(reply.body[0]);
  expect(text).toMatch(
    /^Rejected send message, 2 matched rules; type="method_call", sender=":1\.0" \(uid=65534 pid=1 comm="[^"]*"\) interface="a\.b" member="M" error name="\(unset\)" requested_reply="0" destination=":1\.1" \(uid=\d+ pid=\d+ comm="[^"]+"\)$/,
  );
  expect(textsOf(log)).toEqual([`${text}; decided by test.conf:3: <deny send_interface="a.b">`]);
  expect(await two.drain()).toEqual([]);
  expect(bus.counters.undelivered).toBe(1);
});

test("a call that its receiver may not receive is refused", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy user="65534"><deny receive_interface="a.b"/></policy>`,
  );
  const one = await MemoryPeer.join(bus);
  const two = await MemoryPeer.join(bus, OTHER);
  const reply = await one.call({ ...call, destination: two.uniqueName });
  expect(reply.body[0]).toMatch(/^Rejected receive message, 2 matched rules; /);
  expect(textsOf(log)).toEqual([
    expect.stringMatching(/decided by test\.conf:\d+: <deny receive_/),
  ]);
  expect(await two.drain()).toEqual([]);
});

test("what no rule allows is refused, and the log says so", async () => {
  const { bus, log } = busWith(`<policy context="default"><allow user="*"/>
    <allow send_destination="org.freedesktop.DBus"/><allow receive_sender="*"/></policy>`);
  const one = await MemoryPeer.join(bus);
  const two = await MemoryPeer.join(bus);
  const reply = await one.call({ ...call, destination: two.uniqueName });
  expect(reply.body[0]).toMatch(/^Rejected send message, 0 matched rules; /);
  expect(textsOf(log)).toEqual([expect.stringMatching(/; no rule allows it$/)]);
});

test("a call that wants no reply is refused in silence, a signal is not", async () => {
  const { bus } = busWith(
    `${ALLOW_ALL}<policy context="default"><deny send_interface="a.b"/></policy>`,
  );
  const one = await MemoryPeer.join(bus);
  const destination = one.uniqueName;
  one.send(methodCall({ ...call, destination, flags: MessageFlag.NoReplyExpected }));
  expect(await one.drain()).toEqual([]);
  const serial = one.send(signal({ ...call, destination }));
  const [told] = await one.drain();
  expect(told).toMatchObject({ errorName: DENIED, replySerial: serial });
});

test("a broadcast is kept from those who may not have it, and monitors see why", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy user="65534"><deny receive_interface="a.b"/></policy>`,
  );
  const sender = await MemoryPeer.join(bus);
  const allowed = await MemoryPeer.join(bus);
  const denied = await MemoryPeer.join(bus, OTHER);
  for (const peer of [allowed, denied]) await peer.driver("AddMatch", "s", ["interface='a.b'"]);
  const monitor = await MemoryPeer.join(bus);
  await monitor.call({
    ...{ path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus.Monitoring" },
    ...{ member: "BecomeMonitor", destination: "org.freedesktop.DBus", signature: "asu" },
    body: [["interface='a.b'", "type='error'"], 0],
  });
  const serial = sender.send(signal(call));
  expect(await sender.drain()).toEqual([]);
  expect(await allowed.drain()).toHaveLength(1);
  expect(await denied.drain()).toEqual([]);
  const seen = monitor.received.filter(({ sender: name }) => name !== null);
  expect(seen.map(({ errorName }) => errorName)).toEqual([null, null, DENIED].slice(-seen.length));
  expect(seen.at(-1)).toMatchObject({ replySerial: serial, destination: sender.uniqueName });
  expect(textsOf(log).filter((text) => text.startsWith("Rejected"))).toEqual([]);
});

test("each signal and each hearer is judged, however alike the ones before were", async () => {
  const { bus } = busWith(`${ALLOW_ALL}<policy user="65534">
<deny receive_interface="a.b" receive_member="Secret"/>
<deny receive_sender="c.d" receive_interface="a.b" receive_member="Named"/></policy>`);
  const sender = await MemoryPeer.join(bus);
  const namesake = await MemoryPeer.join(bus);
  await namesake.driver("RequestName", "su", ["c.d", 0]);
  const hearers = [await MemoryPeer.join(bus, OTHER), await MemoryPeer.join(bus, OTHER)];
  for (const hearer of hearers) await hearer.driver("AddMatch", "s", ["path='/a'"]);
  for (const hearer of hearers) await hearer.drain();
  const send = (from: MemoryPeer, member: string): Promise<unknown> => {
    from.send(signal({ path: "/a", interface: "a.b", member }));
    return from.driver("GetId");
  };
  for (const [from, member] of [
    [sender, "Plain"],
    [sender, "Secret"],
    [sender, "Named"],
    [namesake, "Named"],
    [namesake, "Plain"],
  ] as const) {
    await send(from, member);
  }
  const heard = hearers.map(async (hearer) => (await hearer.drain()).map(({ member }) => member));
  const allowed = ["Plain", "Named", "Plain"];
  expect(await Promise.all(heard)).toEqual([allowed, allowed]);
});

test("names decide: those that the receiver owns or waits for, as they are now", async () => {
  const { bus } = busWith(`${ALLOW_ALL}<policy context="default"><deny send_interface="a.b"/>
    <allow send_destination="name.Free"/><allow send_destination_prefix="name.below"/></policy>`);
  const one = await MemoryPeer.join(bus);
  const two = await MemoryPeer.join(bus);
  const isAllowed = async (): Promise<boolean> => {
    const serial = one.send(methodCall({ ...call, destination: two.uniqueName }));
    const told = await one.drain();
    return !told.some(({ replySerial }) => replySerial === serial);
  };
  expect(await isAllowed()).toBe(false);
  await two.driver("RequestName", "su", ["name.Free", 0]);
  expect(await isAllowed()).toBe(true);
  await two.driver("ReleaseName", "s", ["name.Free"]);
  expect(await isAllowed()).toBe(false);
  await one.driver("RequestName", "su", ["name.Free", 0]);
  await two.driver("RequestName", "su", ["name.Free", 0]);
  expect(await isAllowed()).toBe(true);
  await two.driver("ReleaseName", "s", ["name.Free"]);
  await two.driver("RequestName", "su", ["name.below.a.b", 0]);
  expect(await isAllowed()).toBe(true);
  await two.driver("RequestName", "su", ["name.belowNot", 0]);
  await two.driver("ReleaseName", "s", ["name.below.a.b"]);
  expect(await isAllowed()).toBe(false);
});

test("a name that one may not own is refused in dbus-daemon's words, and the log names the rule", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy context="mandatory"><deny own_prefix="a.b"/></policy>`,
  );
  const peer = await MemoryPeer.join(bus);
  const reply = await peer.driver("RequestName", "su", ["a.b.c", 0]);
  expect(reply.errorName).toBe(DENIED);
  const text =
    'Connection ":1.0" is not allowed to own the service "a.b.c" due to security policies in the configuration file';
  expect(reply.body).toEqual([text]);
  expect(textsOf(log)).toEqual([expect.stringContaining(text)]);
  expect(textsOf(log)[0]).toMatch(/; decided by test\.conf:2: <deny own_prefix="a\.b">$/);
  expect((await peer.driver("RequestName", "su", ["a.bc", 0])).body).toEqual([1]);
});

test("a denied reply has been the reply: a second one is not waited for", async () => {
  const { bus } = busWith(`${ALLOW_ALL}<policy context="default"><deny send_type="error"
    send_requested_reply="true"/></policy>`);
  const one = await MemoryPeer.join(bus);
  const two = await MemoryPeer.join(bus);
  one.send(methodCall({ ...call, destination: two.uniqueName }));
  await one.drain();
  const asked = (await two.drain())[0] as Message; // it was delivered
  two.send(errorReply(asked, "a.b.No", "no"));
  expect(await two.drain()).toEqual([expect.objectContaining({ errorName: DENIED })]);
  two.send(methodReturn(asked));
  expect(await two.drain()).toEqual([]);
  expect(await one.drain()).toEqual([]);
  expect(bus.router.replies.size).toBe(0);
});

test("another policy counts at once for those who are there, and disconnects nobody", async () => {
  const { bus } = busWith(ALLOW_ALL);
  const one = await MemoryPeer.join(bus);
  const two = await MemoryPeer.join(bus, OTHER);
  const ask = async (): Promise<string | null> => {
    const serial = one.send(methodCall({ ...call, destination: two.uniqueName }));
    return (await one.drain()).find(({ replySerial }) => replySerial === serial)?.errorName ?? null;
  };
  expect(await ask()).toBeNull();
  bus.usePolicy(
    policyOf(`${ALLOW_ALL}<policy context="default"><deny send_interface="a.b"/>
    <deny user="*"/></policy>`),
  );
  expect(await ask()).toBe(DENIED);
  bus.usePolicy(policyOf(ALLOW_ALL));
  expect(bus.router.gatekeeper).toBeNull();
  expect(await ask()).toBeNull();
  expect([one.isClosed, two.isClosed]).toEqual([false, false]);
});

test("ReloadConfig asks for the policy again", async () => {
  let policy = policyOf(ALLOW_ALL);
  const bus = createBus({ policy: () => policy });
  const peer = await MemoryPeer.join(bus);
  policy = policyOf(`${ALLOW_ALL}<policy context="default"><deny own="a.b"/></policy>`);
  expect((await peer.driver("RequestName", "su", ["a.b", 0])).body).toEqual([1]);
  await peer.driver("ReleaseName", "s", ["a.b"]);
  await peer.driver("ReloadConfig");
  expect((await peer.driver("RequestName", "su", ["a.b", 0])).errorName).toBe(DENIED);
});

test("a rule that allows with log is told as what would be refused", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy context="default"><allow send_interface="a.b" log="true"/></policy>`,
  );
  const peer = await MemoryPeer.join(bus);
  peer.send(methodCall({ ...call, destination: peer.uniqueName }));
  expect(await peer.drain()).toHaveLength(1);
  expect(textsOf(log)).toEqual([
    expect.stringMatching(
      /^Would reject message, 2 matched rules; .*<allow send_interface="a\.b" log=/,
    ),
  ]);
});

test("a bus that only complains lets everything pass and tells what it would have refused", async () => {
  const { bus, log } = busWith('<policy context="default"><allow user="*"/></policy>', {
    complain: true,
  });
  const peer = await MemoryPeer.join(bus, OTHER);
  log.length = 0;
  expect((await peer.driver("RequestName", "su", ["a.b", 0])).body).toEqual([1]);
  peer.send(methodCall({ ...call, destination: "a.b" }));
  expect(await peer.drain()).toHaveLength(2);
  const texts = textsOf(log);
  expect(texts.every((text) => /^Not enforced: .*no rule allows it$/.test(text))).toBe(true);
  expect(texts.some((text) => text.includes('not allowed to own the service "a.b"'))).toBe(true);
});

test("what only root and the bus's own user may do is refused to others on any policy", async () => {
  const { bus } = busWith(ALLOW_ALL, { complain: true });
  const peer = await MemoryPeer.join(bus, OTHER);
  const reply = await peer.driver("UpdateActivationEnvironment", "a{ss}", [new Map()]);
  expect(reply.errorName).toBe(DENIED);
});

test("who may not connect is told nothing, and the log names the rule", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy context="mandatory"><deny user="65534"/></policy>`,
  );
  const peer = new MemoryPeer(bus.connect(OTHER));
  peer.authenticate(OTHER.userId);
  await peer.closed();
  expect(textsOf(log)).toEqual([
    expect.stringMatching(
      /user 65534 may not connect to this bus: decided by test\.conf:2: <deny user="65534">$/,
    ),
  ]);
});

test("one peer that is refused again and again does not fill the log", async () => {
  const { bus, log } = busWith(
    `${ALLOW_ALL}<policy context="default"><deny send_interface="a.b"/></policy>`,
  );
  const peer = await MemoryPeer.join(bus, OTHER);
  for (let i = 0; i < 1000; i++) peer.send(methodCall({ ...call, destination: peer.uniqueName }));
  expect(await peer.drain()).toHaveLength(1000);
  expect(log.length).toBeGreaterThanOrEqual(50);
  expect(log.length).toBeLessThan(100);
  // Somebody else still gets a line.
  const other = await MemoryPeer.join(bus);
  await other.call({ ...call, destination: other.uniqueName });
  expect(textsOf(log).at(-1)).toContain(`sender="${other.uniqueName}"`);
});
