/** What a policy says about sending: the attributes one by one, and which of several rules counts. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Arrival, Client } from "./support/client.ts";
import { expectError, type Scene } from "./support/conformance.ts";
import { errorReply, heard, methodCall, methodReturn, signal } from "./support/messages.ts";
import { policyCase, usePolicies, type Words } from "./support/policies.ts";
import type { Draft } from "./support/wire.ts";

const policies = usePolicies();

type Verdict = "passes" | "is refused";

/** Sends what `draft` makes to `receiver`, and looks whether it arrives or its sender is told. */
async function judged(
  sender: Client,
  receiver: Client,
  draft: Draft,
  unixFds = 0,
): Promise<Verdict> {
  const files = Array<string>(unixFds).fill("file");
  const serial = sender.send(unixFds > 0 ? { ...draft, unixFds } : draft, files);
  const told = (await sender.drain()).filter(({ replySerial }) => replySerial === serial);
  const arrived = await receiver.drain();
  if (told.length === 0) {
    expect(arrived.map(({ member, errorName }) => member ?? errorName)).toEqual([
      draft.member ?? draft.errorName ?? null,
    ]);
    return "passes";
  }
  expect(arrived).toEqual([]);
  expectError(told[0] as Arrival, "AccessDenied", "Rejected send message, ");
  return "is refused";
}

/** Cases about one message to a peer without any name but its unique one. */
const messages: readonly [string, string, (words: Words) => Partial<Draft>, Verdict][] = [
  [
    "A denied interface",
    '<deny send_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "Another interface than the denied one",
    '<deny send_interface="INTERFACE"/>',
    () => ({}),
    "passes",
  ],
  [
    "A denied member",
    '<deny send_interface="INTERFACE" send_member="MEMBER"/>',
    (w) => ({ interface: w.interface, member: w.member }),
    "is refused",
  ],
  [
    "Another member than the denied one",
    '<deny send_interface="INTERFACE" send_member="MEMBER"/>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "A call without interface of a member that is denied with one",
    '<deny send_interface="INTERFACE" send_member="MEMBER" send_path="PATH"/>',
    (w) => ({ interface: undefined, member: w.member, path: w.path }) as unknown as Partial<Draft>,
    "is refused",
  ],
  [
    "A call without interface where one interface is allowed",
    '<deny send_path="PATH"/><allow send_path="PATH" send_interface="INTERFACE"/>',
    (w) => ({ interface: undefined, path: w.path }) as unknown as Partial<Draft>,
    "is refused",
  ],
  [
    "A call of the one interface that is allowed",
    '<deny send_path="PATH"/><allow send_path="PATH" send_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface, path: w.path }),
    "passes",
  ],
  ["A denied path", '<deny send_path="PATH"/>', (w) => ({ path: w.path }), "is refused"],
  [
    "A path below the denied one",
    '<deny send_path="PATH"/>',
    (w) => ({ path: `${w.path}/a` }),
    "passes",
  ],
  [
    "What a later rule allows",
    '<deny send_interface="INTERFACE"/><allow send_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "What a later rule denies",
    '<allow send_interface="INTERFACE"/><deny send_interface="INTERFACE"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "What a mandatory policy denies and a later default one allows",
    '<policy context="mandatory"><deny send_interface="INTERFACE"/></policy><policy context="default"><allow send_interface="INTERFACE"/></policy>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "What the policy of the user allows and a later default one denies",
    '<policy user="ME"><allow send_interface="INTERFACE"/></policy><policy context="default"><deny send_interface="INTERFACE"/></policy>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "What the policy of the user allows and that of another group denies",
    '<policy user="ME"><allow send_interface="INTERFACE"/></policy><policy group="games"><deny send_interface="INTERFACE"/></policy>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "What is denied to those at the console",
    '<policy at_console="true"><deny send_interface="INTERFACE"/></policy>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "What is denied to those not at the console",
    '<policy at_console="false"><deny send_interface="INTERFACE"/></policy>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "A call where signals are denied",
    '<deny send_interface="INTERFACE" send_type="signal"/>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "A call where calls are denied",
    '<deny send_interface="INTERFACE" send_type="method_call"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "A call where messages without a destination are denied",
    '<deny send_interface="INTERFACE" send_broadcast="true"/>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
  [
    "A call where messages with a destination are denied",
    '<deny send_interface="INTERFACE" send_broadcast="false"/>',
    (w) => ({ interface: w.interface }),
    "is refused",
  ],
  [
    "What is allowed with log",
    '<allow send_interface="INTERFACE" log="true"/>',
    (w) => ({ interface: w.interface }),
    "passes",
  ],
];

for (const [what, rules, draft, verdict] of messages) {
  policyCase(policies, `${what} ${verdict}`, rules, async (scene, words) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const call = { ...methodCall(receiver.uniqueName), ...draft(words) };
    expect(await judged(sender, receiver, call)).toBe(verdict);
  });
}

