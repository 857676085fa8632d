/** onehop-dbus-daemon as a process: what it prints, how it ends, what it leaves behind. */

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import {
  authLine,
  builtProgram,
  disconnected,
  handshake,
  type Running,
  start,
} from "./daemon-process.ts";
import { testWithProgram } from "./programs.ts";

const program = "onehop-dbus-daemon.cjs";
// Each test starts processes, on machines that do other things as well.
jest.setTimeout(30_000);

let folder = "";
let running: Running[] = [];
/** Buses that --fork has left behind. */
let background: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-daemon-"));
  chmodSync(folder, 0o755);
});
afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  // First: they may have the pipes of those that are waited for.
  for (const processId of background) killIfThere(processId);
  background = [];
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
  rmSync(folder, { recursive: true });
});

const allowAll = `<policy context="default"><allow send_destination="*" eavesdrop="true"/>
  <allow eavesdrop="true"/><allow own="*"/></policy>`;

function configure(contents: string): string {
  const path = join(folder, "bus.conf");
  writeFileSync(path, `<busconfig>${contents}${allowAll}</busconfig>`);
  return `--config-file=${path}`;
}

function run(words: readonly string[], environment?: Record<string, string>): Running {
  const started = start(program, words, environment);
  running.push(started);
  return started;
}

const listen = (name: string): string => `<listen>unix:path=${join(folder, name)}</listen>`;

test("the address is one line on the descriptor asked for, which is then closed", async () => {
  const { told, child, ended } = run([configure(listen("bus")), "--print-address=3"]);
  const address = await told;
  expect(address).toMatch(/^unix:path=\/[^,;\n]+\/bus,guid=[0-9a-f]{32}\n$/);
  const guid = address.slice(-33, -1);
  expect(await handshake(address, authLine)).toBe(`OK ${guid}\r\n`);
  child.kill("SIGTERM");
  expect(await ended).toEqual({ status: 0, signal: null, stdout: "", stderr: expect.any(String) });
  expect(existsSync(join(folder, "bus"))).toBe(false);
});

test("the last address comes first, and the process id is printed beside it", async () => {
  const words = [configure(`${listen("one")}${listen("two")}`), "--print-address", "--print-pid=3"];
  const { told, child, ended } = run(words);
  expect(await told).toBe(`${child.pid}\n`);
  child.kill("SIGTERM");
  const { stdout } = await ended;
  expect(stdout).toMatch(/^unix:path=[^;]*\/two,guid=\w+;unix:path=[^;]*\/one,guid=\w+\n$/);
});

test("--address replaces what is configured", async () => {
  const { told } = run([
    configure(listen("configured")),
    "--address",
    `unix:tmpdir=${folder}`,
    "--print-address",
    "3",
  ]);
  expect(await told).toMatch(/^unix:path=[^;]+\n$/);
  expect(existsSync(join(folder, "configured"))).toBe(false);
});

test.each([
  ["<bees/>", "<bees>"],
  [`${"<fork/>"}<listen>unix:path=/tmp/x</listen><user>no-such-user</user>`, "no-such-user"],
  ["<listen>unix:path=/tmp/x</listen><auth>KERBEROS</auth>", "KERBEROS"],
  ["<listen>nonsense</listen>", "nonsense"],
  ["<listen>unix:path=/nonexistent/bus</listen>", "/nonexistent/bus"],
])("%s: no address, one line of reason, exit status 1", async (contents, reason) => {
  const { told, ended } = run([configure(contents), "--print-address=3", "--nofork"]);
  expect(await told).toBe("");
  const { status, stdout, stderr } = await ended;
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  const lines = stderr
    .trimEnd()
    .split("\n")
    .filter((line) => line.includes("Failed to start"));
  expect(lines).toEqual([expect.stringContaining(reason)]);
});

test("the configuration may be gone once the address is known", async () => {
  const { told } = run([configure(listen("bus")), "--print-address=3"]);
  const address = await told;
  rmSync(join(folder, "bus.conf"));
  expect(await handshake(address, authLine)).toMatch(/^OK /);
});

