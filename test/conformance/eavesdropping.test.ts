/** Rules with eavesdrop='true': which messages for others they let through, and what not. */

import { expect } from "@jest/globals";
import type { Client } from "./support/client.ts";
import { conformance, expectError, notRun, type Scene, useBus } from "./support/conformance.ts";
import { errorReply, heard, methodCall, methodReturn, PATH, signal } from "./support/messages.ts";
import { line } from "./support/watch.ts";
import { type Draft, Flag, Type, type Value } from "./support/wire.ts";

useBus({ configuration: "all-users.conf" });

const EAVESDROP = "Match Rules: eavesdrop";
const excused = { "dbus-broker": "it does not know eavesdrop" } as const;
const options = { spec: EAVESDROP, excused } as const;

/** A case in which an eavesdropper listens to two peers. */
async function listening(
  scene: Scene,
  rule = "eavesdrop='true'",
): Promise<[ear: Client, a: Client, b: Client]> {
  const [ear, a, b] = [await scene.client(), await scene.client(), await scene.client()];
  await ear.addMatch(rule);
  await ear.drain();
  return [ear, a, b];
}

/** What the eavesdropper has got once the bus has dealt with all that `by` sent, without its own calls and answers. */
async function overheard(
  ear: Client,
  by: Client,
  people: Readonly<Record<string, Client>>,
): Promise<string[]> {
  const messages = await heard(by, ear);
  return messages
    .filter(({ member }) => member !== "GetId")
    .map((message) => line(message, { ...people, ear }));
}

conformance("An eavesdropper hears a call and its reply", options, async (scene) => {
  const [ear, a, b] = await listening(scene);
  const serial = a.send(methodCall(b.uniqueName, { signature: "s", arguments: ["question"] }));
  await b.next();
  b.send(methodReturn(a.uniqueName, serial, { signature: "s", arguments: ["answer"] }));
  await a.replyTo(serial);
  expect(await overheard(ear, a, { a, b })).toEqual([
    "call a > b M question",
    "return b > a answer",
  ]);
});

conformance("An eavesdropper hears an error", options, async (scene) => {
  const [ear, a, b] = await listening(scene, "type='error',eavesdrop='true'");
  const serial = a.send(methodCall(b.uniqueName));
  await b.next();
  b.send(errorReply(a.uniqueName, serial));
  await a.replyTo(serial);
  expect(await overheard(ear, a, { a, b })).toEqual(["error b > a org.example.Failed"]);
});

conformance("An eavesdropper hears broadcasts as well", options, async (scene) => {
  const [ear, a] = await listening(scene);
  a.send(signal());
  expect(await overheard(ear, a, { a })).toEqual(["signal a > S"]);
});

conformance("An eavesdropper hears calls to the bus that succeed", options, async (scene) => {
  const [ear, a] = await listening(scene, "destination='org.freedesktop.DBus',eavesdrop='true'");
  await a.requestName("org.example.Overheard");
  expect(await overheard(ear, a, { a })).toEqual([
    "call a > bus RequestName org.example.Overheard 0",
  ]);
});

conformance("An eavesdropper does not hear calls to the bus that fail", options, async (scene) => {
  const [ear, a] = await listening(scene, "destination='org.freedesktop.DBus',eavesdrop='true'");
  await a.call("NoSuchMethod");
  await a.call("GetNameOwner", { signature: "s", arguments: ["org.example.Missing"] });
  await a.call("ListNames");
  expect(await overheard(ear, a, { a })).toEqual(["call a > bus ListNames"]);
});

conformance("An eavesdropper hears Hello", options, async (scene) => {
  const [ear] = await listening(scene, "member='Hello',eavesdrop='true'");
  const late = await scene.client();
  expect(await overheard(ear, late, { late })).toEqual(["call late > bus Hello"]);
});

conformance(
  "An eavesdropper hears the call that made it one",
  {
    spec: "dbus-daemon",
    excused: { ...excused, onehop: "it hears what is sent from then on (compat/README.md)" },
  },
  async (scene) => {
    const ear = await scene.client();
    const serial = ear.sendCall("AddMatch", {
      signature: "s",
      arguments: ["member='AddMatch',eavesdrop='true'"],
    });
    await ear.replyTo(serial);
    expect((await ear.drain()).map((message) => line(message, { ear }))).toEqual([
      "call ear > bus AddMatch member='AddMatch',eavesdrop='true'",
    ]);
  },
);

conformance("What the bus answers is not overheard", options, async (scene) => {
  const [ear, a] = await listening(
    scene,
    "sender='org.freedesktop.DBus',type='method_return',eavesdrop='true'",
  );
  await a.call("ListNames");
  const own = (await heard(a, ear)).filter(({ destination }) => destination !== ear.uniqueName);
  expect(own).toEqual([]);
  await ear.addMatch("member='ListNames',eavesdrop='true'");
  await a.call("ListNames");
  expect(await overheard(ear, a, { a })).toEqual(["call a > bus ListNames"]);
});

