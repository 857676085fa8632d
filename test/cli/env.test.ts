/** `onehop env`, and the program it does the work of, on the same bus. */

import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/index.ts";
import { allCommands } from "../../cli/commands.ts";
import { completeWords } from "../../cli/completion/complete-words.ts";
import { parseEnvironment } from "../../cli/own-environment.ts";
import { type Client, connect } from "../../client/index.ts";
import { builtProgram } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";

jest.setTimeout(60_000);

const real = "/usr/bin/dbus-update-activation-environment";
const tools = [
  ["onehop env", [process.execPath, builtProgram("cli/main.js"), "env"]],
  [real, [real]],
] as const;

let folder = "";
let bus: StartedBus;
let systemd: Client | null = null;
/** What systemd has been told, call by call. */
let told: readonly (readonly string[])[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-env-"));
  chmodSync(folder, 0o755);
  writeFileSync(
    join(folder, "a.b.Facts.service"),
    `[D-BUS Service]\nName=a.b.Facts\nExec=/bin/sh -c "env > ${folder}/facts; exit 1"\n`,
  );
  bus = await startBus({
    listen: [`unix:path=${join(folder, "bus")}`],
    activation: { directories: () => [{ path: folder }] },
  });
});
afterEach(async () => {
  await systemd?.close();
  systemd = null;
  told = [];
  await bus.stop();
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool in an environment of PATH, the bus's address, and these. */
async function run(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const [program = "", ...rest] = words;
  const child: ChildProcess = spawn(program, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      DBUS_SESSION_BUS_ADDRESS: bus.address,
      XDG_RUNTIME_DIR: folder,
      ...environment,
    },
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("pipes were asked for");
  const status = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [out, errors] = await Promise.all([text(stdout), text(stderr)]);
  return { status: await status, stdout: out, stderr: errors };
}

/** What a service that is started now finds. */
async function serviceEnvironment(): Promise<ReadonlyMap<string, string>> {
  const client = await connect(bus.address);
  const start = { interface: "org.freedesktop.DBus", member: "StartServiceByName" };
  const target = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };
  const call = { ...target, ...start, signature: "su", body: ["a.b.Facts", 0] };
  // It takes no name and ends.
  await expect(client.call(call)).rejects.toThrow("exited with status 1");
  await client.close();
  const lines = readFileSync(join(folder, "facts"), "utf8").split("\n");
  return new Map(lines.map((line) => [line.split("=", 1)[0] ?? "", line.replace(/^[^=]*=/, "")]));
}

/** Somebody who has systemd's name and takes what it is told. */
async function startSystemd(): Promise<void> {
  const client: Client = await connect(bus.address, {
    onCall: (call) => {
      told = [...told, [call.path ?? "", call.member ?? "", ...(call.body[0] as string[])]]; // `as`
      client.reply(call);
      return true;
    },
  });
  systemd = client;
  // By this folder the real tool knows that systemd runs.
  mkdirSync(join(folder, "systemd"));
  await client.requestName("org.freedesktop.systemd1");
}

describe.each(tools)("%s", (name, tool) => {
  const check = (title: string, body: () => Promise<void>): void =>
    name === real ? testWithProgram(real, title, body) : test(title, body);

  check("variables with values, from the environment, and not set", async () => {
    const outcome = await run([...tool, "ONE=1=2", "TWO", "EMPTY=", "NOT_SET"], {
      TWO: "zwei\nzwo",
    });
    expect(outcome).toMatchObject({ status: 0, stdout: "" });
    const found = await serviceEnvironment();
    expect(found.get("ONE")).toBe("1=2");
    expect(found.get("TWO")).toBe("zwei");
    expect(found.get("EMPTY")).toBe("");
    expect(found.has("NOT_SET")).toBe(false);
  });

  check("--all", async () => {
    expect(await run([...tool, "--all"], { ONE: "eins", _2: "zwei" })).toMatchObject({ status: 0 });
    const found = await serviceEnvironment();
    expect([found.get("ONE"), found.get("_2")]).toEqual(["eins", "zwei"]);
  });

  check("what is not UTF-8 is left out, with a word about it", async () => {
    const script = `ONE=$(printf 'a\\377'); export ONE; exec "$@"`;
    const { status, stderr } = await run(["/bin/sh", "-c", script, "sh", ...tool, "ONE", "TWO=2"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("UTF-8") });
    const found = await serviceEnvironment();
    expect([found.has("ONE"), found.get("TWO")]).toEqual([false, "2"]);
  });

  check("--systemd without systemd: the bus is told all the same", async () => {
    const { status, stderr } = await run([...tool, "--systemd", "--verbose", "ONE=1"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("systemd") });
    expect((await serviceEnvironment()).get("ONE")).toBe("1");
  });

  check("--systemd tells systemd, and then the bus", async () => {
    await startSystemd();
    const login = { XDG_SEAT: "seat0", XDG_VTNR: "1", XDG_SESSION_ID: "2" };
    expect(await run([...tool, "--systemd", "XDG_SEAT", "A=b"], login)).toMatchObject({
      status: 0,
    });
    const [[path, member, ...assignments] = [], ...more] = told;
    expect([path, member, ...assignments.sort(), ...more]).toEqual([
      "/org/freedesktop/systemd1",
      "SetEnvironment",
      ...["A=b", "XDG_SEAT=seat0"],
    ]);
    expect((await serviceEnvironment()).get("A")).toBe("b");
  });

  check("--verbose says what is set", async () => {
    const { stdout, stderr } = await run([...tool, "--verbose", "ONE=eins"]);
    expect(stdout + stderr).toContain("ONE=eins");
  });

  test.each([["--all", "ONE=1"], ["--bogus"]])(`${name} %s %s is refused`, async (...words) => {
    if (name === real && !existsSync(real)) return;
    expect((await run([...tool, ...words])).status).toBe(name === real ? 64 : 2);
  });
});

const [, ours] = tools[0];

test("without a bus: status 3", async () => {
  const { status, stderr } = await run([...ours, "--address", "unix:path=/nonexistent", "A=b"]);
  expect({ status, stderr }).toEqual({
    status: 3,
    stderr: expect.stringContaining("/nonexistent"),
  });
});

test.each([
  [[], "no bus can be asked"],
  [["=x"], "names no variable"],
  [[""], "names no variable"],
])("%j makes no sense: status 2, and what would", async (words, reason) => {
  const { status, stdout, stderr } = await run([...ours, ...words]);
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining(reason),
  });
});

