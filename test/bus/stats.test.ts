/** Debug.Stats: true figures under dbus-daemon's keys. */

import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import { GatewayAnswer } from "../../routing/gateway.ts";
import { type Message, methodCall } from "../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import type { Variant } from "../../wire/variant.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { joinAsOther, OTHER_USER } from "../support/other-user.ts";

const STATISTICS = "org.freedesktop.DBus.Debug.Stats";

function ask(
  peer: MemoryPeer,
  member: string,
  name: string | null = null,
  path = DRIVER_PATH,
): Promise<Message> {
  const contents = name === null ? {} : { signature: "s", body: [name] };
  return peer.call({ path, interface: STATISTICS, member, destination: DRIVER_NAME, ...contents });
}

const OURS = "org.onehop.";

/** The figures that begin with `prefix`, or those of dbus-daemon. */
function figures(reply: Message, prefix = ""): Record<string, unknown> {
  const entries = reply.body[0] as ReadonlyMap<string, Variant>; // a{sv}
  const wanted = [...entries].filter(([key]) =>
    prefix === "" ? !key.startsWith(OURS) : key.startsWith(prefix),
  );
  return Object.fromEntries(
    wanted.map(([key, { signature, value }]) => [
      key.slice(prefix.length),
      signature === "t" ? Number(value) : value,
    ]),
  );
}

async function crowd(bus: Bus): Promise<MemoryPeer> {
  const peer = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  for (const rule of ["member='Tick'", "member='Tick'", "arg0='a',eavesdrop='true'"]) {
    await peer.driver("AddMatch", "s", [rule]);
  }
  await other.driver("AddMatch", "s", [""]);
  await peer.driver("RequestName", "su", ["org.example.A", 0]);
  await peer.driver("RequestName", "su", ["org.example.B", 0]);
  await other.driver("RequestName", "su", ["org.example.A", 0]);
  return peer;
}

test("GetStats counts what there is and remembers what there was", async () => {
  const bus = createBus();
  const peer = await crowd(bus);
  bus.connect();
  const now = {
    ActiveConnections: 2,
    IncompleteConnections: 1,
    MatchRules: 4,
    PeakMatchRules: 4,
    PeakMatchRulesPerConnection: 3,
    // Two unique names, two that `peer` owns, one that the other waits for.
    BusNames: 5,
    PeakBusNames: 5,
    PeakBusNamesPerConnection: 3,
  };
  const first = figures(await ask(peer, "GetStats"));
  const [used, cached, allocated] = ["Used", "Cached", "Allocated"].map((part) =>
    Number(first[`ListMemPool${part}Bytes`]),
  );
  expect(used).toBeGreaterThan(0);
  expect((used ?? 0) + (cached ?? 0)).toBe(allocated);
  expect(first).toMatchObject({ Serial: 0, ...now });
  await peer.driver("RemoveMatch", "s", ["member='Tick'"]);
  await peer.driver("ReleaseName", "s", ["org.example.B"]);
  expect(figures(await ask(peer, "GetStats"))).toMatchObject({
    Serial: 1,
    ...now,
    MatchRules: 3,
    BusNames: 4,
  });
});

test("GetConnectionStats is about one peer, under any of its names", async () => {
  const bus = createBus();
  const peer = await crowd(bus);
  await peer.driver("RemoveMatch", "s", ["member='Tick'"]);
  await peer.driver("ReleaseName", "s", ["org.example.B"]);
  expect(figures(await ask(peer, "GetConnectionStats", "org.example.A"))).toEqual({
    Serial: 0,
    MatchRules: 2,
    PeakMatchRules: 3,
    BusNames: 2,
    PeakBusNames: 3,
    UniqueName: peer.uniqueName,
    IncomingMessages: 0,
    IncomingBytes: 0,
    IncomingFDs: 0,
    PeakIncomingBytes: 0,
    PeakIncomingFDs: 0,
    OutgoingMessages: 0,
    OutgoingBytes: 0,
    OutgoingFDs: 0,
    PeakOutgoingBytes: expect.any(Number),
    PeakOutgoingFDs: 0,
  });
});

