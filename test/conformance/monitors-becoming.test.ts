/** BecomeMonitor: who may, how it is asked for, and what a peer gives up by it. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH, MONITORING, STATS } from "./support/client.ts";
import { conformance, expectError, notRun, type Scene, useBus } from "./support/conformance.ts";
import { heard, methodCall, methodReturn, signal } from "./support/messages.ts";
import { becomeMonitor, line, monitor, monitoringCall, seen, watch } from "./support/watch.ts";
import { type Draft, Flag, Type } from "./support/wire.ts";

useBus({ configuration: "all-users.conf" });

const BECOME = "org.freedesktop.DBus.Monitoring.BecomeMonitor";
/** A rule that no message of these cases matches. */
const NOTHING = ["member='Nothing'"];

/** Is `client` still a peer with its name? */
async function isPeer(client: Client): Promise<boolean> {
  const { arguments: values } = await client.ask("NameHasOwner", "s", client.uniqueName);
  return values[0] === true;
}

async function pair(scene: Scene): Promise<[peer: Client, other: Client]> {
  return [await scene.client(), await scene.client()];
}

conformance("BecomeMonitor is answered with an empty return", { spec: BECOME }, async (scene) => {
  const reply = await becomeMonitor(await scene.client());
  expect([reply.type, reply.signature, reply.arguments]).toEqual([Type.Return, "", []]);
});

conformance(
  "A monitor is told that it lost its unique name first, and then the others in the order it got them",
  {
    spec: "dbus-daemon",
    excused: { "dbus-broker": "it tells about the names first, and about the unique name last" },
  },
  async (scene) => {
    const peer = await scene.client();
    for (const name of ["org.example.B", "org.example.A", "org.example.C"]) {
      await peer.requestName(name);
    }
    await peer.drain();
    const { uniqueName } = peer;
    await becomeMonitor(peer, NOTHING);
    const lost = [];
    for (let count = 0; count < 4; count++) lost.push(line(await peer.next(), { peer }));
    expect(lost).toEqual(
      [uniqueName, "org.example.B", "org.example.A", "org.example.C"].map(
        (name) => `signal bus > peer NameLost ${name === uniqueName ? "peer" : name}`,
      ),
    );
  },
);

conformance(
  "The others see a monitor's names go, the unique one first",
  {
    spec: "dbus-daemon",
    excused: { "dbus-broker": "it lets the unique name go last" },
  },
  async (scene) => {
    const [peer, other] = await pair(scene);
    await peer.requestName("org.example.First");
    await peer.requestName("org.example.Second");
    await other.addMatch("member='NameOwnerChanged'");
    await other.drain();
    await becomeMonitor(peer, NOTHING);
    expect((await other.drain()).map((message) => line(message, { peer }))).toEqual([
      'signal bus > NameOwnerChanged peer peer ""',
      'signal bus > NameOwnerChanged org.example.First peer ""',
      'signal bus > NameOwnerChanged org.example.Second peer ""',
    ]);
  },
);

conformance("A monitor's name goes to who waits for it", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  await peer.requestName("org.example.Wanted");
  await other.requestName("org.example.Wanted");
  await watch(peer, NOTHING);
  const { arguments: owner } = await other.ask("GetNameOwner", "s", "org.example.Wanted");
  expect(owner).toEqual([other.uniqueName]);
  expect((await other.drain()).map((message) => line(message, { other }))).toContain(
    "signal bus > other NameAcquired org.example.Wanted",
  );
});

conformance("A monitor waits for no name any more", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  await other.requestName("org.example.Queue");
  await peer.requestName("org.example.Queue");
  await watch(peer, NOTHING);
  const { arguments: queue } = await other.ask("ListQueuedOwners", "s", "org.example.Queue");
  expect(queue).toEqual([[other.uniqueName]]);
});

conformance("A monitor's match rules count no longer", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  await peer.addMatch("type='signal',member='S'");
  await watch(peer, NOTHING);
  other.send(signal());
  expect(await seen(peer, other, {})).toEqual([]);
});

conformance(
  "A call that waits for a monitor fails with NoReply",
  { spec: BECOME },
  async (scene) => {
    const [peer, other] = await pair(scene);
    const serial = other.send(methodCall(peer.uniqueName));
    await heard(other, peer);
    await watch(peer, NOTHING);
    expectError(await other.replyTo(serial), "NoReply");
  },
);

conformance(
  "The reply to a call that a monitor made before does not reach it",
  { spec: BECOME },
  async (scene) => {
    const [peer, other] = await pair(scene);
    const serial = peer.send(methodCall(other.uniqueName));
    await heard(peer, other);
    await watch(peer, NOTHING);
    other.send(methodReturn(peer.uniqueName, serial));
    await other.drain();
    expect(await seen(peer, other, {})).toEqual([]);
  },
);

conformance("A monitor is not among the names", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  await watch(peer, NOTHING);
  expect((await other.ask("ListNames")).arguments[0]).not.toContain(peer.uniqueName);
  expect((await other.ask("NameHasOwner", "s", peer.uniqueName)).arguments).toEqual([false]);
});