/** Cases about names that the receiver has. */
const names: readonly [
  string,
  string,
  (words: Words, receiver: Client) => Promise<void>,
  Verdict,
][] = [
  ["A denied destination", '<deny send_destination="NAME"/>', own(""), "is refused"],
  [
    "A denied destination that the receiver does not have",
    '<deny send_destination="NAME"/>',
    async () => {},
    "passes",
  ],
  [
    "A name below a denied prefix",
    '<deny send_destination_prefix="NAME"/>',
    own(".below.it"),
    "is refused",
  ],
  ["A denied prefix itself", '<deny send_destination_prefix="NAME"/>', own(""), "is refused"],
  [
    "A name that only begins like a denied prefix",
    '<deny send_destination_prefix="NAME"/>',
    own("a"),
    "passes",
  ],
];

function own(rest: string): (words: Words, receiver: Client) => Promise<void> {
  return async ({ name }, receiver) => {
    await receiver.requestName(`${name}${rest}`);
    await receiver.drain();
  };
}

for (const [what, rules, prepare, verdict] of names) {
  policyCase(
    policies,
    `${what} ${verdict}, also by the unique name`,
    rules,
    async (scene, words) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      await prepare(words, receiver);
      expect(await judged(sender, receiver, methodCall(receiver.uniqueName))).toBe(verdict);
    },
  );
}

policyCase(
  policies,
  "A denied destination is that of those who wait for the name, too",
  '<deny send_destination="NAME"/>',
  async (scene, { name }) => {
    const [sender, owner, waiting] = await three(scene);
    await owner.requestName(name);
    await waiting.requestName(name);
    await waiting.drain();
    const call = methodCall(waiting.uniqueName);
    expect(await judged(sender, waiting, call)).toBe("is refused");
    await waiting.releaseName(name);
    await waiting.drain();
    expect(await judged(sender, waiting, call)).toBe("passes");
  },
);

