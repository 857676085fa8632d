/** Which broadcasts a rule lets through, how often, and to whom. */

import { expect } from "@jest/globals";
import { brief, briefs } from "./support/brief.ts";
import { conformance, useBus } from "./support/conformance.ts";
import { heard, INTERFACE, methodCall, PATH, signal } from "./support/messages.ts";
import { type Draft, Flag, Type, type Value } from "./support/wire.ts";

useBus();

const RULES = "Match Rules";
const STOPS = "it looks at no argument after the first that is neither string nor path";

const withArguments = (signature: string, ...values: Value[]): Partial<Draft> => ({
  signature,
  arguments: values,
});
const text = (value: string): Partial<Draft> => withArguments("s", value);
const object = (value: string): Partial<Draft> => withArguments("o", value);

/** Rule, signal, whether it comes through. */
const TABLE: readonly (readonly [rule: string, draft: Partial<Draft>, matches: boolean])[] = [
  ["", {}, true],
  ["type='signal'", {}, true],
  ["type='method_call'", {}, false],
  ["type='error'", {}, false],
  [`interface='${INTERFACE}'`, {}, true],
  ["interface='org.example.Other'", {}, false],
  ["interface='org.example'", {}, false],
  ["member='S'", {}, true],
  ["member='s'", {}, false],
  [`path='${PATH}'`, {}, true],
  ["path='/org/example'", {}, false],
  ["path='/'", { path: "/" }, true],
  ["path_namespace='/aa'", { path: "/aa" }, true],
  ["path_namespace='/aa'", { path: "/aa/bb" }, true],
  ["path_namespace='/aa'", { path: "/aa/bb/cc" }, true],
  ["path_namespace='/aa'", { path: "/aab" }, false],
  ["path_namespace='/aa'", { path: "/" }, false],
  ["path_namespace='/aa/bb'", { path: "/aa" }, false],
  ["path_namespace='/'", { path: "/" }, true],
  ["arg0='x'", text("x"), true],
  ["arg0='x'", text("xx"), false],
  ["arg0='x'", text(""), false],
  ["arg0='x'", {}, false],
  ["arg0=''", text(""), true],
  ["arg0=''", {}, false],
  ["arg0='/aa'", object("/aa"), false],
  ["arg0='1'", withArguments("u", 1), false],
  ["arg1='y'", withArguments("ss", "x", "y"), true],
  ["arg1='y'", withArguments("us", 7, "y"), true],
  ["arg1='y'", withArguments("ass", ["y", "z"], "y"), true],
  ["arg1='y'", withArguments("a{sv}s", [["k", { signature: "s", value: "n" }]], "y"), true],
  ["arg0='y'", withArguments("as", ["y"]), false],
  ["arg0='y'", withArguments("(s)", ["y"]), false],
  ["arg0='y'", withArguments("v", { signature: "s", value: "y" }), false],
  ["arg0='g'", withArguments("g", "g"), false],
  ["arg2='z'", withArguments("ybs", 1, true, "z"), true],
  ["arg0='x',arg1='y'", withArguments("ss", "x", "y"), true],
  ["arg0='x',arg1='y'", withArguments("ss", "x", "z"), false],
  ["arg63='l'", withArguments("s".repeat(64), ...Array(63).fill("k"), "l"), true],
  ["arg0='ünï'", text("ünï"), true],
  ["arg0=It\\'s", text("It's"), true],
  ["arg0='a,b=c'", text("a,b=c"), true],
  ["arg0path='/aa/bb/'", text("/"), true],
  ["arg0path='/aa/bb/'", text("/aa/"), true],
  ["arg0path='/aa/bb/'", text("/aa/bb/"), true],
  ["arg0path='/aa/bb/'", text("/aa/bb/cc/"), true],
  ["arg0path='/aa/bb/'", text("/aa/bb/cc"), true],
  ["arg0path='/aa/bb/'", text("/aa/b"), false],
  ["arg0path='/aa/bb/'", text("/aa"), false],
  ["arg0path='/aa/bb/'", text("/aa/bb"), false],
  ["arg0path='/aa'", object("/aa"), true],
  ["arg0path='/aa/'", object("/aa/bb"), true],
  ["arg0path='/aa/'", object("/ab"), false],
  ["arg0path='/aa/'", text(""), false],
  ["arg0path=''", text("/"), false],
  ["arg1path='/a/'", withArguments("so", "x", "/a/b"), true],
  ["arg0namespace='com.ex'", text("com.ex"), true],
  ["arg0namespace='com.ex'", text("com.ex.foo"), true],
  ["arg0namespace='com.ex'", text("com.ex.foo.bar"), true],
  ["arg0namespace='com.ex'", text("com.example"), false],
  ["arg0namespace='com.ex'", text("com"), false],
  ["arg0namespace='com.ex'", object("/com/ex"), false],
  ["arg0namespace='com.ex'", {}, false],
  [`type='signal',interface='${INTERFACE}',member='S',path='${PATH}',arg0='a'`, text("a"), true],
  [`type='signal',interface='${INTERFACE}',member='S',path='${PATH}',arg0='a'`, text("b"), false],
  [`type='signal',interface='${INTERFACE}',member='T',path='${PATH}',arg0='a'`, text("a"), false],
  ["sender='org.example.NobodyOwnsThis'", {}, false],
  ["sender='org.freedesktop.DBus'", {}, false],
];

