/** `onehop run` as a process. */

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { builtProgram, type Ended, type Running, start } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";

const program = "cli/main.js";
const real = "/usr/bin/dbus-run-session";
// Each test starts processes, on machines that do other things as well.
jest.setTimeout(30_000);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-run-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

// The runner's own temporary files go here, so that what it leaves behind is seen.
function run(words: readonly string[], environment: Record<string, string> = {}): Running {
  return start(program, ["run", ...words], { TMPDIR: folder, ...environment });
}

function shell(script: string): Promise<Ended> {
  return run(["--", "/bin/sh", "-c", script]).ended;
}

test("the command gets the address of a bus, and nothing of any other bus", async () => {
  const { ended } = run(["--", "env"], {
    DBUS_SESSION_BUS_ADDRESS: "unix:path=/elsewhere",
    DBUS_SESSION_BUS_PID: "1",
    DBUS_SESSION_BUS_WINDOWID: "1",
    DBUS_STARTER_ADDRESS: "unix:path=/elsewhere",
    DBUS_STARTER_BUS_TYPE: "session",
  });
  const { status, stdout, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const variables = stdout.split("\n").filter((line) => line.startsWith("DBUS_"));
  expect(variables).toEqual([
    expect.stringMatching(/^DBUS_SESSION_BUS_ADDRESS=unix:path=\/\S+\/bus,guid=[0-9a-f]{32}$/),
  ]);
  expect(readdirSync(folder)).toEqual([]);
});

testWithProgram("dbus-send", "the bus answers", async () => {
  const { ended } = run([
    ...["--", "dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus"],
    ...["/org/freedesktop/DBus", "org.freedesktop.DBus.ListNames"],
  ]);
  expect(await ended).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('string ":1.'),
  });
});

test.each([
  ["exit 0", 0],
  ["exit 7", 7],
  ["exit 255", 255],
  ["kill -TERM $$", 143],
  ["kill -KILL $$", 137],
])("%s ends it with %i", async (script, status) => {
  expect(await shell(script)).toMatchObject({ status, signal: null });
  expect(readdirSync(folder)).toEqual([]);
});

test("words after -- reach the command to the letter", async () => {
  const { ended } = run(["--", "printf", "%s|", "007", "--help", "--", "-x=1", "a b"]);
  expect((await ended).stdout).toBe("007|--help|--|-x=1|a b|");
});

test("no such command: 127 and one line", async () => {
  const { status, stdout, stderr } = await run(["--", "no-such-command"]).ended;
  expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
  expect(stderr).toMatch(/^\S+ error {3}no-such-command: command not found\n$/);
});

test("a file that cannot be executed: 126 and one line", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  const { status, stderr } = await run(["--", path]).ended;
  expect(status).toBe(126);
  expect(stderr).toBe(`${stderr.split(" ")[0]} error   ${path}: cannot be executed\n`);
});

test.each([
  ["SIGTERM", "TERM", 21],
  ["SIGINT", "INT", 22],
  ["SIGHUP", "HUP", 23],
] as const)("%s reaches the command, which decides", async (signal, name, status) => {
  const script = `trap 'exit ${status}' ${name}; echo ready; while :; do sleep 0.05; done`;
  const { child, ended, said } = run(["--", "/bin/sh", "-c", script]);
  await said("ready");
  child.kill(signal);
  expect(await ended).toMatchObject({ status, signal: null });
  expect(readdirSync(folder)).toEqual([]);
});

test("a command that a signal ends takes the bus with it", async () => {
  const { child, ended, said } = run(["--", "/bin/sh", "-c", "echo ready; exec sleep 60"]);
  await said("ready");
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ status: 143, signal: null });
  expect(readdirSync(folder)).toEqual([]);
});

