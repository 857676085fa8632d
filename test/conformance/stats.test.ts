/** org.freedesktop.DBus.Debug.Stats: which figures there are, and that they are true. */

import { expect } from "@jest/globals";
import { type Client, DRIVER, INTROSPECTABLE, STATS } from "./support/client.ts";
import { conformance, expectError, notRun, useBus } from "./support/conformance.ts";
import { methodCall, signal } from "./support/messages.ts";
import { monitor, watch } from "./support/watch.ts";
import { type Draft, Type, type Value } from "./support/wire.ts";

useBus({ configuration: "all-users.conf" });

const OTHER_KEYS = "its GetStats has keys of its own only";
const UNIMPLEMENTED = "it does not implement it";

const inStats = { spec: "Debug.Stats", excused: { "dbus-broker": OTHER_KEYS } } as const;
const inConnectionStats = {
  spec: "Debug.Stats",
  excused: { "dbus-broker": UNIMPLEMENTED },
} as const;

type Figures = ReadonlyMap<string, { readonly signature: string; readonly value: Value }>;

const BUS_KEYS = [
  "Serial",
  "ListMemPoolUsedBytes",
  "ListMemPoolCachedBytes",
  "ListMemPoolAllocatedBytes",
  "ActiveConnections",
  "IncompleteConnections",
  "MatchRules",
  "PeakMatchRules",
  "PeakMatchRulesPerConnection",
  "BusNames",
  "PeakBusNames",
  "PeakBusNamesPerConnection",
];

const CONNECTION_KEYS = [
  "Serial",
  "MatchRules",
  "PeakMatchRules",
  "BusNames",
  "PeakBusNames",
  "UniqueName",
  "IncomingMessages",
  "IncomingBytes",
  "IncomingFDs",
  "PeakIncomingBytes",
  "PeakIncomingFDs",
  "OutgoingMessages",
  "OutgoingBytes",
  "OutgoingFDs",
  "PeakOutgoingBytes",
  "PeakOutgoingFDs",
];

function ask(client: Client, member: string, name?: string): ReturnType<Client["call"]> {
  const contents: Partial<Draft> = name === undefined ? {} : { signature: "s", arguments: [name] };
  return client.call(member, { interface: STATS, ...contents });
}

async function figures(client: Client, name?: string): Promise<Figures> {
  const member = name === undefined ? "GetStats" : "GetConnectionStats";
  const reply = await ask(client, member, name);
  expect([reply.type, reply.signature]).toEqual([Type.Return, "a{sv}"]);
  const [entries] = reply.arguments;
  return new Map(entries as [string, { signature: string; value: Value }][]); // a{sv}
}

async function figure(client: Client, key: string, name?: string): Promise<number> {
  return Number((await figures(client, name)).get(key)?.value);
}

/** How much `key` changes while `act` is done. */
async function change(
  client: Client,
  key: string,
  act: () => Promise<unknown>,
  name?: string,
): Promise<number> {
  const before = await figure(client, key, name);
  await act();
  return (await figure(client, key, name)) - before;
}

/** The names of dbus-daemon's keys among them, and the types of all of those. */
function known(found: Figures, keys: readonly string[]): [string, string | undefined][] {
  return keys.map((key) => [key, found.get(key)?.signature]);
}

conformance("GetStats has dbus-daemon's figures, as unsigned numbers", inStats, async (scene) => {
  const found = await figures(await scene.client());
  expect(known(found, BUS_KEYS)).toEqual(BUS_KEYS.map((key) => [key, "u"]));
});

conformance(
  "GetConnectionStats has dbus-daemon's figures, as unsigned numbers, and the name",
  inConnectionStats,
  async (scene) => {
    const client = await scene.client();
    const found = await figures(client, client.uniqueName);
    const types = CONNECTION_KEYS.map((key) => [key, key === "UniqueName" ? "s" : "u"]);
    expect(known(found, CONNECTION_KEYS)).toEqual(types);
  },
);

conformance("GetStats counts how often it was asked", inStats, async (scene) => {
  const client = await scene.client();
  expect(await change(client, "Serial", () => figures(client))).toBe(2);
});