test("what is not set here is told, and is no failure", async () => {
  const { status, stderr } = await run([...ours, "NOT_SET"]);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: "onehop: NOT_SET is left out: it is not set here\n",
  });
});

test("words behind -- and negative numbers are taken as they are", async () => {
  const { status, stdout } = await run([...ours, "--json=short", "A=-5", "--", "--all=x"]);
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: '{"variables":{"A":"-5","--all":"x"},"systemd":false}\n',
  });
});

test("completion knows the variables of the environment, and the options", async () => {
  process.env["ONEHOP_TEST_COMPLETION"] = "1";
  const complete = (word: string): Promise<string[]> =>
    completeWords(["env", word], allCommands([]));
  expect(await complete("ONEHOP_TEST_C")).toEqual(["ONEHOP_TEST_COMPLETION"]);
  delete process.env["ONEHOP_TEST_COMPLETION"];
  expect(await complete("--sy")).toEqual(["--system", "--systemd"]);
  expect(await completeWords(["en"], allCommands([]))).toEqual(["env"]);
});

test("an environment is read byte for byte", () => {
  const bytes = Buffer.from("A=1\0A=2\0=x\0nothing\0B=\xff\0C==\0\u00fc=\u00e4\0D=last", "latin1");
  const { variables, unreadable } = parseEnvironment(
    Buffer.concat([bytes, Buffer.from("\0E=\u00e4")]),
  );
  expect([...variables]).toEqual([
    ["A", "1"],
    ["C", "="],
    ["D", "last"],
    ["E", "\u00e4"],
  ]);
  expect([...unreadable]).toEqual(["B", "\ufffd"]);
});
