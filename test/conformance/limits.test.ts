/** Limits of one connection: names, match rules, replies, messages, and the time for a reply. */

import { expect } from "@jest/globals";
import { brief } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { limit, useLimits } from "./support/limited-bus.ts";
import { methodCall, methodReturn } from "./support/messages.ts";

useLimits({
  max_names_per_connection: 3,
  max_match_rules_per_connection: 2,
  max_replies_per_connection: 2,
  max_message_size: 4096,
  max_message_unix_fds: 2,
  reply_timeout: 300,
});

const request = (client: Client, name: string, flags = 0) =>
  client.call("RequestName", { signature: "su", arguments: [name, flags] });
const addMatch = (client: Client, rule: string) =>
  client.call("AddMatch", { signature: "s", arguments: [rule] });

limit(
  "The unique name counts as one of a connection's names",
  "max_names_per_connection",
  async (scene) => {
    const client = await scene.client();
    expect(await client.requestName("org.example.Limits1")).toBe(1);
    expect(await client.requestName("org.example.Limits2")).toBe(1);
    const text = `Connection "${client.uniqueName}" is not allowed to own more services (increase limits in configuration file if required; max_names_per_connection=3)`;
    expectError(await request(client, "org.example.Limits3"), "LimitsExceeded", text);
    // A name that it has already is not one more.
    expectError(await request(client, "org.example.Limits2"), "LimitsExceeded", text);
    await client.releaseName("org.example.Limits1");
    expect(await client.requestName("org.example.Limits3")).toBe(1);
  },
);

limit("Names that a connection waits for count", "max_names_per_connection", async (scene) => {
  const [owner, waiter] = [await scene.client(), await scene.client()];
  for (const name of ["org.example.Queued1", "org.example.Queued2"]) {
    expect(await owner.requestName(name)).toBe(1);
    expect(await waiter.requestName(name)).toBe(2);
  }
  expectError(await request(waiter, "org.example.Queued3"), "LimitsExceeded");
  expectError(await request(waiter, "org.example.Queued1"), "LimitsExceeded");
});

limit(
  "A connection has so many match rules, equal ones counted each",
  "max_match_rules_per_connection",
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    await client.addMatch("member='A'");
    await client.addMatch("member='A'");
    const text = `Connection "${client.uniqueName}" is not allowed to add more match rules (increase limits in configuration file if required; max_match_rules_per_connection=2)`;
    expectError(await addMatch(client, "member='A'"), "LimitsExceeded", text);
    expectError(await addMatch(client, "not a rule"), "LimitsExceeded", text);
    await client.removeMatch("member='A'");
    await client.addMatch("member='B'");
    await other.addMatch("member='A'");
  },
);

limit(
  "A connection waits for so many replies, whoever they are of",
  "max_replies_per_connection",
  async (scene) => {
    const [caller, one, two] = [await scene.client(), await scene.client(), await scene.client()];
    const waiting = [one, two].map((callee) => caller.send(methodCall(callee.uniqueName)));
    const refused = await caller.replyTo(caller.send(methodCall(one.uniqueName)));
    expectError(
      refused,
      "LimitsExceeded",
      "The maximum number of pending replies per connection has been reached",
    );
    expect(refused.sender).toBe("org.freedesktop.DBus");
    // Calls of the bus itself, and those that want no reply, wait for none.
    await caller.drain();
    caller.send(methodCall(one.uniqueName, { flags: 1, member: "Quiet" }));
    expect((await one.next()).member).toBe("M");
    expect((await one.next()).member).toBe("Quiet");
    await two.next();
    two.send(methodReturn(caller.uniqueName, waiting[1] ?? 0));
    expect(brief(await caller.replyTo(waiting[1] ?? 0))).toBe("return");
    const last = caller.send(methodCall(two.uniqueName));
    expect((await two.next()).serial).toBe(last);
  },
);

limit(
  "A caller gets no reply in time, and hears so from the bus",
  "reply_timeout",
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    const serials = [
      caller.send(methodCall(callee.uniqueName)),
      caller.send(methodCall(callee.uniqueName)),
    ];
    for (const serial of serials) {
      const error = await caller.replyTo(serial);
      expectError(error, "NoReply", "Message did not receive a reply (timeout by message bus)");
      expect(error.sender).toBe("org.freedesktop.DBus");
    }
    // It does not wait for them any more.
    for (const _ of serials) caller.send(methodCall(callee.uniqueName));
    await caller.drain();
    for (let count = 0; count < 4; count++) expect((await callee.next()).member).toBe("M");
  },
);

limit(
  "A message that is too long ends its sender's connection",
  "max_message_size",
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const body = (length: number) => ({ signature: "s", arguments: ["x".repeat(length)] });
    sender.send(methodCall(receiver.uniqueName, { ...body(3000), flags: 1 }));
    expect(brief(await receiver.next())).toContain("call");
    sender.send(methodCall(receiver.uniqueName, { ...body(5000), flags: 1 }));
    await sender.disconnected();
    expect(await receiver.drain()).toEqual([]);
  },
);

limit(
  "A message with too many descriptors ends its sender's connection",
  "max_message_unix_fds",
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const receiver = await scene.peer({ negotiateFds: true });
    const handles = (count: number) => ({
      signature: "ah",
      arguments: [[...Array(count).keys()]],
      unixFds: count,
      flags: 1,
    });
    sender.send(methodCall(receiver.uniqueName, handles(2)), ["a", "b"]);
    expect((await receiver.next()).files.map(({ content }) => content)).toEqual(["a", "b"]);
    sender.send(methodCall(receiver.uniqueName, handles(3)), ["a", "b", "c"]);
    await sender.disconnected();
    expect(await receiver.drain()).toEqual([]);
  },
);