test("a bus inside a bus is another bus, and both go", async () => {
  const inner = `${process.execPath} ${builtProgram(program)} run -- env`;
  const { status, stdout } = await shell(`env; ${inner}; exit 5`);
  expect(status).toBe(5);
  const addresses = stdout.match(/^DBUS_SESSION_BUS_ADDRESS=.*$/gm) ?? [];
  expect(addresses).toHaveLength(2);
  expect(new Set(addresses).size).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

test("a bus that cannot start: 127, and the command is not run", async () => {
  const path = join(folder, "bad.conf");
  writeFileSync(path, "<busconfig>\n<bees/></busconfig>");
  const { status, stdout, stderr } = await run(["--config-file", path, "--", "echo", "x"]).ended;
  expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
  expect(stderr).toContain(`${path}:2: <bees>`);
  expect(readdirSync(folder)).toEqual(["bad.conf"]);
});

test.each([[[]], [["--"]], [["--bogus", "--", "true"]], [["--config-file"]], [["-x", "true"]]])(
  "the command line %j makes no sense: 127, as of dbus-run-session",
  async (words) => {
    const { status, stdout } = await run(words).ended;
    expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
    if (!existsSync(real)) return;
    expect(spawnSync(real, words)).toMatchObject({ status: 127 });
  },
);

describe.each([
  ["onehop run", [process.execPath, builtProgram(program), "run"]],
  [real, [real]],
] as const)("%s", (name, [command, ...words]) => {
  const check = (title: string, body: () => void): void =>
    name === real ? testWithProgram(real, title, body) : test(title, body);
  const run = (...more: readonly string[]): SpawnSyncReturns<string> =>
    spawnSync(command, [...words, ...more], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: folder },
    });

  check("the first word that is no option begins the command", () => {
    expect(run("printf", "%s|", "--help", "--", "-x", "--config-file=a").stdout).toBe(
      "--help|--|-x|--config-file=a|",
    );
  });

  check("--dbus-daemon runs that program, with --session", () => {
    const log = join(folder, "log");
    const daemon = fakeDaemon(`echo "$@" > ${log}; echo address-of-ours >&3`);
    const { status, stdout } = run(
      "--dbus-daemon",
      daemon,
      "--",
      "sh",
      "-c",
      "echo $DBUS_SESSION_BUS_ADDRESS; exit 3",
    );
    expect({ status, stdout }).toEqual({ status: 3, stdout: "address-of-ours\n" });
    expect(readFileSync(log, "utf8")).toMatch(/^--nofork --print-address[= ]\d+ --session\n$/);
  });

  check("--dbus-daemon with --config-file passes that on", () => {
    const log = join(folder, "log");
    const daemon = fakeDaemon(`echo "$@" > ${log}; echo address-of-ours >&3`);
    expect(run(`--dbus-daemon=${daemon}`, "--config-file=/a b", "true").status).toBe(0);
    expect(readFileSync(log, "utf8")).toMatch(/ --config-file[= ]\/a b\n$/);
  });

  check("--dbus-daemon is onehop-dbus-daemon, or looked up in PATH", () => {
    const ours = builtProgram("onehop-dbus-daemon.cjs");
    const flags = ["gdbus", "call", "--session", "--dest", "org.freedesktop.DBus"];
    const call = [...flags, "--object-path", "/", "--method", "org.freedesktop.DBus.GetId"];
    const { status, stdout } = run(`--dbus-daemon=${ours}`, "--", ...call);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\('[0-9a-f]{32}',\)\n$/),
    });
  });

  test.each([
    ["--dbus-daemon=/nonexistent", "true"],
    ["--dbus-daemon=no-such-program", "true"],
    ["--dbus-daemon=/bin/true", "true"],
    ["--config-file=/nonexistent", "true"],
    ["--config-file=/a", "--config-file=/b", "true"],
    ["--dbus-daemon", "a", "--dbus-daemon", "b", "true"],
  ])(`${name} %s %s: 127`, (...words) => {
    if (name === real && !existsSync(real)) return;
    const { status, stdout } = run(...words);
    expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
  });
});

/** A program that stays until it is ended; its output to come goes to what `--print-address` names. */
function fakeDaemon(script: string): string {
  const path = join(folder, "fake-daemon");
  writeFileSync(
    path,
    `#!/bin/sh
for word; do
  case $word in --print-address=*) fd=\${word#*=};; esac
  [ "$before" = --print-address ] && fd=$word
  before=$word
done
eval "exec 3>&$fd"
${script}
exec 3>&-
eval "exec $fd>&-"
exec sleep 60
`,
  );
  chmodSync(path, 0o755);
  return path;
}

test("without the addon the command runs, and one line says what is missing", async () => {
  const { ended } = run(["--", "true"], { ONEHOP_ADDON: "none" });
  const { status, stderr } = await ended;
  expect(status).toBe(0);
  expect(stderr).toMatch(/^\S+ warning .*file descriptor.*\n$/);
});
