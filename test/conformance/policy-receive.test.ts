/** What a policy says about receiving, and about who may overhear. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { DRIVER } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { heard, methodCall, signal } from "./support/messages.ts";
import { policyCase, stranger, usePolicies, type Words } from "./support/policies.ts";
import type { Draft } from "./support/wire.ts";

const policies = usePolicies();

type Verdict = "arrives" | "is refused";

/** Calls from anybody to anybody; what the call is like. */
const calls: readonly [string, string, (words: Words) => Partial<Draft>, Verdict][] = [
  [
    "A call of a denied interface",
    '<deny receive_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  ["A call of another interface", '<deny receive_interface="INTERFACE"/>', () => ({}), "arrives"],
  [
    "A call of a denied member",
    '<deny receive_interface="INTERFACE" receive_member="MEMBER"/>',
    (w) => ({ interface: w.interface, member: w.member }),
    "is refused",
  ],
  [
    "A call of another member",
    '<deny receive_interface="INTERFACE" receive_member="MEMBER"/>',
    (w) => ({ interface: w.interface }),
    "arrives",
  ],
  [
    "A call of a denied path",
    '<deny receive_path="PATH"/>',
    (w) => ({ path: w.path }),
    "is refused",
  ],
  [
    "A call where signals are denied",
    '<deny receive_interface="INTERFACE" receive_type="signal"/>',
    (w) => ({ interface: w.interface }),
    "arrives",
  ],
  [
    "A call where overhearing is denied",
    '<deny receive_interface="INTERFACE" eavesdrop="true"/>',
    (w) => ({ interface: w.interface }),
    "arrives",
  ],
  [
    "A call that a later rule allows, though not for overhearing",
    '<deny receive_interface="INTERFACE"/><allow receive_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface }),
    "arrives",
  ],
  [
    "A call with fewer descriptors than are denied",
    '<deny receive_interface="INTERFACE" min_fds="1"/>',
    (w) => ({ interface: w.interface }),
    "arrives",
  ],
  [
    "A call with as few descriptors as are denied",
    '<deny receive_interface="INTERFACE" max_fds="0"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
];

for (const [what, rules, draft, verdict] of calls) {
  policyCase(policies, `${what} ${verdict}`, rules, async (scene, words) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const serial = sender.send(methodCall(receiver.uniqueName, draft(words)));
    const told = (await sender.drain()).filter(({ replySerial }) => replySerial === serial);
    expect(await receiver.drain()).toHaveLength(verdict === "arrives" ? 1 : 0);
    for (const reply of told) {
      expectError(reply, "AccessDenied", "Rejected receive message, ");
    }
    expect(told).toHaveLength(verdict === "arrives" ? 0 : 1);
  });
}

policyCase(
  policies,
  "A denied sender is one that has the name, or waits for it, as long as it does",
  '<deny receive_sender="NAME"/>',
  async (scene, { name }) => {
    const [owner, waiting, receiver] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await owner.requestName(name);
    await waiting.requestName(name);
    for (const sender of [owner, waiting]) {
      const reply = await sender.call("M", methodCall(receiver.uniqueName));
      expectError(reply, "AccessDenied", "Rejected receive message, ");
    }
    await waiting.releaseName(name);
    waiting.send(methodCall(receiver.uniqueName));
    expect(briefs(await heard(waiting, receiver))).toEqual(["call M"]);
  },
);

policyCase(
  policies,
  "A broadcast reaches those who may receive it, and nobody is told about the others",
  '<policy user="NOBODY"><deny receive_interface="INTERFACE"/></policy>',
  async (scene, words) => {
    const denied = await stranger(scene);
    if (denied === null) return;
    const [sender, allowed] = [await scene.client(), await scene.client()];
    for (const peer of [allowed, denied]) await peer.addMatch(`interface='${words.interface}'`);
    sender.send(signal({ interface: words.interface }));
    expect(await sender.drain()).toEqual([]);
    expect(briefs(await allowed.drain())).toEqual(["signal S"]);
    expect(await denied.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "What the bus itself says is judged, too, and lost without a word if it is refused",
  `<policy user="NOBODY"><deny receive_sender="${DRIVER}" receive_interface="${DRIVER}" receive_member="NameLost"/></policy>`,
  async (scene, { name }) => {
    const peer = await stranger(scene);
    if (peer === null) return;
    await peer.requestName(name);
    expect(briefs(await peer.drain())).toEqual([`signal NameAcquired ${name}`]);
    await peer.releaseName(name);
    expect(await peer.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "A broadcast of the bus is kept from who may not receive it",
  `<policy group="adm"><deny receive_sender="${DRIVER}" receive_interface="${DRIVER}" receive_member="NameOwnerChanged"/></policy>`,
  async (scene, { name }) => {
    const denied = await stranger(scene, {}, [4]);
    const allowed = await stranger(scene, {}, [60]);
    if (denied === null || allowed === null) return;
    for (const peer of [denied, allowed]) await peer.addMatch(`arg0='${name}'`);
    const owner = await scene.client();
    await owner.requestName(name);
    expect(await allowed.drain()).toHaveLength(1);
    expect(await denied.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "Who may receive a message may not overhear it by that alone",
  '<deny receive_interface="INTERFACE"/><allow receive_interface="INTERFACE"/>',
  async (scene, words) => {
    const [sender, receiver, eavesdropper] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await eavesdropper.addMatch(`eavesdrop='true',interface='${words.interface}'`);
    sender.send(methodCall(receiver.uniqueName, { interface: words.interface }));
    expect(briefs(await heard(sender, receiver))).toEqual(["call M"]);
    expect(await eavesdropper.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "A broadcast is not overheard, but received by who asked for it with eavesdrop",
  '<deny receive_interface="INTERFACE" eavesdrop="true"/>',
  async (scene, words) => {
    const [sender, receiver, eavesdropper] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await eavesdropper.addMatch(`eavesdrop='true',interface='${words.interface}'`);
    sender.send(signal({ interface: words.interface }));
    expect(briefs(await heard(sender, eavesdropper))).toEqual(["signal S"]);
    const unicast = { interface: words.interface, destination: receiver.uniqueName };
    sender.send(signal(unicast));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
    expect(await eavesdropper.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "A requested reply passes where others are denied",
  '<policy user="NOBODY"><deny receive_type="method_return"/><allow receive_type="method_return" receive_requested_reply="true"/></policy>',
  async (scene) => {
    const peer = await stranger(scene);
    if (peer === null) return;
    // Its own answers are replies that were asked for.
    expect((await peer.call("GetId")).type).toBe(2);
  },
);