for (const [member, error, text] of [
  ["GetNameOwner", "NameHasNoOwner", "Could not get owner of name"],
  ["GetConnectionUnixProcessID", "NameHasNoOwner", "Could not get PID of name"],
  ["GetConnectionUnixUser", "NameHasNoOwner", "Could not get UID of name"],
  ["GetConnectionCredentials", "NameHasNoOwner", "Could not get credentials of name"],
] as const) {
  conformance(`${member} does not know a monitor`, { spec: BECOME }, async (scene) => {
    const [peer, other] = await pair(scene);
    await watch(peer, NOTHING);
    const reply = await other.call(member, { signature: "s", arguments: [peer.uniqueName] });
    expectError(reply, error, text);
  });
}

conformance("A call to a monitor's old name reaches nobody", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  await watch(peer, NOTHING);
  expectError(await other.replyTo(other.send(methodCall(peer.uniqueName))), "ServiceUnknown");
  expect(await seen(peer, other, {})).toEqual([]);
});

conformance("Nobody is told that a monitor leaves", { spec: BECOME }, async (scene) => {
  const [peer, other] = await pair(scene);
  const second = await monitor(scene);
  await watch(peer, NOTHING);
  await other.addMatch("sender='org.freedesktop.DBus'");
  await other.drain();
  await seen(second, other, {});
  peer.close();
  // The end of that connection was there to be seen before these calls were.
  const heardOf = [...(await other.drain()), ...(await other.drain()), ...(await other.drain())];
  expect(briefs(heardOf)).toEqual([]);
  expect(await seen(second, other, {})).toEqual([]);
});

conformance(
  "A unique name that a monitor had is not given again",
  { spec: BECOME },
  async (scene) => {
    const [peer] = await pair(scene);
    await watch(peer, NOTHING);
    const next = await scene.client();
    expect(next.uniqueName).not.toBe(peer.uniqueName);
  },
);

// How it is asked for

const REFUSED: readonly (readonly [
  what: string,
  draft: Partial<Draft>,
  error: string,
  text: string,
])[] = [
  [
    "with flags",
    { arguments: [[], 1] },
    "InvalidArgs",
    "BecomeMonitor does not support any flags yet",
  ],
  [
    "with flags and a bad rule",
    { arguments: [["bogus"], 0x80000000] },
    "InvalidArgs",
    "BecomeMonitor does not support any flags yet",
  ],
  [
    "with a rule that has an unknown key",
    { arguments: [["type='signal'", "bogus='x'"], 0] },
    "MatchRuleInvalid",
    'Unknown key "bogus" in match rule',
  ],
  [
    "with a rule of an unknown type",
    { arguments: [["type='bogus'"], 0] },
    "MatchRuleInvalid",
    "Invalid message type (bogus) in match rule",
  ],
  [
    "with strings only",
    { signature: "as", arguments: [[]] },
    "InvalidArgs",
    "Call to BecomeMonitor has wrong args (as, expected asu)",
  ],
  [
    "without arguments",
    { signature: "", arguments: [] },
    "InvalidArgs",
    "Call to BecomeMonitor has wrong args (, expected asu)",
  ],
];

const RULES_FIRST = { "dbus-broker": "it looks at the rules first" } as const;

for (const [what, draft, error, text] of REFUSED) {
  conformance(
    `BecomeMonitor ${what} is refused, and nothing is given up`,
    { spec: BECOME, excused: what === "with flags and a bad rule" ? RULES_FIRST : {} },
    async (scene) => {
      const [peer, other] = await pair(scene);
      await peer.requestName("org.example.Kept");
      await peer.addMatch("member='Kept'");
      await peer.drain();
      expectError(await becomeMonitor(peer, [], draft), error, text);
      expect(await isPeer(peer)).toBe(true);
      other.send(signal({ member: "Other" }));
      other.send(signal({ member: "Kept" }));
      other.send(methodCall("org.example.Kept"));
      expect(briefs(await heard(other, peer))).toEqual(["signal Kept", "call M"]);
    },
  );
}

conformance(
  "BecomeMonitor with a rule of more than 1024 bytes is refused",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it calls the error MatchRuleInvalid" } },
  async (scene) => {
    const peer = await scene.client();
    const rule = `member='${"x".repeat(1100)}'`;
    expectError(await becomeMonitor(peer, [rule]), "LimitsExceeded", "Match rule text is");
    expect(await isPeer(peer)).toBe(true);
  },
);

conformance(
  "BecomeMonitor needs no interface at the bus's own path",
  { spec: BECOME },
  async (scene) => {
    const [peer, other] = await pair(scene);
    const serial = peer.send({
      type: Type.Call,
      path: DRIVER_PATH,
      destination: DRIVER,
      member: "BecomeMonitor",
      signature: "asu",
      arguments: [["member='S'"], 0],
    });
    expect((await peer.replyTo(serial)).type).toBe(Type.Return);
    other.send(signal());
    expect((await peer.first(({ member }) => member === "S")).sender).toBe(other.uniqueName);
  },
);