for (const [rule, draft, matches] of TABLE) {
  const { arguments: values, signature, ...header } = draft;
  const shown = JSON.stringify(
    values === undefined ? header : { ...header, [signature ?? ""]: values },
  );
  conformance(
    `"${rule}" ${matches ? "lets through" : "keeps out"} a signal with ${shown.slice(0, 60)}`,
    {
      spec: RULES,
      ...(hidesArgument(rule, signature) ? { excused: { "dbus-broker": STOPS } } : {}),
    },
    async (scene) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      await receiver.addMatch(rule);
      await receiver.drain();
      sender.send(signal(draft));
      const got = (await heard(sender, receiver)).filter(({ member }) => member === "S");
      expect(got).toHaveLength(matches ? 1 : 0);
    },
  );
}

conformance(
  "path_namespace='/' lets every path through",
  { spec: RULES, excused: { "dbus-broker": "it lets only the root path through" } },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("path_namespace='/'");
    sender.send(signal({ path: "/aa/bb" }));
    expect((await heard(sender, receiver)).map(brief)).toEqual(["signal S"]);
  },
);

conformance(
  "destination= without eavesdrop lets no broadcast through",
  { spec: RULES, excused: { "dbus-broker": "it ignores the key" } },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch(`destination='${receiver.uniqueName}'`);
    sender.send(signal());
    expect(briefs(await heard(sender, receiver))).toEqual([]);
  },
);

conformance(
  "A broadcast of org.freedesktop.DBus.Peer is one like any other",
  { spec: RULES, excused: { "dbus-daemon": "libdbus keeps it" } },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("member='S'");
    sender.send(signal({ interface: "org.freedesktop.DBus.Peer" }));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  },
);

conformance("Without a rule no broadcast arrives", { spec: RULES }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  sender.send(signal());
  expect(briefs(await heard(sender, receiver))).toEqual([]);
});

conformance(
  "A broadcast arrives as it was sent, with a sender and no destination",
  { spec: RULES },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("type='signal',member='S'");
    const serial = sender.send(
      signal({ ...text("x"), flags: Flag.NoAutoStart | Flag.NoReplyExpected }),
    );
    expect(await receiver.next()).toMatchObject({
      type: Type.Signal,
      serial,
      flags: Flag.NoAutoStart | Flag.NoReplyExpected,
      path: PATH,
      interface: INTERFACE,
      sender: sender.uniqueName,
      destination: null,
      arguments: ["x"],
    });
  },
);