conformance("What the bus tells one peer is not overheard", options, async (scene) => {
  const [ear, a] = await listening(scene, "sender='org.freedesktop.DBus',eavesdrop='true'");
  await a.requestName("org.example.Told");
  expect(await overheard(ear, a, { a })).toEqual([
    'signal bus > NameOwnerChanged org.example.Told "" a',
  ]);
});

conformance(
  "An eavesdropper hears what a call to the bus leads to before the call",
  { spec: "dbus-daemon", excused },
  async (scene) => {
    const [ear, a] = await listening(scene);
    await a.requestName("org.example.Order");
    expect(await overheard(ear, a, { a })).toEqual([
      'signal bus > NameOwnerChanged org.example.Order "" a',
      "call a > bus RequestName org.example.Order 0",
    ]);
  },
);

conformance("An eavesdropper does not hear what reaches nobody", options, async (scene) => {
  const [ear, a] = await listening(scene);
  await a.replyTo(a.send(methodCall("org.example.Missing")));
  a.send(signal({ destination: "org.example.Missing" }));
  a.send(signal({ member: "Last" }));
  expect(await overheard(ear, a, { a })).toEqual(["signal a > Last"]);
});

conformance("An eavesdropper hears a call that wants no reply", options, async (scene) => {
  const [ear, a, b] = await listening(scene);
  a.send(methodCall(b.uniqueName, { flags: Flag.NoReplyExpected }));
  expect(await overheard(ear, a, { a, b })).toEqual(["call a > b M"]);
});

conformance(
  "An eavesdropper is sent a message once, whatever its rules",
  options,
  async (scene) => {
    const [ear, a, b] = await listening(scene);
    for (const rule of ["type='signal'", "eavesdrop='true'", "member='S',eavesdrop='true'"]) {
      await ear.addMatch(rule);
    }
    await ear.drain();
    a.send(signal());
    a.send(signal({ member: "T", destination: b.uniqueName }));
    expect(await overheard(ear, a, { a, b })).toEqual(["signal a > S", "signal a > b T"]);
  },
);

conformance("An eavesdropper gets what is for itself once", options, async (scene) => {
  const [ear, a] = await listening(scene);
  a.send(methodCall(ear.uniqueName));
  expect(await overheard(ear, a, { a })).toEqual(["call a > ear M"]);
});

conformance("An eavesdropper hears itself", options, async (scene) => {
  const [ear, a] = await listening(scene, "member='M',eavesdrop='true'");
  ear.send(methodCall(a.uniqueName));
  expect((await ear.drain()).map((message) => line(message, { a, ear }))).toEqual([
    "call ear > a M",
  ]);
});

conformance(
  "The receiver gets its message once though somebody listens",
  options,
  async (scene) => {
    const [ear, a, b] = await listening(scene, "member='S',eavesdrop='true'");
    await b.addMatch("type='signal'");
    a.send(signal({ destination: b.uniqueName }));
    expect(await overheard(ear, a, { a, b })).toHaveLength(1);
    expect((await b.drain()).map((message) => line(message, { a, b }))).toEqual(["signal a > b S"]);
  },
);

conformance("Two eavesdroppers hear the same", options, async (scene) => {
  const [ear, a, b] = await listening(scene);
  const second = await scene.client();
  await second.addMatch("type='method_call',eavesdrop='true'");
  await ear.drain();
  a.send(methodCall(b.uniqueName));
  expect(await overheard(ear, a, { a, b })).toContain("call a > b M");
  expect(await overheard(second, a, { a, b })).toContain("call a > b M");
});

conformance(
  "A rule with eavesdrop='false' hears broadcasts only",
  { spec: EAVESDROP, excused },
  async (scene) => {
    const [ear, a, b] = await listening(scene, "eavesdrop='false',path='/org/example/Object'");
    a.send(methodCall(b.uniqueName));
    a.send(signal({ destination: b.uniqueName }));
    a.send(signal({ member: "Broad" }));
    expect(await overheard(ear, a, { a, b })).toEqual(["signal a > Broad"]);
  },
);

conformance(
  "The last eavesdrop in a rule counts",
  { spec: "dbus-daemon", excused },
  async (scene) => {
    const [ear, a, b] = await listening(scene, "eavesdrop='true',eavesdrop='false',member='M'");
    a.send(methodCall(b.uniqueName));
    await a.drain();
    await ear.addMatch("eavesdrop='false',eavesdrop='true',member='M'");
    a.send(methodCall(b.uniqueName, { signature: "s", arguments: ["second"] }));
    expect(await overheard(ear, a, { a, b })).toEqual(["call a > b M second"]);
  },
);

