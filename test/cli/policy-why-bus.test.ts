/** What `onehop policy why` answers is what a bus does: onehop's with random policies, and the real dbus-daemon. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { createBus, type PolicyRule } from "../../bus/index.ts";
import type { PolicySource } from "../../cli/policy/policy-source.ts";
import { isAllowed } from "../../cli/policy/why.ts";
import { type Client, connect, type DBusError } from "../../client/index.ts";
import { errorReply, type Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { NAMES, policyRules } from "../bus/policy/arbitrary-policies.ts";
import { policyOf } from "../bus/policy/policy-text.ts";
import { testWithProgram } from "../compat/programs.ts";
import { startDaemon } from "../differential/daemon-run.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { ask, type Question, sourceOf, withRules } from "./policy-questions.ts";

jest.setTimeout(60_000);

let folder = "";
let plain: PolicySource;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-policy-why-"));
  plain = sourceOf(written("plain.conf", ""));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, policies: string): string {
  const path = join(folder, name);
  const listen = `<listen>unix:tmpdir=${folder}</listen>`;
  writeFileSync(path, `<busconfig>${listen}\n${policies}\n</busconfig>`);
  return path;
}

/** Some messages to everybody, and others to who has one of the two names, so that rules by chance matter. */
const OPEN = policyOf(`<policy context="default">
  <allow send_type="signal"/><allow send_path="/p"/>
  <allow send_destination="${NAMES[1]}"/>
  <allow receive_sender="${NAMES[0]}"/>
  <allow receive_path="/q"/>
  <deny send_path="/other"/><deny receive_interface="i.two"/>
</policy>`).rules;

/** So that peers can get names, call each other for a reply, and ask the bus whether it has done all that was asked before. */
const SCAFFOLD = policyOf(`<policy context="mandatory">
  <allow own="*"/>
  <allow send_destination="${DRIVER_NAME}" send_interface="${DRIVER_NAME}"/>
  <allow receive_sender="${DRIVER_NAME}"/>
  <allow send_interface="scaffold.I" send_type="method_call"/>
  <allow receive_interface="scaffold.I" receive_type="method_call"/>
</policy>`).rules;

// daemon and bin, which every machine has: a user without a name is looked for in all name services.
const SENDER = { userId: 1, groupId: 1, groups: [1, 2], processId: 1 };
const RECEIVER = { userId: 2, groupId: 3, groups: [3], processId: 1 };

/** Rules by chance are about the users 10 and 20. */
function forTheseUsers(rule: PolicyRule): PolicyRule {
  const { context } = rule;
  if (context.kind !== "user") return rule;
  const { userId } = context.userId === 10 ? SENDER : RECEIVER;
  return { ...rule, context: { kind: "user", userId } };
}

const KINDS = ["method_call", "signal", "broadcast", "method_return", "error"] as const;

interface Sent {
  readonly kind: (typeof KINDS)[number];
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly hasInterface: boolean;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  kind: fc.constantFrom(...KINDS),
  path: fc.constantFrom("/p", "/q", "/other"),
  interface: fc.constantFrom("i.one", "i.two", "i.other"),
  member: fc.constantFrom("M", "N", "Other"),
  hasInterface: fc.boolean(),
});

/** `asked`: the call that it answers, if it is a reply. */
function messageOf(draft: Sent, to: string, asked: number): Message {
  const { kind, path, interface: interfaceName, member, hasInterface } = draft;
  const named = { path, member, ...(hasInterface && { interface: interfaceName }) };
  const call = { serial: asked, sender: to };
  switch (kind) {
    case "method_call":
      return methodCall({ ...named, destination: to });
    case "signal":
      return signal({ path, member, interface: interfaceName, destination: to });
    case "broadcast":
      return signal({ path, member, interface: interfaceName });
    case "method_return":
      return methodReturn(call);
    case "error":
      return errorReply(call, "e.one", "");
  }
}