conformance("Memory that GetStats tells adds up", inStats, async (scene) => {
  const found = await figures(await scene.client());
  const [used, cached, allocated] = ["Used", "Cached", "Allocated"].map((part) =>
    Number(found.get(`ListMemPool${part}Bytes`)?.value),
  );
  expect(used).toBeGreaterThan(0);
  expect((used ?? 0) + (cached ?? 0)).toBeLessThanOrEqual(allocated ?? 0);
});

conformance("GetStats counts a connection when it has said Hello", inStats, async (scene) => {
  const client = await scene.client();
  const late = await scene.client({ until: "begin" });
  const before = await figures(client);
  await late.hello();
  const after = await figures(client);
  const difference = (key: string): number =>
    Number(after.get(key)?.value) - Number(before.get(key)?.value);
  expect(difference("ActiveConnections")).toBe(1);
  expect(difference("IncompleteConnections")).toBe(-1);
});

conformance("GetStats counts a monitor as a connection without names", inStats, async (scene) => {
  const [client, other] = [await scene.client(), await scene.client()];
  const before = await figures(client);
  await watch(other);
  const after = await figures(client);
  const difference = (key: string): number =>
    Number(after.get(key)?.value) - Number(before.get(key)?.value);
  expect(difference("ActiveConnections")).toBe(0);
  expect(difference("BusNames")).toBe(-1);
});

conformance(
  "GetStats counts match rules, and the rules of who is gone no longer",
  inStats,
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    const add = async (): Promise<void> => {
      await other.addMatch("member='A'");
      await other.addMatch("member='A'");
    };
    expect(await change(client, "MatchRules", add)).toBe(2);
    expect(await change(client, "MatchRules", () => scene.leave(other))).toBe(-2);
  },
);

conformance("GetStats counts the rules of monitors", inStats, async (scene) => {
  const client = await scene.client();
  const act = (): Promise<Client> => monitor(scene, ["member='A'", "member='B'"]);
  // The third is the one that cases wait with.
  expect(await change(client, "MatchRules", act)).toBe(3);
});

conformance("GetStats remembers the most match rules that there were", inStats, async (scene) => {
  const client = await scene.client();
  const rule = (n: number): string => `member='M${n}'`;
  for (let n = 0; n < 40; n++) await client.addMatch(rule(n));
  for (let n = 0; n < 40; n++) await client.removeMatch(rule(n));
  const found = await figures(client);
  const value = (key: string): number => Number(found.get(key)?.value);
  expect(value("PeakMatchRules")).toBeGreaterThanOrEqual(value("MatchRules") + 40);
  expect(value("PeakMatchRulesPerConnection")).toBeGreaterThanOrEqual(40);
  expect(await figure(client, "PeakMatchRules", client.uniqueName)).toBe(40);
  expect(await figure(client, "MatchRules", client.uniqueName)).toBe(0);
});

conformance("GetStats counts names, the unique ones too", inStats, async (scene) => {
  const client = await scene.client();
  const act = async (): Promise<void> => {
    const other = await scene.client();
    await other.requestName("org.example.Counted");
  };
  expect(await change(client, "BusNames", act)).toBe(2);
  const release = async (): Promise<void> => {
    const third = await scene.client();
    await scene.leave(third);
  };
  expect(await change(client, "BusNames", release)).toBe(0);
});

conformance(
  "GetConnectionStats counts the names of a peer, and those it waits for",
  inConnectionStats,
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    await client.requestName("org.example.Taken");
    const act = async (): Promise<void> => {
      await other.requestName("org.example.Mine");
      await other.requestName("org.example.Taken");
    };
    expect(await change(client, "BusNames", act, other.uniqueName)).toBe(2);
    await other.releaseName("org.example.Taken");
    expect(await figure(client, "BusNames", other.uniqueName)).toBe(2);
    expect(await figure(client, "PeakBusNames", other.uniqueName)).toBe(3);
  },
);

conformance("GetConnectionStats takes any name of a peer", inConnectionStats, async (scene) => {
  const [client, other] = [await scene.client(), await scene.client()];
  await other.requestName("org.example.Any");
  const found = await figures(client, "org.example.Any");
  expect(found.get("UniqueName")).toEqual({ signature: "s", value: other.uniqueName });
});

