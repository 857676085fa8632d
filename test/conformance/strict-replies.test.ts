/** Replies under a policy that lets only requested ones pass, as on a system bus. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Arrival, Client } from "./support/client.ts";
import { conformance, expectError, type Scene, useBus } from "./support/conformance.ts";
import { errorReply, heard, methodCall, methodReturn } from "./support/messages.ts";
import { type Draft, Flag } from "./support/wire.ts";

useBus({ configuration: "strict-replies.conf" });

const REPLIES = "dbus-daemon: send_requested_reply";
const SILENT = "it drops them without a word";

async function pair(scene: Scene): Promise<[caller: Client, callee: Client]> {
  return [await scene.client(), await scene.client()];
}

/** Makes a call that has arrived; returns its serial. */
async function openCall(caller: Client, callee: Client, flags = 0): Promise<number> {
  const serial = caller.send(methodCall(callee.uniqueName, { flags }));
  await heard(caller, callee);
  return serial;
}

/** The reply reaches nobody; returns what its sender hears. */
async function refused(sender: Client, reply: Draft, caller: Client): Promise<Arrival[]> {
  sender.send(reply);
  const answer = await sender.drain();
  expect(briefs(await caller.drain())).toEqual([]);
  return answer;
}

conformance("A requested reply passes", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = await openCall(caller, callee);
  callee.send(methodReturn(caller.uniqueName, serial));
  expect(briefs(await heard(callee, caller))).toEqual(["return"]);
});

conformance("A requested error passes", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = await openCall(caller, callee);
  callee.send(errorReply(caller.uniqueName, serial));
  expect(await heard(callee, caller)).toHaveLength(1);
});

conformance("A second reply does not pass", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = await openCall(caller, callee);
  callee.send(methodReturn(caller.uniqueName, serial));
  await heard(callee, caller);
  await refused(callee, methodReturn(caller.uniqueName, serial), caller);
});

conformance("An error after the return does not pass", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = await openCall(caller, callee);
  callee.send(methodReturn(caller.uniqueName, serial));
  await heard(callee, caller);
  await refused(callee, errorReply(caller.uniqueName, serial), caller);
});

conformance("A reply with a serial never used does not pass", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  await openCall(caller, callee);
  await refused(callee, methodReturn(caller.uniqueName, 4242), caller);
});

conformance(
  "A reply to a call that expected none does not pass",
  { spec: REPLIES },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const serial = await openCall(caller, callee, Flag.NoReplyExpected);
    await refused(callee, methodReturn(caller.uniqueName, serial), caller);
  },
);

conformance(
  "A third party's reply does not pass, and the true one still does",
  { spec: REPLIES },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const third = await scene.client();
    const serial = await openCall(caller, callee);
    await refused(third, methodReturn(caller.uniqueName, serial), caller);
    callee.send(methodReturn(caller.uniqueName, serial));
    expect(briefs(await heard(callee, caller))).toEqual(["return"]);
  },
);

conformance("A caller cannot answer its own call to another", { spec: REPLIES }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = await openCall(caller, callee);
  await refused(caller, methodReturn(callee.uniqueName, serial), callee);
});

conformance(
  "Who sends a reply that was not requested is told so",
  { spec: REPLIES, excused: { "dbus-broker": SILENT } },
  async (scene) => {
    const [caller, callee] = await pair(scene);
    const [answer, ...more] = await refused(callee, methodReturn(caller.uniqueName, 4242), caller);
    if (answer === undefined) throw new Error("nothing came");
    expectError(answer, "AccessDenied", "Rejected send message, ");
    expect(more).toEqual([]);
  },
);