function isReplyKind(kind: Sent["kind"]): boolean {
  return kind === "method_return" || kind === "error";
}

function questionOf(draft: Sent, names: readonly [string, ...string[]]): Question {
  const { kind, path, interface: interfaceName, member, hasInterface } = draft;
  const isReply = isReplyKind(kind);
  const hasNoInterface = kind === "method_call" && !hasInterface;
  const [name, ...others] = names;
  return {
    sender: "1:1,2",
    name,
    "destination-owns": others,
    "receiver-user": "2:3",
    type: kind === "broadcast" ? "signal" : kind,
    broadcast: kind === "broadcast",
    reply: isReply,
    ...(kind === "error" && { error: "e.one" }),
    ...(!isReply && { path, member, interface: hasNoInterface ? "-" : interfaceName }),
  };
}

test("with any policy: what it says of a message is what a bus does with it", async () => {
  const [, otherName = ""] = NAMES;
  const ownName = NAMES[0] ?? "";
  const count = { allowed: 0, denied: 0 };
  const drafts = fc.array(sent, { minLength: 4, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(policyRules, drafts, async (random: readonly PolicyRule[], messages) => {
      const rules = [...OPEN, ...random.map(forTheseUsers), ...SCAFFOLD];
      const bus = createBus({ policy: () => ({ rules }), mayConnect: () => true });
      const one = await MemoryPeer.join(bus, SENDER);
      const two = await MemoryPeer.join(bus, RECEIVER);
      await one.driver("RequestName", "su", [ownName, 0]);
      await two.driver("RequestName", "su", [otherName, 0]);
      await two.driver("AddMatch", "s", ["type='signal'"]);
      for (const draft of messages) {
        await two.drain();
        const call = { path: "/", interface: "scaffold.I", member: "Call" };
        const asked = isReplyKind(draft.kind)
          ? two.send(methodCall({ ...call, destination: one.uniqueName }))
          : 0;
        // The call has arrived then; onehop drops replies that nobody waits for, whatever a policy says.
        await two.drain();
        one.send(messageOf(draft, two.uniqueName, asked));
        await one.drain();
        const arrived = (await two.drain()).filter(({ sender }) => sender === one.uniqueName);
        const question = questionOf(draft, [two.uniqueName, otherName]);
        // Nobody has to be asked who the receiver is: it was said.
        const answer = await ask({ ...question, owns: [ownName] }, withRules(plain, rules));
        count[isAllowed(answer) ? "allowed" : "denied"]++;
        expect({ draft, passes: arrived.length > 0 }).toEqual({ draft, passes: isAllowed(answer) });
      }
    }),
    { numRuns: 80 },
  );
  // Or else little has been compared.
  expect(Math.min(count.allowed, count.denied)).toBeGreaterThan(50);
});

const SERVICE = "com.example.Service";
const OTHER = "com.example.Other";

/** The classic mistakes among them. */
function policies(user: number): string {
  return `<policy context="default">
  <allow user="*"/>
  <deny own="*"/>
  <deny send_type="method_call"/>
  <allow send_type="signal"/>
  <allow send_requested_reply="true" send_type="method_return"/>
  <allow send_requested_reply="true" send_type="error"/>
  <allow receive_type="method_call"/>
  <allow receive_type="method_return"/>
  <allow receive_type="error"/>
  <allow receive_type="signal"/>
  <allow send_destination="${DRIVER_NAME}"/>
  <deny send_destination="${DRIVER_NAME}" send_interface="${DRIVER_NAME}" send_member="ListActivatableNames"/>
</policy>
<policy user="${user}">
  <allow own="${SERVICE}"/>
  <allow own_prefix="com.example.sub"/>
  <allow send_destination="${SERVICE}"/>
  <deny send_destination="${SERVICE}" send_interface="com.example.Secret"/>
  <deny send_destination="${SERVICE}" send_interface="com.example.I" send_member="Reboot"/>
  <deny send_destination="${SERVICE}" send_path="/secret"/>
  <deny receive_interface="com.example.Unheard"/>
  <allow send_interface="com.example.Everywhere"/>
</policy>
<policy context="mandatory">
  <deny send_destination="${SERVICE}" send_member="Never" send_path="/"/>
  <deny own="com.example.sub.Never"/>
</policy>`;
}

testWithProgram(
  "dbus-daemon",
  "of dbus-daemon: what it says is what dbus-daemon does",
  async () => {
    const user = process.geteuid?.() ?? 0;
    const path = written("daemon.conf", policies(user));
    const source = sourceOf(path);
    const daemon = await startDaemon("dbus-daemon", path);
    const service = await connect(daemon.address, { onCall: (call) => answers(service, call) });
    await service.requestName(SERVICE);
    const caller = await connect(daemon.address);
    const calls: readonly (readonly [string, string, string | null, string])[] = [
      [SERVICE, "/", "com.example.I", "Hello"],
      [SERVICE, "/", null, "Hello"],
      [SERVICE, "/", "com.example.I", "Reboot"],
      [SERVICE, "/", null, "Reboot"],
      [SERVICE, "/", "com.example.J", "Reboot"],
      [SERVICE, "/secret", "com.example.I", "Hello"],
      [SERVICE, "/", "com.example.Secret", "Hello"],
      [SERVICE, "/", "com.example.Unheard", "Hello"],
      [SERVICE, "/", "com.example.I", "Never"],
      [service.uniqueName, "/", "com.example.I", "Hello"],
      [service.uniqueName, "/", "com.example.Secret", "Hello"],
      [caller.uniqueName, "/", "com.example.I", "Hello"],
      [caller.uniqueName, "/", "com.example.Everywhere", "Hello"],
      [DRIVER_NAME, "/", DRIVER_NAME, "ListNames"],
      [DRIVER_NAME, "/", DRIVER_NAME, "ListActivatableNames"],
    ];
    const verdicts: string[] = [];
    try {
      for (const [name, at, interfaceName, member] of calls) {
        const words = { name, path: at, interface: interfaceName ?? "-", member };
        const error = await errorOf(caller, name, at, interfaceName, member);
        const isDenied = error === "org.freedesktop.DBus.Error.AccessDenied";
        for (const sender of [caller.uniqueName, String(user)]) {
          const answer = await ask({ ...words, sender }, source, caller);
          const what = `${sender} ${Object.values(words).join(" ")}`;
          expect([what, isAllowed(answer)]).toEqual([what, !isDenied]);
        }
        verdicts.push(isDenied ? "denied" : "allowed");
      }
      for (const own of [
        "com.example.sub",
        "com.example.sub.One",
        "com.example.sub.Never",
        OTHER,
      ]) {
        const isDenied = await caller.requestName(own).then(
          () => false,
          () => true,
        );
        const answer = await ask({ sender: caller.uniqueName, own }, source, caller);
        expect([own, isAllowed(answer)]).toEqual([own, !isDenied]);
        verdicts.push(isDenied ? "denied" : "allowed");
      }
    } finally {
      await caller.close();
      await service.close();
      await daemon.stop();
    }
    // Or else little has been compared.
    expect(verdicts.filter((verdict) => verdict === "denied").length).toBeGreaterThan(7);
    expect(verdicts.filter((verdict) => verdict === "allowed").length).toBeGreaterThan(6);
  },
);

function answers(service: Client, call: Parameters<Client["reply"]>[0]): boolean {
  service.reply(call, {});
  return true;
}

/** The name of the error that answers a call; null if something else does. */
async function errorOf(
  caller: Client,
  destination: string,
  path: string,
  interfaceName: string | null,
  member: string,
): Promise<string | null> {
  const named = interfaceName === null ? {} : { interface: interfaceName };
  return caller.call({ destination, path, member, ...named }).then(
    () => null,
    (error: DBusError) => error.errorName,
  );
}
