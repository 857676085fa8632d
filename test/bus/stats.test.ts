/** Debug.Stats: true figures under dbus-daemon's keys. */

import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { Message } from "../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import type { Variant } from "../../wire/variant.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { joinAsOther } from "../support/other-user.ts";

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

function figures(reply: Message): Record<string, unknown> {
  const entries = reply.body[0] as ReadonlyMap<string, Variant>; // a{sv}
  return Object.fromEntries([...entries].map(([key, { value }]) => [key, value]));
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
  expect(figures(await ask(peer, "GetStats"))).toEqual({ Serial: 0, ...now });
  await peer.driver("RemoveMatch", "s", ["member='Tick'"]);
  await peer.driver("ReleaseName", "s", ["org.example.B"]);
  expect(figures(await ask(peer, "GetStats"))).toEqual({
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
    IncomingBytes: 0,
    OutgoingBytes: 0,
    UniqueName: peer.uniqueName,
  });
});

test("OutgoingBytes is what a peer has not read", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const deaf = await MemoryPeer.join(bus);
  deaf.end.setReading(false);

  const before = figures(await ask(peer, "GetConnectionStats", deaf.uniqueName));
  peer.call({ path: "/", member: "M", destination: deaf.uniqueName });
  const after = figures(await ask(peer, "GetConnectionStats", deaf.uniqueName));
  expect(before["OutgoingBytes"]).toBe(0);
  expect(after["OutgoingBytes"]).toBeGreaterThan(0);
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
    [":1.0", ["arg0='a',eavesdrop='true'", "member='Tick'", "member='Tick'"]],
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