conformance(
  "GetConnectionStats tells what waits for a peer that does not read",
  inConnectionStats,
  async (scene) => {
    const [client, deaf] = [await scene.client(), await scene.client()];
    deaf.stopReading();
    const body = { signature: "s", arguments: ["x".repeat(1 << 20)] };
    for (let count = 0; count < 4; count++) client.send(methodCall(deaf.uniqueName, body));
    await client.drain();
    const found = await figures(client, deaf.uniqueName);
    const value = (key: string): number => Number(found.get(key)?.value);
    expect(value("OutgoingMessages")).toBeGreaterThanOrEqual(2);
    expect(value("OutgoingMessages")).toBeLessThanOrEqual(4);
    expect(value("OutgoingBytes")).toBeGreaterThan(2 << 20);
    expect(value("PeakOutgoingBytes")).toBeGreaterThanOrEqual(value("OutgoingBytes"));
  },
);

conformance(
  "GetConnectionStats remembers what has waited for a peer",
  inConnectionStats,
  async (scene) => {
    const [client, reader] = [await scene.client(), await scene.client()];
    const body = { signature: "s", arguments: ["x".repeat(1 << 20)] };
    for (let count = 0; count < 4; count++) client.send(methodCall(reader.uniqueName, body));
    await client.drain();
    expect(await reader.drain()).toHaveLength(4);
    const found = await figures(client, reader.uniqueName);
    expect(found.get("OutgoingMessages")?.value).toBe(0);
    expect(found.get("OutgoingBytes")?.value).toBe(0);
    expect(Number(found.get("PeakOutgoingBytes")?.value)).toBeGreaterThan(1 << 20);
  },
);

for (const [name, error, text] of [
  [DRIVER, "InvalidArgs", "GetConnectionStats is not meaningful for the message bus"],
  [
    "org.example.Missing",
    "NameHasNoOwner",
    "Could not get statistics of name 'org.example.Missing': no such name",
  ],
  [":1.999999", "NameHasNoOwner", "Could not get statistics of name ':1.999999': no such name"],
  ["not a name", "NameHasNoOwner", "Could not get statistics of name 'not a name': no such name"],
] as const) {
  conformance(`GetConnectionStats of ${name} is ${error}`, inConnectionStats, async (scene) => {
    expectError(await ask(await scene.client(), "GetConnectionStats", name), error, text);
  });
}

conformance(
  "GetConnectionStats does not know a monitor",
  { spec: "Debug.Stats", excused: { "dbus-broker": UNIMPLEMENTED } },
  async (scene) => {
    const client = await scene.client();
    const silent = await monitor(scene);
    expectError(
      await ask(client, "GetConnectionStats", silent.uniqueName),
      "NameHasNoOwner",
      "Could not get statistics of name",
    );
  },
);

/** Rules as they are added, and as GetAllMatchRules tells them. */
const TOLD: readonly (readonly [rule: string, told: string])[] = [
  ["", ""],
  ["type='signal'", "type='signal'"],
  [" member='A', type=signal", "type='signal',member='A'"],
  ["path='/a',interface='a.b',sender='a.c'", "interface='a.b',path='/a',sender='a.c'"],
  ["path_namespace='/a'", "path_namespace='/a'"],
  ["arg1='b',arg0='a'", "arg0='a',arg1='b'"],
  ["arg0path='/a/'", "arg0path='/a/'"],
  ["arg0namespace='a.b'", "arg0namespace='a.b'"],
  ["eavesdrop='true',destination='a.b'", "destination='a.b',eavesdrop='true'"],
  ["arg0='x',eavesdrop='true'", "eavesdrop='true',arg0='x'"],
  ["eavesdrop='false'", ""],
  ["arg0='it'\\''s'", "arg0='it'\\''s'"],
];

async function allRules(client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const reply = await ask(client, "GetAllMatchRules");
  expect([reply.type, reply.signature]).toEqual([Type.Return, "a{sas}"]);
  return new Map(reply.arguments[0] as [string, string[]][]); // a{sas}
}