conformance(
  "BecomeMonitor of another interface does not exist",
  { spec: BECOME },
  async (scene) => {
    const peer = await scene.client();
    expectError(await becomeMonitor(peer, [], { interface: DRIVER }), "UnknownMethod");
    expectError(await becomeMonitor(peer, [], { interface: "org.example.X" }), "UnknownInterface");
    expect(await isPeer(peer)).toBe(true);
  },
);

conformance(
  "BecomeMonitor at another path does not exist",
  {
    spec: "dbus-daemon",
    excused: { "dbus-broker": "it answers at any path" },
  },
  async (scene) => {
    const peer = await scene.client();
    expectError(await becomeMonitor(peer, [], { path: "/" }), "UnknownInterface");
    const serial = peer.send({
      type: Type.Call,
      path: "/",
      destination: DRIVER,
      member: "BecomeMonitor",
      signature: "asu",
      arguments: [[], 0],
    });
    expectError(await peer.replyTo(serial), "UnknownMethod");
    expect(await isPeer(peer)).toBe(true);
  },
);

conformance("BecomeMonitor before Hello makes no monitor", { spec: BECOME }, async (scene) => {
  const peer = await scene.client({ until: "begin" });
  peer.sendCall("BecomeMonitor", monitoringCall());
  const other = await scene.client();
  other.send(signal());
  await other.drain();
  const first = await peer.next().catch(() => null);
  if (first !== null) expect(first.type).toBe(Type.Error);
});

conformance(
  "BecomeMonitor that wants no reply makes a monitor as well",
  { spec: BECOME },
  async (scene) => {
    const [peer, other] = await pair(scene);
    peer.sendCall("BecomeMonitor", monitoringCall(["member='S'"], { flags: Flag.NoReplyExpected }));
    await peer.first(({ member }) => member === "NameLost");
    other.send(signal());
    expect((await peer.first(({ member }) => member === "S")).sender).toBe(other.uniqueName);
  },
);

conformance("A user who does not run the bus may not monitor", { spec: BECOME }, async (scene) => {
  if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
  const peer = await scene.peer({}, { uid: 65534, gid: 65534, groups: [] });
  expectError(
    await becomeMonitor(peer),
    "AccessDenied",
    `rejected attempt to call BecomeMonitor by connection ${peer.uniqueName} (uid=65534 pid=`,
  );
  expect(await isPeer(peer)).toBe(true);
});

conformance(
  "Monitoring is among the bus's interfaces",
  { spec: "Interfaces", excused: { "dbus-broker": "it names Monitoring only" } },
  async (scene) => {
    const reply = await (await scene.client()).call("Get", {
      interface: "org.freedesktop.DBus.Properties",
      signature: "ss",
      arguments: [DRIVER, "Interfaces"],
    });
    expect(reply.arguments).toEqual([{ signature: "as", value: [MONITORING, STATS] }]);
  },
);

// What it may still do: nothing

for (const [what, send] of [
  ["a signal", (client: Client) => client.send(signal({ member: "FromMonitor" }))],
  [
    "a call to the bus",
    (client: Client) => client.sendCall("RequestName", { signature: "su", arguments: ["a.b", 0] }),
  ],
  ["BecomeMonitor again", (client: Client) => client.sendCall("BecomeMonitor", monitoringCall())],
] as const) {
  conformance(
    `A monitor that sends ${what} is disconnected, and nobody hears it`,
    { spec: BECOME },
    async (scene) => {
      const [peer, other] = await pair(scene);
      await other.addMatch("type='signal',member='FromMonitor'");
      await other.addMatch("sender='org.freedesktop.DBus'");
      const second = await monitor(scene);
      await watch(peer, NOTHING);
      await other.drain();
      await seen(second, other, {});
      send(peer);
      await peer.disconnected();
      expect(briefs(await other.drain())).toEqual([]);
      expect(await seen(second, other, {})).toEqual([]);
    },
  );
}

conformance(
  "A monitor that answers what it sees is disconnected",
  { spec: BECOME },
  async (scene) => {
    const [peer, caller] = await pair(scene);
    const callee = await scene.client();
    await watch(peer, ["type='method_call'"]);
    const serial = caller.send(methodCall(callee.uniqueName));
    await peer.first(({ member }) => member === "M");
    peer.send(methodReturn(caller.uniqueName, serial));
    await peer.disconnected();
    await callee.next();
    callee.send(methodReturn(caller.uniqueName, serial, { signature: "s", arguments: ["right"] }));
    expect((await caller.replyTo(serial)).arguments).toEqual(["right"]);
  },
);

conformance(
  "What is sent right behind BecomeMonitor is refused as well",
  { spec: BECOME },
  async (scene) => {
    const [peer, other] = await pair(scene);
    await other.addMatch("type='signal',member='S'");
    peer.sendCall("BecomeMonitor", monitoringCall(NOTHING));
    peer.send(signal());
    await peer.disconnected();
    expect(briefs(await other.drain())).toEqual([]);
  },
);