test("the configuration can be an inherited descriptor, also in the background", () => {
  configure(listen("bus"));
  const shell = `exec "$0" "$@" --config-file=/proc/self/fd/5 5<${folder}/bus.conf`;
  const words = ["-c", shell, process.execPath, builtProgram(program)];
  const flags = ["--fork", "--print-pid", "--nopidfile"];
  const { stdout, status, stderr } = spawnSync("/bin/sh", [...words, ...flags], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stdout).toMatch(/^\d+\n$/);
  background.push(Number(stdout));
});

test("SIGHUP takes the new configuration, or keeps the old one and says why", async () => {
  const words = [configure(listen("bus")), "--print-address=3"];
  const { told, child, said } = run(words);
  const address = await told;
  configure("<bees/>");
  child.kill("SIGHUP");
  await said("<bees>");
  configure(`${listen("bus")}<auth>BEES</auth>`);
  child.kill("SIGHUP");
  await said('there is no mechanism "BEES"');
  expect(await handshake(address, authLine)).toMatch(/^OK /);
  configure(`${listen("bus")}<policy context="mandatory"><deny user="*"/></policy>`);
  child.kill("SIGHUP");
  await said("Reloaded configuration");
  // As in dbus-daemon the handshake succeeds, and the connection ends with BEGIN.
  await disconnected(address, `${authLine}\r\nBEGIN`);
});

test("included directories are watched from the start on; what only a start changes is named", async () => {
  mkdirSync(join(folder, "conf.d"));
  const elements = `${listen("bus")}<includedir>conf.d</includedir>`;
  const { told, said } = run([configure(elements), "--print-address=3"]);
  await told;
  const drop = (contents: string): void =>
    writeFileSync(join(folder, "conf.d/x.conf"), `<busconfig>${contents}</busconfig>`);
  drop("<bees/>");
  await said("x.conf:1: <bees>: is not allowed inside <busconfig>; the whole file is left out");
  drop("<type>system</type><syslog/><pidfile>/none</pidfile><limit name='auth_timeout'>5</limit>");
  await said("<type>, <pidfile>: what has changed counts from the next start on");
});

test("a mistake in an included file: the way to it, no address, exit status 1", async () => {
  writeFileSync(join(folder, "b.conf"), "<busconfig>\n<bees/></busconfig>");
  const words = [configure(`${listen("bus")}\n<include>b.conf</include>`), "--print-address=3"];
  const { told, ended } = run(words);
  expect(await told).toBe("");
  const { status, stderr } = await ended;
  expect(status).toBe(1);
  expect(stderr).toContain(
    `${folder}/b.conf:2: <bees>: is not allowed inside <busconfig> (included from ${folder}/bus.conf:2)`,
  );
});

test("a pid file is written, keeps a second daemon away, and is removed", async () => {
  const pidFile = join(folder, "pid");
  const flags = [configure(`${listen("bus")}<pidfile>${pidFile}</pidfile>`), "--print-pid=3"];
  const first = run(flags);
  const told = await first.told;
  expect(readFileSync(pidFile, "utf8")).toBe(told);
  const second = await run(flags).ended;
  expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining(pidFile) });
  first.child.kill("SIGTERM");
  await first.ended;
  expect(existsSync(pidFile)).toBe(false);
});

test("--nopidfile writes none", async () => {
  const pidFile = join(folder, "pid");
  const configured = configure(`${listen("bus")}<pidfile>${pidFile}</pidfile>`);
  await run([configured, "--nopidfile", "--print-pid=3"]).told;
  expect(existsSync(pidFile)).toBe(false);
});

test("--fork leaves a bus behind that holds none of our files, and ends with 0", async () => {
  const configured = configure(listen("bus"));
  // Standard output and standard error end, so that the background process cannot hold them.
  const { told, ended } = run([configured, "--fork", "--print-address", "--print-pid=3"]);
  const processId = Number(await told);
  background.push(processId);
  const { status, stdout } = await ended;
  expect(status).toBe(0);
  expect(await handshake(stdout, authLine)).toMatch(/^OK /);
  expect(readFileSync(`/proc/${processId}/stat`, "utf8").split(" ")[5]).toBe(String(processId));
  process.kill(processId, "SIGTERM");
  await goneFrom(folder, "bus");
});

