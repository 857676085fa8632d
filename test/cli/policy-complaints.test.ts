/** `onehop policy complaints`: the log of a bus that complains, summed up. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createBus } from "../../bus/index.ts";
import { type Complaints, readComplaints } from "../../cli/policy/complaints.ts";
import { formatComplaints } from "../../cli/print/complaints.ts";
import { formatLogJson, formatLogLine } from "../../cli/print/log-line.ts";
import { methodCall, signal } from "../../wire/message.ts";
import { ALLOW_ALL, policyOf } from "../bus/policy/policy-text.ts";
import { start } from "../compat/daemon-process.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

jest.setTimeout(60_000);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-complaints-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const plain = (text: string): string => text;

/** Lines of a bus with a policy that complains: two calls, of which one is sent twice, a signal, and a name. */
async function logLines(): Promise<string[]> {
  const lines: string[] = [];
  const policy = policyOf(`${ALLOW_ALL}<policy user="daemon"><deny own="c.d"/>
<deny send_destination="a.b" send_interface="x.y"/></policy>
<policy user="root"><deny receive_interface="z.z"/></policy>`);
  const bus = createBus({
    policy: () => policy,
    complain: true,
    log: (entry) => {
      const isJson = lines.length % 2 === 0;
      lines.push(
        isJson ? formatLogJson(entry, new Date()) : formatLogLine(entry, new Date(), plain),
      );
    },
  });
  const one = await MemoryPeer.join(bus, { userId: 1, groupId: 1, groups: [1], processId: 1 });
  const two = await MemoryPeer.join(bus, { userId: 0, groupId: 0, groups: [0], processId: 1 });
  await two.driver("RequestName", "su", ["a.b", 0]);
  const call = { path: "/", interface: "x.y", destination: "a.b" };
  for (const member of ["M", "M", "N"]) one.send(methodCall({ ...call, member }));
  await one.driver("RequestName", "su", ["c.d", 0]);
  one.send(signal({ ...call, member: "Changed", interface: "z.z" }));
  await one.drain();
  return lines;
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

const read = (lines: readonly string[]): Promise<Complaints> => readComplaints(each(lines));

test("counted by who, what and which rule, the most frequent ones first", async () => {
  const { complaints, untold, unclear } = await read(await logLines());
  expect({ untold, unclear }).toEqual({ untold: 0, unclear: 0 });
  const program = expect.any(String);
  const daemon = { userId: 1, program };
  const call = { ...daemon, side: "send", type: "method_call", name: "a.b", interface: "x.y" };
  const rule = 'test.conf:3: <deny send_destination="a.b" send_interface="x.y">';
  const own = { ...daemon, side: "own", type: null, name: "c.d", interface: null, member: null };
  const changed = { ...call, side: "receive", type: "signal", interface: "z.z", member: "Changed" };
  expect(complaints[0]).toEqual({ ...call, member: "M", decidedBy: rule, count: 2 });
  expect(complaints).toEqual(
    expect.arrayContaining([
      { ...call, member: "N", decidedBy: rule, count: 1 },
      { ...own, decidedBy: 'test.conf:2: <deny own="c.d">', count: 1 },
      { ...changed, decidedBy: 'test.conf:4: <deny receive_interface="z.z">', count: 1 },
    ]),
  );
  expect(complaints).toHaveLength(4);
});

test("for people: a table, and the policy that would allow it", async () => {
  const text = formatComplaints(await read(await logLines()), plain);
  expect(text).toMatch(/^COUNT {2}USER +PROGRAM +SIDE +WHAT +DECIDED BY\n2 +daemon \(1\) /);
  expect(text.slice(text.indexOf("<policy"))).toBe(`<policy user="daemon">
  <allow own="c.d"/>
  <allow send_destination="a.b" send_interface="x.y" send_member="M"/>
  <allow send_destination="a.b" send_interface="x.y" send_member="N"/>
</policy>
`);
  expect(formatComplaints(await read(["12:00:00.000 info    listening"]), plain)).toBe(
    "nothing was refused\n",
  );
});

/** As the journal has it of dbus-daemon, which does not tell the rule. */
function journal(comm: string, rest = ""): string {
  return `Nov 26 04:00:00 host dbus-daemon[1]: [system] Rejected send message, 1 matched rules; type="method_call", sender=":1.5" (uid=1 pid=9 comm="${comm}") interface="(unset)" member="M" error name="(unset)" requested_reply="0" destination="a.b" (uid=0 pid=1 comm="/sbin/init ")${rest}`;
}

test("dbus-daemon's own lines, as the journal has them", async () => {
  const { complaints } = await read([journal("/bin/x --flag ")]);
  expect(complaints).toEqual([
    {
      ...{ side: "send", userId: 1, program: "/bin/x --flag", type: "method_call", name: "a.b" },
      ...{ interface: null, member: "M", decidedBy: null, count: 1 },
    },
  ]);
});

test("a program cannot choose what is suggested by what it calls itself", async () => {
  const forged =
    'x") interface="evil.I" member="E" error name="" requested_reply="0" destination="evil.D" (';
  const lines = [
    journal(forged),
    journal(`a" is not allowed to own the service "evil.N" due to`),
    journal("\u001b[31mred"),
    'Connection ":1.0" is not allowed to own the service "a"/><allow own="*" due to security policies in the configuration file (uid=1 pid=1 comm="")',
    "Rejected by somebody else",
  ];
  const found = await read(lines);
  expect(found.unclear).toBe(3);
  const text = formatComplaints(found, plain);
  expect(text).not.toMatch(/evil\.[ID]|own="\*"/);
  expect(text).not.toContain("\u001b");
  expect(text).toContain("note: 3 lines could not be understood\n");
});

test("what was counted only is told", async () => {
  const found = await read(["warning 17 more refusals of user 1000 were not logged"]);
  expect(found).toEqual({ complaints: [], untold: 17, unclear: 0 });
  expect(formatComplaints(found, plain)).toBe("note: 17 more were counted and not logged\n");
});

test("as a process: files, standard input, JSON and statuses", async () => {
  const some = join(folder, "some.log");
  const none = join(folder, "none.log");
  writeFileSync(some, `${journal("/bin/x ")}\n${journal("/bin/x ")}\n`);
  writeFileSync(none, "");
  const run = (...words: string[]) =>
    start("cli/main.js", ["policy", "complaints", ...words]).ended;
  const outcomes = await Promise.all([
    run(some),
    run(none),
    run(),
    run(some, "--json"),
    run(join(folder, "missing.log")),
    run(folder),
  ]);
  expect(outcomes.map(({ status, stdout, stderr }) => [status, stdout, stderr])).toEqual([
    [1, expect.stringContaining('<allow send_destination="a.b"/>\n</policy>\n'), ""],
    [0, "nothing was refused\n", ""],
    [0, "nothing was refused\n", ""],
    [
      1,
      expect.stringMatching(/^\{"complaints":\[\{.*"count":2\}\],"untold":0,"unclear":0\}\n$/),
      "",
    ],
    [2, "", expect.stringMatching(/^onehop: .*missing.log: ENOENT/)],
    [2, "", expect.stringMatching(/^onehop: .*: EISDIR/)],
  ]);
});
