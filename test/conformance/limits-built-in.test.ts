/** Limits that no configuration sets: what dbus-daemon has built in. */

import { expect } from "@jest/globals";
import { expectError } from "./support/conformance.ts";
import { limit, useLimits } from "./support/limited-bus.ts";
import { methodCall } from "./support/messages.ts";

useLimits({});

const other = { uid: 65534, gid: 65534, groups: [] };

limit("512 match rules", "max_match_rules_per_connection", async (scene) => {
  const client = await scene.client();
  const add = () => client.sendCall("AddMatch", { signature: "s", arguments: ["member='M'"] });
  const serials = Array.from({ length: 513 }, add);
  expectError(await client.replyTo(serials[512] ?? 0), "LimitsExceeded");
  expect((await client.drain()).every(({ errorName }) => errorName === null)).toBe(true);
});

limit("512 names, the unique one among them", "max_names_per_connection", async (scene) => {
  const client = await scene.client();
  const serials = Array.from({ length: 512 }, (_, n) =>
    client.sendCall("RequestName", { signature: "su", arguments: [`org.example.N${n}`, 0] }),
  );
  expectError(await client.replyTo(serials[511] ?? 0), "LimitsExceeded");
  expect((await client.drain()).every(({ errorName }) => errorName === null)).toBe(true);
});

limit("128 replies", "max_replies_per_connection", async (scene) => {
  const [caller, callee] = [await scene.client(), await scene.client()];
  const call = () => caller.send(methodCall(callee.uniqueName));
  const serials = Array.from({ length: 129 }, call);
  expectError(await caller.replyTo(serials[128] ?? 0), "LimitsExceeded");
  expect(await caller.drain()).toEqual([]);
});

limit("16 descriptors in a message", "max_message_unix_fds", async (scene) => {
  const sender = await scene.peer({ negotiateFds: true }, other);
  const receiver = await scene.peer({ negotiateFds: true });
  const handles = (count: number) => ({
    signature: "ah",
    arguments: [[...Array(count).keys()]],
    unixFds: count,
    flags: 1,
  });
  const files = (count: number): string[] => Array.from({ length: count }, () => "a");
  sender.send(methodCall(receiver.uniqueName, handles(16)), files(16));
  expect((await receiver.next()).files).toHaveLength(16);
  sender.send(methodCall(receiver.uniqueName, handles(17)), files(17));
  await sender.disconnected();
});