test("a peer that does not read has messages waiting, and is remembered for it", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const deaf = await MemoryPeer.join(bus);
  const outgoing = async (): Promise<Record<string, unknown>> =>
    figures(await ask(peer, "GetConnectionStats", deaf.uniqueName), "");
  deaf.end.setReading(false);

  const before = await outgoing();
  peer.call({ path: "/", member: "M", destination: deaf.uniqueName });
  peer.call({ path: "/", member: "M", destination: deaf.uniqueName });
  const after = await outgoing();
  expect([before["OutgoingMessages"], before["OutgoingBytes"]]).toEqual([0, 0]);
  expect(after["OutgoingMessages"]).toBe(2);
  expect(after["OutgoingBytes"]).toBeGreaterThan(0);
  expect(after["PeakOutgoingBytes"]).toBeGreaterThanOrEqual(Number(after["OutgoingBytes"]));

  deaf.end.setReading(true);
  await deaf.drain();
  expect(await outgoing()).toMatchObject({
    OutgoingMessages: 0,
    OutgoingBytes: 0,
    PeakOutgoingBytes: after["PeakOutgoingBytes"],
  });
});

test("what waits for a name that is being found is its sender's", async () => {
  const bus = createBus({ gateway: { find: () => GatewayAnswer.Pending } });
  const peer = await MemoryPeer.join(bus);
  const incoming = async (): Promise<Record<string, unknown>> =>
    figures(await ask(peer, "GetConnectionStats", peer.uniqueName));
  peer.call({ path: "/", member: "M", destination: "org.example.Sought" });
  peer.call({ path: "/", member: "M", destination: "org.example.Sought" });
  const waiting = await incoming();
  expect(waiting["IncomingMessages"]).toBe(2);
  expect(waiting["IncomingBytes"]).toBeGreaterThan(0);
  expect(waiting["PeakIncomingBytes"]).toBe(waiting["IncomingBytes"]);
  bus.router.notFound("org.example.Sought");
  expect(await incoming()).toMatchObject({
    IncomingMessages: 0,
    IncomingBytes: 0,
    PeakIncomingBytes: waiting["PeakIncomingBytes"],
  });
});

test("our own figures tell what became of messages and which rules cost most", async () => {
  const bus = createBus({ limits: { maxOutgoingBytes: 2000 } });
  const peer = await crowd(bus);
  const deaf = await MemoryPeer.join(bus);
  const watcher = await MemoryPeer.join(bus);
  await watcher.call({
    path: DRIVER_PATH,
    interface: "org.freedesktop.DBus.Monitoring",
    member: "BecomeMonitor",
    destination: DRIVER_NAME,
    signature: "asu",
    body: [["member='Nothing'"], 0],
  });
  await peer.driver("AddMatch", "s", [`sender='${deaf.uniqueName}',member='Tick'`]);
  deaf.end.setReading(false);
  const call = { path: "/", member: "M", destination: deaf.uniqueName };
  const body = { signature: "s", body: ["x".repeat(1500)] };
  peer.call({ ...call, ...body });
  expect((await peer.call({ ...call, ...body })).errorName).toContain("LimitsExceeded");
  await peer.call({ ...call, destination: "org.example.Missing" });

  const mine = figures(await ask(peer, "GetConnectionStats", peer.uniqueName), OURS);
  expect(mine).toEqual({
    ProcessID: process.pid,
    UnixUserID: process.geteuid?.(),
    AcceptedMessages: bus.directory.findText(peer.uniqueName)?.acceptedCount,
    UndeliveredMessages: 2,
    MissedMessages: 0,
    PendingReplies: 1,
    OwedReplies: 0,
    // Three of `crowd`, one of them twice; the one about `deaf` names a sender.
    SenderlessMatchRules: 3,
    EavesdroppingMatchRules: 1,
  });
  expect(figures(await ask(peer, "GetConnectionStats", deaf.uniqueName), OURS)).toMatchObject({
    MissedMessages: 1,
    OwedReplies: 1,
    PendingReplies: 0,
  });
  const all = figures(await ask(peer, "GetStats"), OURS);
  expect(all).toEqual({
    ...Object.fromEntries(
      ["Accepted", "Unicast", "Multicast", "Delivered"].map((kind) => [
        `${kind}Messages`,
        expect.any(Number),
      ]),
    ),
    UndeliveredMessages: 2,
    UnexpectedReplies: 0,
    SlowReceivers: 0,
    PendingReplies: 1,
    Monitors: 1,
    MonitorMatchRules: 1,
    Users: expect.any(Map),
    SenderlessMatchRuleShapes: new Map([
      ["member", 1],
      ["arg0", 1],
      ["", 1],
    ]),
  });
  expect(all["AcceptedMessages"]).toBe(bus.counters.accepted);
});

