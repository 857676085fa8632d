/** `onehop explain` against described and captured messages. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import yargs from "yargs";
import { explainCommand } from "../../cli/commands/explain.ts";
import { type ExplainOptions, explainRule } from "../../cli/explain-rule.ts";
import { errorReply, Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { pcapFileHeader, pcapRecord } from "../../wire/pcap.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import { start } from "../compat/daemon-process.ts";

const TIME = 1_700_000_000_000_000;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-explain-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Printed {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the command prints for these words, by its own options, without a process for each. */
async function explain(...words: string[]): Promise<Printed> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  let status = -1;
  const handler = async (given: ExplainOptions): Promise<void> => {
    status = await explainRule(given, {
      paint: (text) => text,
      print: async (text) => void stdout.push(text),
      complain: (text) => void stderr.push(`onehop: ${text}\n`),
    });
  };
  await yargs(["explain", ...words])
    .command({ command: "explain <rule>", ...explainCommand, handler })
    .strict()
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new Error(message ?? "");
    })
    .parseAsync();
  return { status, stdout: stdout.join(""), stderr: stderr.join("") };
}

const DESCRIBED = ["--path", "/org/foobar", "--interface", "a.b", "--member", "M"];

test("a described message that does not match: every key has a row, and the status is 1", async () => {
  const rule = "path_namespace='/org/foo',sender='a.b',type=signal,arg0='x'";
  const words = ["--sender", ":1.5", "--owns", "c.d", "--signature", "us", "--arg", "0=7"];
  expect(await explain(rule, ...DESCRIBED, ...words)).toMatchObject({
    status: 1,
    stderr: "",
    stdout: `rule: type='signal',path_namespace='/org/foo',sender='a.b',arg0='x'
no match

KEY             WANTED    SAW          MET  WHY NOT
type            signal    signal       yes
sender          a.b       :1.5         no   the sender is not known to own a.b; the sender owns c.d
path_namespace  /org/foo  /org/foobar  no   not below it: a namespace ends at a slash
arg0            x         -            no   argument 0 is of type u, not a string
`,
  });
});

test("a described message that matches: status 0, as JSON too", async () => {
  const words = ["sender='a.b'", ...DESCRIBED, "--sender", ":1.5", "--owns", "a.b"];
  expect(await explain(...words)).toMatchObject({ status: 0, stdout: /\nmatch\n/ });
  const json = await explain(...words, "--json");
  expect(json.status).toBe(0);
  expect(JSON.parse(json.stdout)).toEqual({
    ...{ rule: "sender='a.b'", outcome: "match" },
    keys: [
      {
        ...{ key: "sender", wanted: "a.b", saw: ":1.5", isMet: true, text: "" },
        verdict: { kind: "met" },
      },
    ],
  });
});

test("a malformed rule: what is wrong, a caret under the place, and status 2", async () => {
  expect(await explain("type='signal',foo='x'", ...DESCRIBED)).toMatchObject({
    status: 2,
    stdout: "",
    stderr: `onehop: the match rule is malformed at column 15: Unknown key "foo" in match rule
  type='signal',foo='x'
                ^
  A bus answers it with org.freedesktop.DBus.Error.MatchRuleInvalid.
`,
  });
});

test("in a long rule only the surroundings of the error are shown", async () => {
  const { stderr } = await explain(
    `arg0='${"x".repeat(300)}',\tpath='/é/',member='${"M".repeat(99)}'`,
  );
  const [, shown = "", caret = ""] = stderr.split("\n");
  expect(shown).toMatch(/^ {2}…x+',\\tpath='\/é\/',member='M+…$/);
  expect(shown.slice(caret.indexOf("^"))).toMatch(/^'\/é/);
});

test("a rule without a message is checked, and shown as a bus reads it", async () => {
  expect(await explain("member=M,=type='signal'")).toMatchObject({
    ...{ status: 0, stdout: "valid rule: member='M'\n" },
  });
  expect((await explain("")).stdout).toBe("valid rule: (no keys: every broadcast)\n");
});

test.each([
  [["--path", "relative"], /^onehop: --path 'relative' does not fit: /],
  [["--message", "{"], /^onehop: --message is not JSON/],
  [["--capture", "x", "--message-number", "0"], /--message-number counts from 1/],
  [["--capture", "x", "--message-number", "second"], /--message-number counts from 1/],
  [["--capture", "/no/such/file"], /^onehop: \/no\/such\/file: ENOENT/],
  [["--capture", import.meta.filename], /neither a pcap nor a pcapng file \(byte 0\)$/],
  [
    ["--path", "/org/freedesktop/DBus/Local", ...DESCRIBED.slice(2)],
    /no bus lets it pass: .* reserved/,
  ],
])("status 2: %j", async (words, expected) => {
  const { status, stdout, stderr } = await explain("", ...words);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr.trim()).toMatch(expected);
});

