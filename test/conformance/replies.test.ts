/** Replies: who may give one, how often, and what the caller hears when none will come. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { type Client, DRIVER } from "./support/client.ts";
import { conformance, expectError, type Scene, useBus } from "./support/conformance.ts";
import { errorReply, heard, methodCall, methodReturn } from "./support/messages.ts";
import { Flag, Type } from "./support/wire.ts";

useBus();

const REPLY = "Message types: METHOD_RETURN";
const DISCONNECTED = "Message recipient disconnected from message bus without replying";
const DECIDED = "a reply passes only if it was asked for (docs/decisions/0011)";
const STRICT = "it lets no reply pass that was not asked for, whatever the policy";

async function pair(scene: Scene): Promise<[caller: Client, callee: Client]> {
  return [await scene.client(), await scene.client()];
}

conformance(
  "A method return reaches the caller with its serial",
  { spec: REPLY },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = caller.send(methodCall(callee.uniqueName));
    await callee.next();
    const replySerial = callee.send(
      methodReturn(caller.uniqueName, serial, { signature: "s", arguments: ["yes"] }),
    );
    expect(await caller.next()).toMatchObject({
      type: Type.Return,
      serial: replySerial,
      replySerial: serial,
      sender: callee.uniqueName,
      destination: caller.uniqueName,
      arguments: ["yes"],
    });
  },
);

conformance(
  "An error reaches the caller with its name and text",
  { spec: "Message types: ERROR" },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = caller.send(methodCall(callee.uniqueName));
    await callee.next();
    callee.send(errorReply(caller.uniqueName, serial, { signature: "s", arguments: ["why"] }));
    expect(await caller.next()).toMatchObject({
      type: Type.Error,
      errorName: "org.example.Failed",
      replySerial: serial,
      sender: callee.uniqueName,
      arguments: ["why"],
    });
  },
);

conformance("Replies may come in another order than the calls", { spec: REPLY }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serials = [0, 1, 2].map(() => caller.send(methodCall(callee.uniqueName)));
  await heard(caller, callee);
  for (const serial of [...serials].reverse()) callee.send(methodReturn(caller.uniqueName, serial));
  const replies = await heard(callee, caller);
  expect(replies.map(({ replySerial }) => replySerial)).toEqual([...serials].reverse());
});

conformance(
  "A caller may have many calls open at several peers",
  { spec: REPLY },
  async (scene) => {
    const caller = await scene.client();
    const callees = [await scene.client(), await scene.client(), await scene.client()];
    const serials = callees.flatMap((callee) =>
      Array.from({ length: 40 }, () => caller.send(methodCall(callee.uniqueName))),
    );
    await caller.drain();
    for (const callee of callees) {
      for (const { serial } of await callee.drain())
        callee.send(methodReturn(caller.uniqueName, serial));
      await callee.drain();
    }
    const answered = (await caller.drain()).map(({ replySerial }) => replySerial);
    expect(answered).toEqual(serials);
  },
);

conformance(
  "A reply to a call by well-known name comes from the unique name",
  { spec: REPLY },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    await callee.requestName("org.example.Service");
    await callee.drain();
    const serial = caller.send(methodCall("org.example.Service"));
    await callee.next();
    callee.send(methodReturn(caller.uniqueName, serial));
    expect((await caller.next()).sender).toBe(callee.uniqueName);
  },
);

conformance(
  "A call open while its name moves is answered by whom it reached",
  { spec: REPLY },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    await callee.requestName("org.example.Released");
    await callee.drain();
    const serial = caller.send(methodCall("org.example.Released"));
    await callee.next();
    await callee.releaseName("org.example.Released");
    expect(briefs(await caller.drain())).toEqual([]);
    callee.send(methodReturn(caller.uniqueName, serial));
    expect(briefs(await heard(callee, caller))).toEqual(["return"]);
  },
);

// Replies nobody asked for: the session policy lets them pass

for (const [what, prepare] of [
  ["with a serial never used", async () => 4242],
  [
    "a second time",
    async (caller: Client, callee: Client) => {
      const serial = caller.send(methodCall(callee.uniqueName));
      await heard(caller, callee);
      callee.send(methodReturn(caller.uniqueName, serial));
      await heard(callee, caller);
      return serial;
    },
  ],
  [
    "to a call that expected none",
    async (caller: Client, callee: Client) => {
      const serial = caller.send(methodCall(callee.uniqueName, { flags: Flag.NoReplyExpected }));
      await heard(caller, callee);
      return serial;
    },
  ],
] as const) {
  conformance(
    `A method return ${what} passes where the policy allows everything`,
    { spec: "dbus-daemon", excused: { "dbus-broker": STRICT, onehop: DECIDED } },
    async (scene) => {
      const [caller, callee] = await pair(scene);
      callee.send(methodReturn(caller.uniqueName, await prepare(caller, callee)));
      expect(briefs(await heard(callee, caller))).toEqual(["return"]);
    },
  );
}

conformance(
  "A third party's reply passes where the policy allows everything",
  { spec: "dbus-daemon", excused: { "dbus-broker": STRICT, onehop: DECIDED } },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const third = await scene.client();
    const serial = caller.send(methodCall(callee.uniqueName));
    await heard(caller, callee);
    third.send(methodReturn(caller.uniqueName, serial));
    callee.send(methodReturn(caller.uniqueName, serial));
    await third.drain();
    const senders = (await heard(callee, caller)).map(({ sender }) => sender);
    expect(senders.sort()).toEqual([third.uniqueName, callee.uniqueName].sort());
  },
);

conformance(
  "A reply does not use up another peer's call with the same serial",
  { spec: REPLY },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const second = await scene.client();
    const serial = caller.takeSerial();
    caller.send(methodCall(callee.uniqueName, { serial }));
    caller.send(methodCall(second.uniqueName, { serial }));
    await caller.drain();
    await second.drain();
    second.send(methodReturn(caller.uniqueName, serial));
    expect(briefs(await heard(second, caller))).toEqual(["return"]);
    callee.send(methodReturn(caller.uniqueName, serial));
    expect(briefs(await heard(callee, caller))).toEqual(["return"]);
  },
);

conformance(
  "Two open calls with one serial to one peer: the second is refused",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = caller.takeSerial();
    caller.send(methodCall(callee.uniqueName, { serial }));
    caller.send(methodCall(callee.uniqueName, { serial }));
    const [refusal] = await caller.drain();
    if (refusal === undefined) throw new Error("nothing came");
    expectError(
      refusal,
      "AccessDenied",
      "Message has the same reply serial as a currently-outstanding existing method call",
    );
    expect(briefs(await callee.drain())).toEqual(["call M"]);
  },
);

// Replies that will not come

conformance(
  "When the callee disconnects the caller hears NoReply",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = caller.send(methodCall(callee.uniqueName));
    await callee.next();
    callee.close();
    const reply = await caller.replyTo(serial);
    expectError(reply, "NoReply", DISCONNECTED);
    expect(reply).toMatchObject({ sender: DRIVER, destination: caller.uniqueName });
  },
);

conformance("Every open call gets its NoReply, once", { spec: "dbus-daemon" }, async (scene) => {
  const [caller, callee] = await pair(scene);
  await callee.requestName("org.example.Dying");
  await callee.drain();
  const serials = [callee.uniqueName, "org.example.Dying", callee.uniqueName].map((name) =>
    caller.send(methodCall(name)),
  );
  await heard(caller, callee);
  await scene.leave(callee);
  const answered = (await caller.drain()).map(({ replySerial }) => replySerial);
  expect(answered.sort()).toEqual([...serials].sort());
});

conformance("A call already answered gets no NoReply", { spec: "dbus-daemon" }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = caller.send(methodCall(callee.uniqueName));
  await callee.next();
  callee.send(methodReturn(caller.uniqueName, serial));
  await callee.drain();
  await scene.leave(callee);
  expect(briefs(await caller.drain())).toEqual(["return"]);
});

conformance(
  "A call that expects no reply gets no NoReply",
  { spec: "Message flags: NO_REPLY_EXPECTED" },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    caller.send(methodCall(callee.uniqueName, { flags: Flag.NoReplyExpected }));
    await callee.next();
    await scene.leave(callee);
    expect(briefs(await caller.drain())).toEqual([]);
  },
);

conformance(
  "NoReply comes after the news that the callee has gone",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    await caller.addMatch(`type='signal',member='NameOwnerChanged',arg0='${callee.uniqueName}'`);
    caller.send(methodCall(callee.uniqueName));
    await callee.next();
    await scene.leave(callee);
    expect(briefs(await caller.drain())).toEqual([
      `signal NameOwnerChanged ${callee.uniqueName} ${callee.uniqueName} ""`,
      "error NoReply",
    ]);
  },
);

conformance(
  "When the caller has gone, the callee learns it from its reply",
  {
    spec: "dbus-daemon",
    excused: { "dbus-broker": "it drops replies to nobody" },
  },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = caller.send(methodCall(callee.uniqueName));
    await callee.next();
    await scene.leave(caller);
    callee.send(methodReturn(caller.uniqueName, serial));
    expect(briefs(await callee.drain())).toEqual(["error ServiceUnknown"]);
  },
);

conformance(
  "A callee that has answered nothing may go on after the caller has gone",
  { spec: REPLY },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    caller.send(methodCall(callee.uniqueName));
    await callee.next();
    await scene.leave(caller);
    expect(briefs(await callee.drain())).toEqual([]);
  },
);

conformance(
  "A peer that calls itself and goes is nobody's trouble",
  { spec: REPLY },
  async (scene) => {
    const [caller, other] = await pair(scene);
    caller.send(methodCall(caller.uniqueName));
    await caller.next();
    await scene.leave(caller);
    expect(briefs(await other.drain())).toEqual([]);
  },
);

conformance("A reply flagged NO_REPLY_EXPECTED is a reply", { spec: REPLY }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = caller.send(methodCall(callee.uniqueName));
  await callee.next();
  callee.send(methodReturn(caller.uniqueName, serial, { flags: Flag.NoReplyExpected }));
  expect(briefs(await heard(callee, caller))).toEqual(["return"]);
});