conformance("RemoveMatch ends eavesdropping", options, async (scene) => {
  const [ear, a, b] = await listening(scene, "member='M',eavesdrop='true'");
  await ear.removeMatch("eavesdrop='true',member='M'");
  a.send(methodCall(b.uniqueName));
  expect(await overheard(ear, a, { a, b })).toEqual([]);
});

conformance("RemoveMatch tells rules with and without eavesdrop apart", options, async (scene) => {
  const [ear, a, b] = await listening(scene, "member='M',eavesdrop='true'");
  const reply = await ear.call("RemoveMatch", { signature: "s", arguments: ["member='M'"] });
  expectError(reply, "MatchRuleNotFound");
  a.send(methodCall(b.uniqueName));
  expect(await overheard(ear, a, { a, b })).toEqual(["call a > b M"]);
});

conformance("An eavesdropper that has left is no burden", options, async (scene) => {
  const [ear, a, b] = await listening(scene);
  await scene.leave(ear);
  a.send(methodCall(b.uniqueName));
  expect((await heard(a, b)).map((message) => line(message, { a, b }))).toEqual(["call a > b M"]);
});

const text: Partial<Draft> = { signature: "s", arguments: ["text"] };

/** Rule (with eavesdrop='true'), and what of the four messages it hears. */
const RULES: readonly (readonly [rule: string, members: readonly string[]])[] = [
  ["type='method_call'", ["Named", "Unique"]],
  ["type='signal'", ["Directed", "Broad"]],
  ["destination='org.example.Ear'", ["Named", "Unique", "Directed"]],
  ["member='Unique'", ["Unique"]],
  ["arg0='text'", ["Named", "Broad"]],
  ["path='/other'", ["Directed"]],
  [`path_namespace='${PATH}'`, ["Named", "Unique", "Broad"]],
  ["interface='org.example.Other'", ["Unique"]],
  ["sender='org.example.Ear'", []],
];

for (const [rule, members] of RULES) {
  conformance(`An eavesdropper with ${rule} hears what matches`, options, async (scene) => {
    const [ear, a, b] = await listening(scene, `${rule},eavesdrop='true'`);
    await b.requestName("org.example.Ear");
    await ear.drain();
    a.send(methodCall("org.example.Ear", { member: "Named", ...text }));
    a.send(methodCall(b.uniqueName, { member: "Unique", interface: "org.example.Other" }));
    a.send(signal({ member: "Directed", destination: b.uniqueName, path: "/other" }));
    a.send(signal({ member: "Broad", ...text }));
    const own = (await heard(a, ear)).filter(({ member }) => member !== "GetId");
    expect(own.map(({ member }) => member)).toEqual(members);
  });
}

// Descriptors

const handle: { signature: string; arguments: Value[]; unixFds: number } = {
  signature: "h",
  arguments: [0],
  unixFds: 1,
};

conformance("An eavesdropper gets the descriptors of a call, too", options, async (scene) => {
  const [sender, receiver] = [
    await scene.peer({ negotiateFds: true }),
    await scene.peer({ negotiateFds: true }),
  ];
  const ear = await scene.peer({ negotiateFds: true });
  await ear.addMatch("member='M',eavesdrop='true'");
  sender.send(methodCall(receiver.uniqueName, handle), ["shared"]);
  const [mine] = (await ear.first(({ member }) => member === "M")).files;
  const [theirs] = (await receiver.next()).files;
  expect(mine).toEqual(theirs);
});

conformance(
  "An eavesdropper that cannot have descriptors does not hear the call; its receiver gets it",
  { spec: "dbus-daemon", excused },
  async (scene) => {
    const [sender, receiver] = [
      await scene.peer({ negotiateFds: true }),
      await scene.peer({ negotiateFds: true }),
    ];
    const ear = await scene.client();
    await ear.addMatch("member='M',eavesdrop='true'");
    sender.send(methodCall(receiver.uniqueName, handle), ["passed"]);
    expect((await receiver.next()).files).toHaveLength(1);
    sender.send(methodCall(receiver.uniqueName, text));
    expect(await overheard(ear, sender, { sender, receiver })).toEqual([
      "call sender > receiver M text",
    ]);
  },
);

// Who may

conformance("A user who does not run the bus may not eavesdrop", options, async (scene) => {
  if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
  const peer = await scene.peer({}, { uid: 65534, gid: 65534, groups: [] });
  const reply = await peer.call("AddMatch", { signature: "s", arguments: ["eavesdrop='true'"] });
  expectError(reply, "AccessDenied", "rejected attempt to call AddMatch by connection");
  await peer.addMatch("eavesdrop='false'");
  expect(reply.type).toBe(Type.Error);
});