test("--fork leaves standard error open if DBUS_DEBUG_OUTPUT says so", async () => {
  const words = [configure(listen("bus")), "--fork", "--print-pid=3"];
  const { told, said } = run(words, { DBUS_DEBUG_OUTPUT: "1" });
  const processId = Number(await told);
  background.push(processId);
  process.kill(processId, "SIGHUP");
  await said("Reloaded configuration");
});

test("a configuration with a relative path is reloaded in the background, too", async () => {
  configure(listen("bus"));
  const file = relative(process.cwd(), join(folder, "bus.conf"));
  const words = [`--config-file=${file}`, "--fork", "--print-pid=3"];
  const { told, said } = run(words, { DBUS_DEBUG_OUTPUT: "1" });
  const processId = Number(await told);
  background.push(processId);
  process.kill(processId, "SIGHUP");
  await said("Reloaded configuration");
});

test("--fork ends with 1 and says why when the bus cannot start", async () => {
  const flags = [configure("<listen>unix:path=/nonexistent/bus</listen>"), "--fork"];
  const { told, ended } = run([...flags, "--print-address=3"]);
  expect(await told).toBe("");
  expect(await ended).toMatchObject({ status: 1, stderr: expect.stringContaining("/nonexistent") });
});

test("it works with its standard files closed", async () => {
  const script = `"$0" "$@" 8>${folder}/address 9>${folder}/pid <&- >&- 2>&-`;
  const words = [process.execPath, builtProgram(program), configure(listen("bus"))];
  const flags = ["--fork", "--print-address=8", "--print-pid=9"];
  const { status } = spawnSync("/bin/sh", ["-c", script, ...words, ...flags]);
  expect(status).toBe(0);
  const processId = Number(readFileSync(join(folder, "pid"), "utf8"));
  background.push(processId);
  const address = readFileSync(join(folder, "address"), "utf8");
  expect(await handshake(address, authLine)).toMatch(/^OK /);
  process.kill(processId);
  await goneFrom(folder, "bus");
});

test("SIGINT cleans up and still looks like an interruption", async () => {
  const { told, child, ended } = run([configure(listen("bus")), "--print-address=3"]);
  await told;
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ signal: "SIGINT" });
  expect(readdirSync(folder)).toEqual(["bus.conf"]);
});

test("without the addon it says what is missing and works", async () => {
  // Nobody vouches for peers then, so that the folder has to keep others out.
  chmodSync(folder, 0o700);
  const words = [configure(listen("bus")), "--print-address=3"];
  const { told, child, ended } = run(words, { ONEHOP_ADDON: "none" });
  expect(await handshake(await told, authLine)).toMatch(/^OK /);
  child.kill("SIGTERM");
  const { stderr } = await ended;
  expect(stderr.split("\n").filter((line) => line.includes("descriptor"))).toHaveLength(1);
});

testWithProgram(
  "systemd-socket-activate",
  "it takes over sockets that systemd has opened",
  async () => {
    const path = join(folder, "socket");
    const words = [`--listen=${path}`, process.execPath, builtProgram(program)];
    const flags = [configure(listen("bus")), "--address=systemd:", "--print-address"];
    const activator = spawn("systemd-socket-activate", [...words, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    // It starts the bus, in its own place, when somebody connects.
    await new Promise<void>((resolve) => {
      activator.stderr.on("data", (text) => String(text).includes("Listening") && resolve());
    });
    expect(await handshake(`unix:path=${path}`, authLine)).toMatch(/^OK /);
    const ended = new Promise((resolve) => activator.once("exit", resolve));
    activator.kill("SIGTERM");
    expect(await ended).toBe(0);
  },
);

test("a user without rights can execute it", () => {
  expect(statSync(builtProgram(program)).mode & 0o555).toBe(0o555);
  expect(readFileSync(builtProgram(program), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

function goneFrom(directory: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(directory, () => check());
    const check = (): void => {
      if (existsSync(join(directory, name))) return;
      watcher.close();
      resolve();
    };
    check();
  });
}

function killIfThere(processId: number): void {
  try {
    process.kill(processId, "SIGKILL");
  } catch {
    // The test has ended it.
  }
}