test("a message is described in one way", async () => {
  await expect(explain("", "--message", "{}", "--owns", "a.b")).rejects.toThrow(
    "mutually exclusive",
  );
  await expect(explain("", "--capture", "x", "--message", "{}")).rejects.toThrow(
    "mutually exclusive",
  );
  await expect(explain("", "--message-number", "1")).rejects.toThrow("message-number -> capture");
});

test("as a process: output, errors and statuses go where they should", async () => {
  const run = (...words: string[]) => start("cli/main.js", ["explain", ...words]).ended;
  const ended = await Promise.all([
    run("member='M'", ...DESCRIBED),
    run("member='N'", ...DESCRIBED),
    run("member=''"),
    run("member='N'", "--capture"),
  ]);
  expect(ended.map(({ status }) => status)).toEqual([0, 1, 2, 2]);
  expect(ended[0]).toMatchObject({ stderr: "", stdout: expect.stringContaining("\nmatch\n") });
  expect(ended[2]).toMatchObject({
    stdout: "",
    stderr: expect.stringMatching(/^onehop: the match rule/),
  });
});

test("only signals are broadcast, and it says so", async () => {
  const { stdout } = await explain("", "--type", "method_call", "--path", "/a", "--member", "M");
  expect(stdout).toMatch(/a method_call without destination reaches nobody\.$/m);
});

function changed(path: string, sender = ":1.7"): Message {
  return signal({ path, interface: "a.b", member: "Changed", sender });
}

/** Of the bus. */
function driver(message: Message): Message {
  return new Message({ ...message, sender: DRIVER_NAME }, message.body);
}

function ownerChanged(name: string, before: string, after: string): Message {
  const header = { path: DRIVER_PATH, interface: DRIVER_NAME, member: "NameOwnerChanged" };
  return driver(signal({ ...header, signature: "sss", body: [name, before, after] }));
}

function call(member: string, serial: number, ...body: string[]): Message {
  const to = { path: DRIVER_PATH, interface: DRIVER_NAME, destination: DRIVER_NAME };
  const made = methodCall({
    ...to,
    member,
    sender: ":1.9",
    signature: "s".repeat(body.length),
    body,
  });
  return new Message({ ...made, serial }, body);
}

function capture(messages: readonly (Message | Uint8Array)[]): string {
  const path = join(folder, `${messages.length}.pcap`);
  const records = messages.map((message, i) => {
    const bytes =
      message instanceof Message ? encodeMessage(message, message.serial || 1) : message;
    return pcapRecord(bytes, TIME + i);
  });
  writeFileSync(path, Buffer.concat([pcapFileHeader(), ...records]));
  return path;
}

test("a capture: how many match, and why those do not that nearly do", async () => {
  const path = capture([
    changed("/org/foo"),
    changed("/org/foobar"),
    changed("/org/foobar"),
    changed("/org/foo/child"),
    signal({ path: "/org/foo", interface: "a.b", member: "changed", sender: ":1.8" }),
    signal({ path: "/elsewhere", interface: "a.b", member: "Other", sender: ":1.8" }),
    Buffer.from("no message"),
  ]);
  const rule = "member='Changed',path_namespace='/org/foo'";
  expect(await explain(rule, "--capture", path)).toMatchObject({
    status: 0,
    stderr: "onehop: message 7: it is not valid: the first byte is neither 'l' nor 'B' (byte 0)\n",
    stdout: `rule: member='Changed',path_namespace='/org/foo'
7 messages: 2 match, 4 do not (3 but for one key), 1 unreadable
matching: 1, 4

NEARLY  KEY             WANTED    SAW          WHY NOT                                      MESSAGES
     2  path_namespace  /org/foo  /org/foobar  not below it: a namespace ends at a slash    2, 3
     1  member          Changed   changed      another member: upper and lower case differ  5
`,
  });
  expect(await explain(rule, "--capture", path, "--message-number", "2")).toMatchObject({
    status: 1,
    stdout: `message 2: signal :1.7 → everybody: /org/foobar a.b.Changed ()
rule: member='Changed',path_namespace='/org/foo'
no match

KEY             WANTED    SAW          MET  WHY NOT
member          Changed   Changed      yes
path_namespace  /org/foo  /org/foobar  no   not below it: a namespace ends at a slash
`,
  });
  expect(await explain(rule, "--capture", path, "--message-number", "8")).toMatchObject({
    ...{ status: 2, stderr: `onehop: ${path} has no message 8: it has 7\n` },
  });
  const lines = (await explain(rule, "--capture", path, "--json")).stdout.trimEnd().split("\n");
  expect(
    lines.map((line) => JSON.parse(line)).map(({ number, outcome }) => [number, outcome]),
  ).toEqual([
    ...[
      [1, "match"],
      [2, "no match"],
      [3, "no match"],
    ],
    ...[
      [4, "match"],
      [5, "no match"],
      [6, "no match"],
    ],
  ]);
});