for (const [rule, told] of TOLD) {
  conformance(
    `GetAllMatchRules tells ${rule || "the empty rule"}`,
    inConnectionStats,
    async (scene) => {
      const client = await scene.client();
      await client.addMatch(rule);
      expect((await allRules(client)).get(client.uniqueName)).toEqual([told]);
    },
  );
}

conformance(
  "GetAllMatchRules lists every peer, those without rules too",
  inConnectionStats,
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    await other.requestName("org.example.Listed");
    for (const rule of ["member='A'", "member='A'", "member='B'"]) await other.addMatch(rule);
    const rules = await allRules(client);
    expect(rules.get(client.uniqueName)).toEqual([]);
    expect([...(rules.get(other.uniqueName) ?? [])].sort()).toEqual([
      "member='A'",
      "member='A'",
      "member='B'",
    ]);
    expect(rules.has("org.example.Listed")).toBe(false);
    expect(rules.has(DRIVER)).toBe(false);
  },
);

conformance("GetAllMatchRules does not list monitors", inConnectionStats, async (scene) => {
  const client = await scene.client();
  const silent = await monitor(scene, ["member='A'"]);
  expect((await allRules(client)).has(silent.uniqueName)).toBe(false);
});

// How they are asked for

conformance("Debug.Stats exists at the bus's own path only", inConnectionStats, async (scene) => {
  const client = await scene.client();
  for (const member of ["GetStats", "GetAllMatchRules"]) {
    expectError(await client.call(member, { interface: STATS, path: "/" }), "UnknownInterface");
  }
});

conformance("Debug.Stats needs no interface at the bus's own path", inStats, async (scene) => {
  const client = await scene.client();
  const { interface: _, ...draft } = methodCall(DRIVER, { path: "/org/freedesktop/DBus" });
  const reply = await client.replyTo(client.send({ ...draft, member: "GetStats" }));
  expect([reply.type, reply.signature]).toEqual([Type.Return, "a{sv}"]);
  expect(new Map(reply.arguments[0] as [string, Value][]).has("BusNames")).toBe(true); // a{sv}
});

conformance("Debug.Stats checks arguments", { spec: "Debug.Stats" }, async (scene) => {
  const client = await scene.client();
  for (const [member, draft] of [
    ["GetStats", { signature: "s", arguments: ["extra"] }],
    ["GetConnectionStats", {}],
    ["GetConnectionStats", { signature: "u", arguments: [1] }],
    ["GetAllMatchRules", { signature: "s", arguments: ["extra"] }],
  ] as const) {
    expectError(await client.call(member, { interface: STATS, ...draft }), "InvalidArgs");
  }
});

conformance("Debug.Stats is for everybody", inConnectionStats, async (scene) => {
  if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
  const peer = await scene.peer({}, { uid: 65534, gid: 65534, groups: [] });
  for (const [member, name] of [
    ["GetStats"],
    ["GetConnectionStats", peer.uniqueName],
    ["GetAllMatchRules"],
  ] as const) {
    expect((await ask(peer, member, name)).type).toBe(Type.Return);
  }
});

conformance(
  "Introspection names Debug.Stats and its methods",
  { spec: "Debug.Stats" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.call("Introspect", { interface: INTROSPECTABLE });
    const xml = String(reply.arguments[0]);
    const found =
      /<interface name="org\.freedesktop\.DBus\.Debug\.Stats">[\s\S]*?<\/interface>/.exec(xml);
    for (const member of ["GetStats", "GetConnectionStats", "GetAllMatchRules"]) {
      expect(found?.[0]).toContain(`<method name="${member}">`);
    }
  },
);

/** A broadcast that nobody asked for changes no figure of rules or names. */
conformance("Traffic changes neither rules nor names", inStats, async (scene) => {
  const client = await scene.client();
  const before = await figures(client);
  for (let count = 0; count < 100; count++) client.send(signal());
  await client.drain();
  const after = await figures(client);
  for (const key of ["MatchRules", "BusNames", "PeakMatchRules", "PeakBusNames"]) {
    expect([key, after.get(key)]).toEqual([key, { signature: "u", value: before.get(key)?.value }]);
  }
});