test("GetConnectionStats refuses the bus itself and names that lead nowhere", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const itself = await ask(peer, "GetConnectionStats", DRIVER_NAME);
  expect([itself.errorName, itself.body]).toEqual([
    "org.freedesktop.DBus.Error.InvalidArgs",
    [`GetConnectionStats is not meaningful for the message bus "${DRIVER_NAME}" itself`],
  ]);
  const nobody = await ask(peer, "GetConnectionStats", "!bad");
  expect([nobody.errorName, nobody.body]).toEqual([
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    ["Could not get statistics of name '!bad': no such name"],
  ]);
});

test("GetAllMatchRules lists every peer's rules, each as often as it was added", async () => {
  const bus = createBus();
  const peer = await crowd(bus);
  const third = await MemoryPeer.join(bus);
  const reply = await ask(peer, "GetAllMatchRules");
  const rules = reply.body[0] as ReadonlyMap<string, readonly string[]>; // a{sas}
  expect([...rules].map(([name, texts]) => [name, [...texts].sort()])).toEqual([
    [":1.0", ["eavesdrop='true',arg0='a'", "member='Tick'", "member='Tick'"]],
    [":1.1", [""]],
    [third.uniqueName, []],
  ]);
});

test("Debug.Stats exists at the bus's own path only, and for everybody", async () => {
  const bus = createBus({ mayConnect: () => true });
  const other = await joinAsOther(bus);
  const elsewhere = await ask(other, "GetStats", null, "/");
  expect(elsewhere.errorName).toBe("org.freedesktop.DBus.Error.UnknownInterface");
  expect((await ask(other, "GetStats")).errorName).toBeNull();
  expect((await ask(other, "GetAllMatchRules")).errorName).toBeNull();
});

test("the bus's own object lists the interfaces beyond the specification's first", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const get = (property: string): Promise<Message> =>
    peer.call({
      path: DRIVER_PATH,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      destination: DRIVER_NAME,
      signature: "ss",
      body: [DRIVER_NAME, property],
    });
  const [interfaces] = (await get("Interfaces")).body as [Variant]; // v
  expect(interfaces.value).toEqual(["org.freedesktop.DBus.Monitoring", STATISTICS]);
  const introspect = await peer.call({
    path: DRIVER_PATH,
    member: "Introspect",
    destination: DRIVER_NAME,
  });
  for (const name of ["Monitoring", "Debug.Stats"]) {
    expect(introspect.body[0]).toContain(`<interface name="org.freedesktop.DBus.${name}">`);
  }
});

test("GetStats tells privileged peers, and nobody else, what each user has and could have", async () => {
  const limits = { maxMatchRules: 10_000, maxOutgoingBytes: 64_000 };
  const bus = createBus({ mayConnect: () => true, limits });
  const [peer, other] = [await crowd(bus), await joinAsOther(bus)];
  await other.driver("AddMatch", "s", ["member='Tick'"]);
  await other.driver("RequestName", "su", ["org.example.Other", 0]);
  other.send(methodCall({ path: "/", member: "M", destination: peer.uniqueName }));
  other.end.setReading(false);
  for (let n = 0; n < 9; n++) {
    const body = { signature: "s", body: ["x".repeat(1000)] };
    peer.send(methodCall({ path: "/", member: "M", destination: other.uniqueName, ...body }));
  }
  const reply = await ask(peer, "GetStats");
  const entries = reply.body[0] as ReadonlyMap<string, Variant>; // a{sv}
  const users = entries.get("org.onehop.Users");
  expect(users?.signature).toBe("a{ua{s(tt)}}");
  // a{ua{s(tt)}}, as just seen
  const figures = users?.value as ReadonlyMap<number, ReadonlyMap<string, [bigint, bigint]>>;
  expect([...figures.keys()]).toEqual([process.geteuid?.(), OTHER_USER]);
  const mine = figures.get(OTHER_USER);
  expect(mine?.get("Connections")).toEqual([1n, 49_999n]);
  expect(mine?.get("Names")?.[0]).toBe(1n);
  expect(mine?.get("MatchRules")).toEqual([1n, 5000n]);
  expect(mine?.get("PendingReplies")?.[0]).toBe(1n);
  // Those that came before much waited were not counted.
  const waiting = Number(mine?.get("OutgoingBytes")?.[0]);
  expect(waiting).toBeGreaterThan(4000);
  expect(waiting).toBeLessThan(10_000);
  other.end.setReading(true);
  const theirs = (await ask(other, "GetStats")).body[0] as ReadonlyMap<string, Variant>; // a{sv}
  expect(theirs.has("org.onehop.Users")).toBe(false);
  expect(theirs.has("MatchRules")).toBe(true);
});
