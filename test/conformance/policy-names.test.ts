/** What a policy says about owning names, about the bus itself, and about who may connect; and when it changes. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { type Client, DRIVER, STATS } from "./support/client.ts";
import { expectError, notRun } from "./support/conformance.ts";
import { heard, methodCall, signal } from "./support/messages.ts";
import { NOBODY, policyCase, stranger, usePolicies } from "./support/policies.ts";
import { Type } from "./support/wire.ts";

const policies = usePolicies();

type Verdict = "may be owned" | "may not be owned";

const names: readonly [string, string, string, Verdict][] = [
  ["A denied name", '<deny own="NAME"/>', "", "may not be owned"],
  ["A name below a denied one", '<deny own="NAME"/>', ".below", "may be owned"],
  ["A denied prefix", '<deny own_prefix="NAME"/>', "", "may not be owned"],
  ["A name below a denied prefix", '<deny own_prefix="NAME"/>', ".below.it", "may not be owned"],
  [
    "A name that only begins like a denied prefix",
    '<deny own_prefix="NAME"/>',
    "a",
    "may be owned",
  ],
  [
    "A name that is allowed below a denied prefix",
    '<deny own_prefix="NAME"/><allow own="NAME.below"/>',
    ".below",
    "may be owned",
  ],
  [
    "A name that is denied after its prefix is allowed",
    '<allow own_prefix="NAME"/><deny own="NAME.below"/>',
    ".below",
    "may not be owned",
  ],
  [
    "A name that is allowed to the user alone",
    '<deny own="NAME"/><policy user="ME"><allow own="NAME"/></policy>',
    "",
    "may be owned",
  ],
];

for (const [what, rules, rest, verdict] of names) {
  const text = rules.includes("<policy")
    ? rules.replace(/^(.*?)(?=<policy)/, '<policy context="default">$1</policy>')
    : rules;
  policyCase(policies, `${what} ${verdict}`, text, async (scene, words) => {
    const client = await scene.client();
    const name = `${words.name}${rest}`;
    const reply = await client.call("RequestName", { signature: "su", arguments: [name, 0] });
    if (verdict === "may be owned") return expect(reply.arguments).toEqual([1]);
    expectError(
      reply,
      "AccessDenied",
      `Connection "${client.uniqueName}" is not allowed to own the service "${name}" due to security policies in the configuration file`,
    );
  });
}

policyCase(
  policies,
  "Rules for groups are about those of the process, its primary one among them",
  '<policy group="12"><deny own="NAME"/></policy>',
  async (scene, { name }) => {
    const member = await stranger(scene, {}, [60, 12]);
    const other = await stranger(scene, {}, [60]);
    if (member === null || other === null) return;
    const ask = (client: Client): ReturnType<Client["call"]> =>
      client.call("RequestName", { signature: "su", arguments: [name, 0] });
    expectError(await ask(member), "AccessDenied");
    expect((await ask(other)).arguments).toEqual([1]);
  },
);

policyCase(
  policies,
  "Of the rules for several groups those for the highest number count",
  '<policy group="60"><deny own="NAME"/></policy><policy group="7"><allow own="NAME"/></policy>',
  async (scene, { name }) => {
    const member = await stranger(scene, {}, [60, 7]);
    if (member === null) return;
    const reply = await member.call("RequestName", { signature: "su", arguments: [name, 0] });
    expectError(reply, "AccessDenied");
  },
);

policyCase(
  policies,
  "Methods of the bus may be denied like those of anybody",
  `<policy user="NOBODY"><deny send_destination="${DRIVER}" send_interface="${DRIVER}" send_member="ListNames"/></policy>`,
  async (scene) => {
    const peer = await stranger(scene);
    if (peer === null) return;
    expectError(await peer.call("ListNames"), "AccessDenied", "Rejected send message, ");
    expect((await peer.call("GetId")).type).toBe(Type.Return);
  },
);

policyCase(
  policies,
  "Statistics may be denied by policy, and need no privilege without one",
  `<policy user="NOBODY"><deny send_destination="${DRIVER}" send_interface="${STATS}"/></policy>`,
  async (scene) => {
    const peer = await stranger(scene);
    if (peer === null) return;
    expectError(await peer.call("GetStats", { interface: STATS }), "AccessDenied", "Rejected send");
    const owner = await scene.client();
    expect((await owner.call("GetStats", { interface: STATS })).type).toBe(Type.Return);
  },
);

policyCase(
  policies,
  "What the policy allows does not make up for privilege",
  `<policy user="NOBODY"><allow send_destination="${DRIVER}" send_interface="${DRIVER}" send_member="UpdateActivationEnvironment"/></policy>`,
  async (scene) => {
    const peer = await stranger(scene);
    if (peer === null) return;
    const reply = await peer.call("UpdateActivationEnvironment", {
      signature: "a{ss}",
      arguments: [[]],
    });
    expectError(reply, "AccessDenied", "rejected attempt to call UpdateActivationEnvironment");
  },
);

policyCase(
  policies,
  "Nothing is started for a message that may not be sent to it",
  '<deny send_destination="NAME"/>',
  async (scene, { name }) => {
    const client = await scene.client();
    const witness = join(policies.folder, `${name}.started`);
    policies.service(name, `/bin/touch ${witness}`);
    await client.call("ReloadConfig");
    const reply = await client.call("M", methodCall(name));
    expectError(reply, "AccessDenied", "Rejected send message, ");
    expect(String(reply.arguments[0])).toMatch(new RegExp(`destination="${name}" \\(bus\\)$`));
    expect(existsSync(witness)).toBe(false);
  },
);

policyCase(
  policies,
  "A signal that may not start anybody is told to be refused",
  '<deny send_destination="NAME" send_type="signal"/>',
  async (scene, { name }) => {
    const client = await scene.client();
    policies.service(name, "/bin/true");
    await client.call("ReloadConfig");
    const serial = client.send(signal({ destination: name }));
    expectError(await client.replyTo(serial), "AccessDenied", "Rejected send message, ");
  },
);

policyCase(
  policies,
  "Who may not connect is disconnected after the handshake",
  '<policy context="mandatory"><deny user="NOBODY"/><allow user="NOBODY"/></policy><policy context="mandatory"><deny user="games"/></policy>',
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const games = await scene.peer({ until: "nothing" }, { uid: 5, gid: 60, groups: [] });
    await games.authenticate();
    expect(await games.disconnected()).toEqual([]);
    const nobody = await scene.peer({}, { uid: NOBODY, gid: NOBODY, groups: [] });
    expect(nobody.uniqueName).not.toBe("");
  },
);

policyCase(
  policies,
  "Who may connect is asked by the groups of the user database, whatever those of the process",
  '<policy context="mandatory"><deny group="12"/></policy>',
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const member = await scene.peer({}, { uid: NOBODY, gid: 12, groups: [12] });
    expect(member.uniqueName).not.toBe("");
    const man = await scene.peer({ until: "nothing" }, { uid: 6, gid: 6, groups: [] });
    await man.authenticate();
    expect(await man.disconnected()).toEqual([]);
  },
);

policyCase(
  policies,
  "A user that the user database does not know may not connect",
  '<policy context="mandatory"><allow user="4999999"/></policy>',
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const unknown = { uid: 4_999_999, gid: 4_999_999, groups: [] };
    const peer = await scene.peer({ until: "nothing" }, unknown);
    await peer.authenticate();
    expect(await peer.disconnected()).toEqual([]);
  },
);

policyCase(
  policies,
  "A monitor sees why a broadcast does not reach somebody",
  '<deny send_interface="INTERFACE"/>',
  async (scene, words) => {
    const [sender, receiver, monitor] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await receiver.addMatch(`interface='${words.interface}'`);
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[`sender='${sender.uniqueName}'`, "type='error'"], 0],
    });
    await monitor.first(({ member }) => member === "NameLost", "the end of being a peer");
    const serial = sender.send(signal({ interface: words.interface }));
    expect(await heard(sender, receiver)).toEqual([]);
    const error = await monitor.first(({ type }) => type === Type.Error, "the error");
    expectError(error, "AccessDenied", "Rejected send message, ");
    expect(error).toMatchObject({ replySerial: serial, destination: sender.uniqueName });
  },
);

policyCase(
  policies,
  "A monitor sees why a broadcast of the bus does not reach somebody",
  `<policy user="NOBODY"><deny receive_sender="${DRIVER}" receive_interface="${DRIVER}" receive_member="NameOwnerChanged"/></policy>`,
  async (scene, { name }) => {
    const denied = await stranger(scene);
    if (denied === null) return;
    const [owner, monitor] = [await scene.client(), await scene.client()];
    await denied.addMatch(`arg0='${name}'`);
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[`arg0='${name}'`, "type='error'"], 0],
    });
    await monitor.first(({ member }) => member === "NameLost", "the end of being a peer");
    await owner.requestName(name);
    const change = await monitor.first(
      ({ member }) => member === "NameOwnerChanged",
      "the change of owner",
    );
    const error = await monitor.first(({ type }) => type === Type.Error, "the error");
    expectError(error, "AccessDenied", "Rejected receive message, ");
    expect(error).toMatchObject({ sender: DRIVER, destination: DRIVER });
    expect(error.replySerial).toBe(change.serial);
    expect(await denied.drain()).toEqual([]);
  },
  { withheld: { "dbus-daemon": "1.14.10 aborts: the broadcast has no serial yet" } },
);

policyCase(
  policies,
  "Another policy counts for those who are there, and none of them has to leave",
  '<deny send_interface="INTERFACE"/>',
  async (scene, words) => {
    const [one, two] = [await scene.client(), await scene.client()];
    const call = methodCall(two.uniqueName, { interface: words.interface });
    expectError(await one.call("M", call), "AccessDenied");
    policies.add(
      `<policy context="mandatory"><allow send_interface="${words.interface}"/></policy>`,
    );
    policies.write();
    await one.ask("ReloadConfig");
    one.send(call);
    expect(briefs(await heard(one, two))).toEqual(["call M"]);
    policies.add(
      `<policy context="mandatory"><deny send_interface="${words.interface}"/></policy>`,
    );
    policies.write();
    await one.ask("ReloadConfig");
    expectError(await one.call("M", call), "AccessDenied");
  },
);