conformance("Several matching rules mean one copy", { spec: RULES }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  for (const rule of ["type='signal'", "member='S'", `path='${PATH}'`, "member='S'"]) {
    await receiver.addMatch(rule);
  }
  await receiver.drain();
  sender.send(signal());
  expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
});

conformance("A rule added twice must be removed twice", { spec: "RemoveMatch" }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  const rule = "type='signal',member='S'";
  await receiver.addMatch(rule);
  await receiver.addMatch(rule);
  await receiver.removeMatch(rule);
  sender.send(signal());
  expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  await receiver.removeMatch(rule);
  sender.send(signal());
  expect(briefs(await heard(sender, receiver))).toEqual([]);
});

conformance(
  "One of two equal rules of two peers may go",
  { spec: "RemoveMatch" },
  async (scene) => {
    const [sender, one, two] = [await scene.client(), await scene.client(), await scene.client()];
    for (const receiver of [one, two]) await receiver.addMatch("member='S'");
    await one.removeMatch("member='S'");
    sender.send(signal());
    expect(briefs(await heard(sender, two))).toEqual(["signal S"]);
    expect(briefs(await one.drain())).toEqual([]);
  },
);

conformance(
  "A broadcast reaches its own sender if a rule of its lets it through",
  { spec: RULES },
  async (scene) => {
    const client = await scene.client();
    await client.addMatch("type='signal',member='S'");
    client.send(signal());
    client.send(signal({ member: "T" }));
    expect(briefs(await client.drain())).toEqual(["signal S"]);
  },
);

conformance(
  "A broadcast reaches every peer that has a rule for it",
  { spec: RULES },
  async (scene) => {
    const sender = await scene.client();
    const receivers = await Promise.all(Array.from({ length: 20 }, () => scene.client()));
    for (const receiver of receivers) await receiver.addMatch("type='signal',member='S'");
    sender.send(signal());
    await sender.drain();
    for (const receiver of receivers) expect(briefs(await receiver.drain())).toEqual(["signal S"]);
  },
);

conformance(
  "A rule of a unique sender lets only its signals through",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [sender, other, receiver] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await receiver.addMatch(`sender='${sender.uniqueName}'`);
    other.send(signal({ member: "Other" }));
    await other.drain();
    sender.send(signal());
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  },
);

conformance(
  "A rule of a well-known sender lets its owner's signals through",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await sender.requestName("org.example.Sender");
    await receiver.addMatch("sender='org.example.Sender'");
    sender.send(signal());
    const [message] = await heard(sender, receiver);
    expect(message?.sender).toBe(sender.uniqueName);
  },
);

conformance(
  "A rule of a well-known sender added before the name is owned works",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("sender='org.example.Later'");
    sender.send(signal({ member: "Before" }));
    await sender.requestName("org.example.Later");
    sender.send(signal({ member: "Owned" }));
    await sender.releaseName("org.example.Later");
    sender.send(signal({ member: "After" }));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal Owned"]);
  },
);

conformance(
  "A rule of a well-known sender follows the name to its new owner",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [first, second, receiver] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await first.requestName("org.example.Follows", 1);
    await receiver.addMatch("sender='org.example.Follows'");
    await second.requestName("org.example.Follows", 2);
    first.send(signal({ member: "Old" }));
    await first.drain();
    second.send(signal({ member: "New" }));
    expect(briefs(await heard(second, receiver))).toEqual(["signal New"]);
  },
);

conformance(
  "A queued owner's signals do not count as the name's",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [owner, queued, receiver] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await owner.requestName("org.example.QueuedSender");
    await queued.requestName("org.example.QueuedSender");
    await receiver.addMatch("sender='org.example.QueuedSender'");
    queued.send(signal({ member: "Queued" }));
    await queued.drain();
    owner.send(signal({ member: "Owner" }));
    expect(briefs(await heard(owner, receiver))).toEqual(["signal Owner"]);
  },
);