test("who owned a name is learned from the capture, and said when it is unknown", async () => {
  const path = capture([
    changed("/a"),
    ownerChanged("org.example.A", "", ":1.7"),
    changed("/a"),
    ownerChanged("org.example.A", ":1.7", ":1.8"),
    changed("/a"),
    changed("/a", ":1.8"),
    ownerChanged("org.example.A", ":1.8", ""),
    changed("/a", ":1.8"),
  ]);
  const rule = "sender='org.example.A',path='/a'";
  const { stdout, status } = await explain(rule, "--capture", path);
  expect(status).toBe(0);
  expect(stdout).toBe(`rule: path='/a',sender='org.example.A'
8 messages: 2 match, 5 do not (2 but for one key), 1 undecided
matching: 3, 6

NEARLY  KEY     WANTED         SAW   WHY NOT                                       MESSAGES
     1  sender  org.example.A  :1.7  the sender is not known to own org.example.A  1
     1  sender  org.example.A  :1.7  org.example.A is owned by :1.8                5
     1  sender  org.example.A  :1.8  org.example.A is owned by nobody              8
`);
  const first = await explain(rule, "--capture", path, "--message-number", "1");
  expect(first).toMatchObject({ status: 1 });
  expect(first.stdout).toMatch(/\nundecided: the capture does not say who owned a name\n/);
});

test("answers of the bus say who owns what", async () => {
  const asked = call("GetNameOwner", 11, "org.example.A");
  const missing = call("GetNameOwner", 12, "org.example.B");
  const request = call("RequestName", 13, "org.example.C");
  const path = capture([
    ...[asked, missing, request],
    driver(methodReturn(asked, { signature: "s", body: [":1.7"] })),
    driver(errorReply(missing, `${DRIVER_NAME}.Error.NameHasNoOwner`, "nobody")),
    driver(methodReturn(request, { signature: "u", body: [1] })),
    ...[changed("/a", ":1.7"), changed("/a", ":1.9")],
  ]);
  const numbers = async (rule: string): Promise<(string | undefined)[]> => {
    const { stdout } = await explain(rule, "--capture", path);
    return stdout.split("\n").filter((line) => /^(matching|.*owned|.*not known)/.test(line));
  };
  expect(await numbers("sender='org.example.A',path='/a'")).toEqual([
    "matching: 7",
    expect.stringMatching(/org\.example\.A is owned by :1\.7; the sender owns org\.example\.C +8$/),
  ]);
  expect(await numbers("sender='org.example.B',path='/a'")).toEqual([
    expect.stringMatching(/is owned by nobody; the sender owns org\.example\.A +7$/),
    expect.stringMatching(/is owned by nobody; the sender owns org\.example\.C +8$/),
  ]);
  expect(await numbers("sender='org.example.C',path='/a'")).toEqual([
    "matching: 8",
    expect.stringMatching(/is owned by :1\.9; the sender owns org\.example\.A +7$/),
  ]);
});

test("a capture that ends early: what is there is explained, and the status is 2", async () => {
  const path = join(folder, "early.pcap");
  const records = [changed("/a"), changed("/a")].map((message) =>
    pcapRecord(encodeMessage(message, 1), TIME),
  );
  writeFileSync(path, Buffer.concat([pcapFileHeader(), ...records]).subarray(0, -1));
  const { status, stdout, stderr } = await explain("", "--capture", path);
  expect(status).toBe(2);
  expect(stdout).toContain("1 message: 1 match, 0 do not\n");
  expect(stderr).toMatch(
    /early\.pcap: the file ends within what begins at byte \d+ \(byte \d+\)\n$/,
  );
});