policyCase(
  policies,
  "A broadcast is kept from those who have a denied destination, in silence",
  '<deny send_destination="NAME" send_interface="INTERFACE"/>',
  async (scene, words) => {
    const [sender, owner, other] = await three(scene);
    await owner.requestName(words.name);
    for (const peer of [owner, other]) await peer.addMatch(`interface='${words.interface}'`);
    await owner.drain();
    const broadcast = signal({ interface: words.interface });
    sender.send(broadcast);
    expect(briefs(await heard(sender, other))).toEqual(["signal S"]);
    expect(await owner.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "A broadcast that may not be sent reaches nobody, and its sender is not told",
  '<deny send_interface="INTERFACE" send_broadcast="true"/>',
  async (scene, words) => {
    const [sender, receiver] = await three(scene);
    await receiver.addMatch(`interface='${words.interface}'`);
    sender.send(signal({ interface: words.interface }));
    expect(await sender.drain()).toEqual([]);
    expect(await receiver.drain()).toEqual([]);
    const unicast = signal({ interface: words.interface, destination: receiver.uniqueName });
    expect(await judged(sender, receiver, unicast)).toBe("passes");
  },
);

policyCase(
  policies,
  "Where only broadcasts may be sent, a signal to one peer is refused, and its sender told",
  '<deny send_interface="INTERFACE" send_broadcast="false"/>',
  async (scene, words) => {
    const [sender, receiver] = await three(scene);
    await receiver.addMatch(`interface='${words.interface}'`);
    const unicast = signal({ interface: words.interface, destination: receiver.uniqueName });
    expect(await judged(sender, receiver, unicast)).toBe("is refused");
    sender.send(signal({ interface: words.interface }));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  },
);

policyCase(
  policies,
  "min_fds: only messages with that many descriptors are refused",
  '<deny send_interface="INTERFACE" min_fds="2"/>',
  async (scene, words) => {
    const sender = await scene.peer({ negotiateFds: true });
    const receiver = await scene.peer({ negotiateFds: true });
    const call = methodCall(receiver.uniqueName, { interface: words.interface });
    expect(await judged(sender, receiver, call, 2)).toBe("is refused");
    expect(await judged(sender, receiver, call, 1)).toBe("passes");
  },
);

policyCase(
  policies,
  "max_fds: only messages with no more descriptors are refused",
  '<deny send_interface="INTERFACE" max_fds="0"/>',
  async (scene, words) => {
    const sender = await scene.peer({ negotiateFds: true });
    const receiver = await scene.peer({ negotiateFds: true });
    const call = methodCall(receiver.uniqueName, { interface: words.interface });
    expect(await judged(sender, receiver, call, 1)).toBe("passes");
    expect(await judged(sender, receiver, call)).toBe("is refused");
  },
);

policyCase(
  policies,
  "A reply that was asked for and may not be sent is refused, and was the reply",
  '<deny send_destination="NAME" send_type="method_return" send_requested_reply="true"/>',
  async (scene, { name }) => {
    const [caller, callee] = await three(scene);
    await caller.requestName(name);
    await caller.drain();
    const serial = caller.send(methodCall(callee.uniqueName));
    await heard(caller, callee);
    expect(await judged(callee, caller, methodReturn(caller.uniqueName, serial))).toBe(
      "is refused",
    );
    callee.send(errorReply(caller.uniqueName, serial));
    expect(await caller.drain()).toEqual([]);
  },
);

policyCase(
  policies,
  "A denied error is refused, another one passes",
  '<deny send_type="error" send_error="org.example.policy.Denied" send_requested_reply="true"/>',
  async (scene) => {
    const [caller, callee] = await three(scene);
    const verdictOn = async (errorName: string): Promise<Verdict> => {
      const serial = caller.send(methodCall(callee.uniqueName));
      await heard(caller, callee);
      return judged(callee, caller, errorReply(caller.uniqueName, serial, { errorName }));
    };
    expect(await verdictOn("org.example.policy.Denied")).toBe("is refused");
    expect(await verdictOn("org.example.policy.Other")).toBe("passes");
  },
);

policyCase(
  policies,
  "The sender is told what was refused, to the letter",
  '<deny send_interface="INTERFACE"/>',
  async (scene, words) => {
    const [sender, receiver] = await three(scene);
    const reply = await sender.call(
      "Do",
      methodCall(receiver.uniqueName, { interface: words.interface }),
    );
    const process = String.raw`\(uid=\d+ pid=\d+ comm="[^"]*"\)`;
    expect(String(reply.arguments[0])).toMatch(
      new RegExp(
        `^Rejected send message, [0-9]+ matched rules; type="method_call", sender="${sender.uniqueName}" ${process} ` +
          `interface="${words.interface}" member="M" error name="\\(unset\\)" requested_reply="0" ` +
          `destination="${receiver.uniqueName}" ${process}$`,
      ),
    );
  },
);

async function three(scene: Scene): Promise<[Client, Client, Client]> {
  return [await scene.client(), await scene.client(), await scene.client()];
}