conformance(
  "A rule of the driver lets the driver's signals through",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const receiver = await scene.client();
    await receiver.addMatch(
      "sender='org.freedesktop.DBus',type='signal',arg0='org.example.FromDriver'",
    );
    const other = await scene.client();
    await other.requestName("org.example.FromDriver");
    expect(briefs(await heard(other, receiver))).toEqual([
      `signal NameOwnerChanged org.example.FromDriver "" ${other.uniqueName}`,
    ]);
  },
);

conformance(
  "arg0namespace picks the NameOwnerChanged of a family of names",
  { spec: "Match Rules: arg0namespace" },
  async (scene) => {
    const [receiver, owner] = [await scene.client(), await scene.client()];
    await receiver.addMatch("member='NameOwnerChanged',arg0namespace='org.example.family'");
    for (const name of [
      "org.example.family",
      "org.example.family.Son",
      "org.example.familyless.Nobody",
    ]) {
      await owner.requestName(name);
    }
    const changed = (await heard(owner, receiver)).map(({ arguments: [name] }) => name);
    expect(changed).toEqual(["org.example.family", "org.example.family.Son"]);
  },
);

conformance(
  "arg2='' picks the names that nobody has any more",
  { spec: "Match Rules: argN" },
  async (scene) => {
    const [receiver, owner] = [await scene.client(), await scene.client()];
    await receiver.addMatch("member='NameOwnerChanged',arg0='org.example.Empty',arg2=''");
    await owner.requestName("org.example.Empty");
    await owner.releaseName("org.example.Empty");
    expect(briefs(await heard(owner, receiver))).toEqual([
      `signal NameOwnerChanged org.example.Empty ${owner.uniqueName} ""`,
    ]);
  },
);

conformance("Rules never copy a call to a third peer", { spec: RULES }, async (scene) => {
  const [caller, callee, other] = [
    await scene.client(),
    await scene.client(),
    await scene.client(),
  ];
  for (const rule of ["", "type='method_call'", `sender='${caller.uniqueName}'`])
    await other.addMatch(rule);
  await other.drain();
  caller.send(methodCall(callee.uniqueName));
  expect(briefs(await heard(caller, other))).toEqual([]);
});

conformance("A peer's rules go with it", { spec: RULES }, async (scene) => {
  const [sender, receiver, other] = [
    await scene.client(),
    await scene.client(),
    await scene.client(),
  ];
  for (const peer of [receiver, other]) await peer.addMatch("member='S'");
  await scene.leave(receiver);
  sender.send(signal());
  expect(briefs(await heard(sender, other))).toEqual(["signal S"]);
});

conformance("Five hundred rules of one peer each do their work", { spec: RULES }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  for (let index = 0; index < 500; index++) {
    receiver.sendCall("AddMatch", { signature: "s", arguments: [`member='S',arg0='${index}'`] });
  }
  await receiver.drain();
  for (const index of [0, 250, 499, 500]) sender.send(signal(text(String(index))));
  expect(briefs(await heard(sender, receiver))).toEqual([
    "signal S 0",
    "signal S 250",
    "signal S 499",
  ]);
});

for (const bigEndian of [false, true]) {
  conformance(
    `Argument keys understand a ${bigEndian ? "big" : "little"}-endian body`,
    { spec: RULES, excused: { "dbus-broker": STOPS } },
    async (scene) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      await receiver.addMatch("arg2='third',arg1path='/a/'");
      sender.send(signal({ ...withArguments("a(yx)os", [[1, 2n]], "/a/b", "third"), bigEndian }));
      sender.send(signal({ ...withArguments("a(yx)os", [[1, 2n]], "/b/b", "third"), bigEndian }));
      expect(await heard(sender, receiver)).toHaveLength(1);
    },
  );
}

/** Does the rule ask for an argument behind one of another type than string and path? */
function hidesArgument(rule: string, signature = ""): boolean {
  const index = Number(/^arg([1-9]+)/.exec(rule)?.[1] ?? 0);
  return /[^so]/.test(signature.slice(0, index));
}
