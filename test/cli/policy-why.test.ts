/** `onehop policy why`: questions in words, answers for people and programs, and exit statuses. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/index.ts";
import type { PolicySource } from "../../cli/policy/policy-source.ts";
import { parseSubject } from "../../cli/policy/subject.ts";
import { suggestedPolicy } from "../../cli/policy/suggestion.ts";
import { isAllowed } from "../../cli/policy/why.ts";
import { formatAnswer } from "../../cli/print/judgement.ts";
import { answerJson } from "../../cli/print/judgement-json.ts";
import { type Client, connect } from "../../client/index.ts";
import { type Ended, start } from "../compat/daemon-process.ts";
import { ask, type Question, sourceOf } from "./policy-questions.ts";

jest.setTimeout(60_000);

const POLICY = `<policy context="default">
  <allow user="*"/><deny user="games"/>
  <deny own="*"/>
  <deny send_type="method_call"/>
  <allow send_destination="a.b" send_interface="a.b.Open"/>
  <deny send_destination="a.b" send_interface="a.b.Open" send_member="Closed"/>
  <allow receive_type="method_call"/>
</policy>
<policy group="sys"><allow send_destination="a.b" send_interface="a.b.Group"/></policy>
<policy user="bin"><allow own="a.b"/><deny receive_path="/deaf"/></policy>
<policy context="mandatory"><deny own="a.b.Never"/></policy>`;

let folder = "";
let file = "";
let source: PolicySource;
let bus: StartedBus;
let service: Client;
let client: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-policy-"));
  file = written("bus.conf", POLICY);
  source = sourceOf(file);
  bus = await startBus({ listen: [`unix:path=${join(folder, "bus")}`], mayConnect: () => true });
  service = await connect(bus.address);
  client = await connect(bus.address);
  await service.requestName("a.b");
  await client.requestName("x.y");
  await service.requestName("x.y", { mayQueue: true });
});
afterAll(async () => {
  await client.close();
  await service.close();
  await bus.stop();
  rmSync(folder, { recursive: true });
});

function written(name: string, policies: string): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    `<busconfig><listen>unix:path=${folder}/none</listen>\n${policies}\n</busconfig>`,
  );
  return path;
}

const plain = (text: string): string => text;
async function answer(question: Question, on: PolicySource = source): Promise<string> {
  // The folder has another name each time, and columns another width.
  return formatAnswer(await ask(question, on), plain)
    .replaceAll(folder, "")
    .replaceAll(/WHERE +RULE/g, "WHERE  RULE");
}

test("who decides, with file and line, and what was overridden", async () => {
  const closed = { path: "/", interface: "a.b.Open", member: "Closed" };
  expect(await answer({ sender: "1:1", name: "a.b", ...closed })).toBe(
    `method call / a.b.Open Closed from 1:1 to a.b: denied

          USER        GROUPS      NAMES
sender    daemon (1)  daemon (1)  -
receiver  anybody     -           a.b

sending: denied
    VERDICT  FOR      WHERE  RULE
    deny     default  /bus.conf:5  <deny send_type="method_call">
    allow    default  /bus.conf:6  <allow send_destination="a.b" send_interface="a.b.Open">
 →  deny     default  /bus.conf:7  <deny send_destination="a.b" send_interface="a.b.Open" send_member="Closed">

note: who owns a.b is not known; its rules for users and groups are not looked at (--receiver-user USER)

to allow it, in a file that is read later:
  <policy user="daemon"><allow send_destination="a.b" send_interface="a.b.Open" send_member="Closed"/></policy>
`,
  );
});

test("both sides are asked, each by the rules for its user and groups", async () => {
  const open = { name: "a.b", interface: "a.b.Group", member: "M" };
  const receiver = { "receiver-user": "bin" };
  const heard = { sender: "1:sys", path: "/", ...open, ...receiver };
  expect(await answer(heard)).toContain("group sys (3)");
  expect(isAllowed(await ask(heard, source))).toBe(true);
  const deaf = { ...heard, path: "/deaf" };
  expect(isAllowed(await ask(deaf, source))).toBe(false);
  expect(await answer(deaf)).toContain(
    ' →  deny     user bin (2)  /bus.conf:11  <deny receive_path="/deaf">',
  );
  expect(isAllowed(await ask({ ...heard, sender: "1:adm" }, source))).toBe(false);
});

test("what is left open: the messages that rules tell apart", async () => {
  const text = await answer({ sender: "1:", name: "a.b", path: "/" });
  expect(text).toContain(
    `
VERDICT  PATH  INTERFACE  MEMBER  DECIDED BY
allowed  /     a.b.Open   *       /bus.conf:6
denied   /     a.b.Open   Closed  /bus.conf:7
denied   /     *          *       /bus.conf:5
`,
  );
  expect(text).toMatch(/^method call \/ from .*: it depends\n/);
  // A rule that denies an interface fits calls without one, and none that allows it does.
  const without = { sender: "1:", name: "a.b", path: "/", interface: "-", member: "Closed" };
  expect(await answer(without)).toMatch(/→ {2}deny .*bus.conf:7/);
});

test("what is left open: calls without an interface, if they are told apart", async () => {
  const path = written(
    "denied.conf",
    `<policy context="default"><allow send_type="method_call"/><allow receive_type="method_call"/>
<deny send_destination="a.b" send_interface="c.d"/></policy>`,
  );
  expect(await answer({ sender: "1:", name: "a.b", path: "/" }, sourceOf(path))).toContain(`
denied   /     -          *       /denied.conf:3
denied   /     c.d        *       /denied.conf:3
allowed  /     *          *       /denied.conf:2
`);
});

test("what is left open: nothing is told twice", async () => {
  const path = written(
    "twice.conf",
    `<policy context="default"><allow send_destination="a.b" send_interface="c.d"/>
<allow receive_type="method_call"/>
<allow send_destination="x.y" send_interface="c.d" send_member="M"/></policy>`,
  );
  const text = await answer({ sender: "1:", name: "a.b", path: "/" }, sourceOf(path));
  expect(text).toContain(`DECIDED BY
allowed  /     c.d        *       /twice.conf:2
denied   /     *          *       no rule allows it
`);
});

test("names and connections", async () => {
  const owns = await ask({ sender: "bin", own: "a.b" }, source);
  expect([isAllowed(owns), suggestedPolicy(owns)]).toEqual([true, null]);
  const other = await ask({ sender: "daemon", own: "a.b" }, source);
  expect(suggestedPolicy(other)).toBe('<policy user="daemon"><allow own="a.b"/></policy>');
  // Nothing for a user helps against a mandatory rule.
  const never = await ask({ sender: "bin", own: "a.b.Never" }, source);
  expect([isAllowed(never), suggestedPolicy(never)]).toEqual([false, null]);
  const games = await answer({ sender: "games", connect: true });
  expect(games).toMatch(
    /^games \(5\) as a peer: denied\n[\s\S]*→ {2}deny +default .*<deny user="games">/,
  );
  expect(await answer({ sender: "games", name: "a.b", path: "/" })).toContain(
    "games (5) may not even connect:",
  );
  expect(isAllowed(await ask({ sender: "daemon", connect: true }, source))).toBe(true);
});

test("what is suggested does allow it", async () => {
  const questions: Question[] = [
    { sender: "daemon", name: "a.b", path: "/", interface: "a.b.Open", member: "Closed" },
    { sender: "daemon", name: "a.b", path: "/", interface: "-", member: "M" },
    { sender: "daemon", name: "c.d", path: "/", interface: "e.f", member: "M" },
    { sender: "daemon", own: "a.b" },
  ];
  for (const question of questions) {
    const denied = await ask(question, source);
    const changed = sourceOf(written("changed.conf", POLICY + suggestedPolicy(denied)));
    const allowed = await ask(question, changed);
    expect([question, isAllowed(denied), isAllowed(allowed)]).toEqual([question, false, true]);
  }
});

test("replies, signals, descriptors", async () => {
  const path = written(
    "types.conf",
    `<policy context="default">
<allow send_type="method_return"/><allow send_error="a.b.Busy" send_type="error"/>
<allow send_type="signal" send_broadcast="true"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_type="method_call" max_fds="1"/><allow receive_type="method_call" min_fds="1"/></policy>`,
  );
  const types = sourceOf(path);
  const verdict = async (words: Partial<Question>): Promise<boolean> =>
    isAllowed(await ask({ sender: "1:", name: ":1.7", "receiver-user": "2:", ...words }, types));
  expect(await verdict({ reply: true })).toBe(true);
  expect(await verdict({ reply: true, unrequested: true })).toBe(false);
  expect(await verdict({ error: "a.b.Busy" })).toBe(true);
  expect(await verdict({ error: "a.b.Other" })).toBe(false);
  expect(await verdict({ type: "signal", broadcast: true })).toBe(true);
  expect(await verdict({ type: "signal" })).toBe(false);
  expect(await verdict({ type: "signal", broadcast: true, overheard: false })).toBe(true);
  expect([await verdict({ fds: 0 }), await verdict({ fds: 1 }), await verdict({ fds: 2 })]).toEqual(
    [false, true, false],
  );
  expect(await verdict({ fds: 1, overheard: true })).toBe(false);
});

test("peers of a running bus: users, groups, and names that they own or wait for", async () => {
  const { userId, groups } = { userId: process.geteuid?.(), groups: process.getgroups?.() };
  const asked = await ask({ sender: "x.y", name: "a.b", path: "/" }, source, client);
  expect(answerJson(asked)).toMatchObject({
    sender: { text: "x.y", userId, names: [client.uniqueName, "x.y"] },
    receiver: { text: "a.b", userId, names: [service.uniqueName, "a.b", "x.y"] },
    notes: [],
  });
  expect(asked.sender.peer?.groups).toEqual(expect.arrayContaining(groups ?? []));
  // Rules about a name are about its owner, however it is called.
  const open = { path: "/", interface: "a.b.Open", member: "M" };
  const byUniqueName = { sender: "1:", name: service.uniqueName, ...open };
  expect(isAllowed(await ask(byUniqueName, source, client))).toBe(true);
  const nobody = await ask({ sender: "1:", name: "no.body", ...open }, source, client);
  expect(nobody.notes).toEqual([
    expect.stringMatching(/^who owns no.body is not known: nobody does/),
  ]);
});

test("the bus itself: the sender's rules only, or the receiver's", async () => {
  const to = await ask({ sender: "1:", name: "org.freedesktop.DBus", path: "/" }, source);
  const from = await ask({ sender: "org.freedesktop.DBus", name: "a.b", path: "/" }, source);
  const sides = [to, from].map((each) =>
    each.about === "message" ? each.cases[0].explanation.steps.map(({ asked }) => asked) : [],
  );
  expect(sides).toEqual([["send"], ["receive"]]);
});

test("who somebody is, in words", () => {
  const groups = expect.arrayContaining([1]);
  expect(parseSubject("daemon")).toEqual({ kind: "user", userId: 1, groups });
  expect(parseSubject("1:2,adm,2")).toEqual({ kind: "user", userId: 1, groups: [2, 4] });
  expect(parseSubject("1:")).toEqual({ kind: "user", userId: 1, groups: [] });
  expect(parseSubject(":1.5")).toEqual({ kind: "peer", name: ":1.5" });
  expect(parseSubject("a.b")).toEqual({ kind: "peer", name: "a.b" });
  expect(parseSubject("org.freedesktop.DBus")).toEqual({ kind: "bus" });
});

test.each([
  [{ sender: "no such user", name: "a.b" }, /^there is no user "no such user"/],
  [{ sender: ":a b", name: "a.b" }, /^":a b" is nobody/],
  [{ sender: "daemon:nosuchgroup", name: "a.b" }, /^there is no group "nosuchgroup"/],
  [{ sender: "1:1:1", name: "a.b" }, /^"1:1:1": expected such as/],
  [{ sender: "1" }, /^ask about a NAME/],
  [{ sender: "1", name: "a.b", own: "a.b" }, /one of them$/],
  [{ sender: "1", own: ":1.5" }, /^nobody may own ":1.5"/],
  [{ sender: "1", own: "org.freedesktop.DBus" }, /^nobody may own/],
  [{ sender: "org.freedesktop.DBus", own: "a.b" }, /is the bus itself/],
  [{ sender: "1", name: "a b" }, /^"a b" is not a bus name/],
  [{ sender: "1", name: "a.b", path: "a" }, /is not an object path/],
  [{ sender: "1", name: "a.b", path: "/", interface: "a" }, /is not an interface/],
  [{ sender: "1", name: "a.b", type: "call" }, /^--type call: expected method_call/],
  [{ sender: "1", name: "a.b", error: "x" }, /^--error x: expected such as/],
  [{ sender: "1", name: "a.b", error: "x.y", type: "signal" }, /^--error is about errors/],
  [{ sender: "1", name: "a.b", reply: true, type: "signal" }, /^--reply is about replies/],
  [{ sender: "1", name: "a.b", unrequested: true }, /^--unrequested is about replies/],
  [{ sender: "1", name: "a.b", broadcast: true, type: "error" }, /^only signals are broadcast/],
  [{ sender: "1", name: "a.b", broadcast: true, overheard: true }, /^a broadcast is for everybody/],
  [{ sender: "1", name: "org.freedesktop.DBus", broadcast: true }, /hears no broadcasts/],
  [{ sender: "1", name: "a.b", fds: 1.5 }, /^--fds is a number of descriptors/],
  [{ sender: "1", name: "a.b", "receiver-user": "nosuchuser" }, /^there is no user/],
] as const)("misuse: %j", async (question, expected) => {
  await expect(ask(question, source)).rejects.toMatchObject({
    message: expect.stringMatching(expected),
    status: 2,
  });
});

function onehop(...words: string[]): Promise<Ended> {
  return start("cli/main.js", ["policy", ...words]).ended;
}

test("as a process: output, errors and statuses", async () => {
  const broken = written("broken.conf", '<policy context="default"><allow/></policy>');
  const open = written("open.conf", '<policy context="default"><allow own="*"/></policy>');
  const left = written("left.conf", `${POLICY}<includedir>${folder}/inc</includedir>`);
  const call = ["a.b", "/", "a.b.Open", "M"];
  const outcomes = await Promise.all([
    onehop("why", "1:", ...call, "--config-file", file),
    onehop("why", "1:", "a.b", "--config-file", file),
    onehop("why", "x.y", ...call, "--config-file", file, "--address", bus.address),
    onehop("why", "no.body", ...call, "--config-file", file, "--address", bus.address),
    onehop("why", "x.y", ...call, "--config-file", file),
    onehop("why", "x.y", ...call, "--config-file", file, "--address", `unix:path=${folder}/none`),
    onehop("why", "1:", ...call, "--config-file", broken),
    onehop("why", "1:", ...call, "--config-file", left, "--json"),
    onehop("lint", "--config-file", file),
    onehop("lint", "--config-file", open),
    onehop("lint", "--config-file", broken),
    onehop(),
  ]);
  expect(outcomes.map(({ status, stdout, stderr }) => [status, stdout, stderr])).toEqual([
    [0, expect.stringContaining(": allowed\n"), ""],
    [1, expect.stringContaining(": it depends\n"), ""],
    [0, expect.stringContaining(`${service.uniqueName}, a.b, x.y\n`), ""],
    [1, "", expect.stringMatching(/^onehop: nobody owns no.body\n/)],
    [2, "", expect.stringMatching(/^onehop: a bus is needed .*\n.*--address ADDRESS\n$/)],
    [3, "", expect.stringMatching(/^onehop: cannot connect: /)],
    [
      2,
      "",
      expect.stringMatching(/^onehop: .*broken.conf:2: <allow>: must say what it is about\n$/),
    ],
    [0, expect.stringMatching(/^\{"about":"message","isAllowed":true,.*\}\n$/), ""],
    [0, "11 rules: nothing to report\n", ""],
    [1, expect.stringMatching(/^.*open.conf:2: error: .*\n[\s\S]*\n1 rule: 1 error\n$/), ""],
    [2, "", expect.stringContaining("broken.conf:2: <allow>")],
    [2, "", expect.stringMatching(/^onehop: Name a command of policy: why, lint, complaints\.\n/)],
  ]);
  const { cases } = JSON.parse(outcomes[7]?.stdout ?? "");
  expect(cases).toEqual([
    expect.objectContaining({
      isAllowed: true,
      send: expect.objectContaining({
        decidedBy: {
          ...{ allows: true, context: { kind: "default" }, file: left, line: 6 },
          element: '<allow send_destination="a.b" send_interface="a.b.Open">',
        },
      }),
    }),
  ]);
});
