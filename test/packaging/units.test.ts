/** What `packaging/` brings for systemd: is it well-formed, and does a real systemd run the bus by it? */

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { builtProgram } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";

// A service manager starts and stops in each of the long ones.
jest.setTimeout(60_000);

const packaging = join(import.meta.dirname, "../../packaging");
const daemon = builtProgram("onehop-dbus-daemon.cjs");
const systemd = "/lib/systemd/systemd";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-units-"));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each(["system", "user"] as const)("the %s units", (kind) => {
  const read = (): string => readFileSync(join(packaging, kind, "onehop.service"), "utf8");

  testWithProgram("systemd-analyze", "have nothing that systemd would complain about", () => {
    cpSync(join(packaging, kind), folder, { recursive: true });
    // It looks for the program, which is not installed.
    const service = join(folder, "onehop.service");
    writeFileSync(service, read().replace("=onehop-dbus-daemon", `=${daemon}`));
    const words = [`--${kind}`, "verify", "--man=no", service, join(folder, "dbus.socket")];
    const { stdout, stderr } = spawnSync("systemd-analyze", words, {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:`, XDG_RUNTIME_DIR: folder },
    });
    const lines = `${stdout}${stderr}`.split("\n");
    expect(lines.filter((line) => /onehop|dbus\.socket/.test(line))).toEqual([]);
  });

  testWithProgram(`/usr/lib/systemd/${kind}/dbus.service`, "start as dbus-daemon's do", () => {
    const theirs = readFileSync(`/usr/lib/systemd/${kind}/dbus.service`, "utf8");
    const start = (text: string): string | undefined => /^ExecStart=\S+ (.*)$/m.exec(text)?.[1];
    expect(start(read())).toBe(start(theirs));
    for (const line of theirs
      .split("\n")
      .filter((text) => /^(Type|NotifyAccess|OOM|Slice|Requires)/.test(text))) {
      expect(read()).toContain(`${line}\n`);
    }
    const ours = readFileSync(join(packaging, kind, "dbus.socket"), "utf8");
    const socket = readFileSync(`/usr/lib/systemd/${kind}/dbus.socket`, "utf8");
    expect(/^ListenStream=.*$/m.exec(ours)?.[0]).toBe(/^ListenStream=.*$/m.exec(socket)?.[0]);
  });
});

testWithProgram("systemd-sysusers", "the user of the system bus can be made", () => {
  mkdirSync(join(folder, "etc"));
  const file = join(packaging, "sysusers.d/onehop.conf");
  expect(spawnSync("systemd-sysusers", [`--root=${folder}`, file])).toMatchObject({ status: 0 });
  expect(readFileSync(join(folder, "etc/passwd"), "utf8")).toMatch(/^messagebus:/m);
});

testWithProgram("systemd-tmpfiles", "its folders can be made", () => {
  const file = join(packaging, "tmpfiles.d/onehop.conf");
  const words = [`--root=${folder}`, "--create", file];
  expect(spawnSync("systemd-tmpfiles", words)).toMatchObject({ status: 0 });
  expect(existsSync(join(folder, "run/dbus"))).toBe(true);
});

testWithManager("a user's systemd is switched over and back", async () => {
  const { stdout, stderr } = await runManager("user", ["--cgroup", "--mount", "--pid"], null);
  const facts = factsOf(stdout);
  expect({ facts, stderr }).toEqual({
    facts: {
      before: expect.stringMatching(/^dbus(-broker)?\.service$/),
      enabled: "onehop.service",
      state: "running",
      command: expect.stringContaining("/onehop-dbus-daemon --session --address=systemd: "),
      environment: "ONEHOP_TEST=1",
      reloaded: "running",
      result: "success status=0",
      after: facts["before"],
    },
    stderr,
  });
});

testWithManager("a machine's systemd runs it as the system bus", async () => {
  const namespaces = ["--cgroup", "--mount", "--pid", "--uts", "--ipc"];
  await runManager("system", namespaces, "result=");
  const uid = spawnSync("id", ["-u", "messagebus"], { encoding: "utf8" }).stdout.trim();
  expect(factsOf(readFileSync(join(folder, "out"), "utf8"))).toEqual({
    serves: "onehop.service",
    state: "running",
    uid: Array(4).fill(uid).join(" "),
    reload: "0",
    reloaded: "running",
    result: "success status=0",
  });
});

/** Needs root, systemd, and a kernel and a container that let it have namespaces and a control group. */
function testWithManager(title: string, body: () => Promise<void>): void {
  const probe =
    "mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run";
  const isPossible =
    userInfo().uid === 0 &&
    existsSync(systemd) &&
    spawnSync("unshare", ["--cgroup", "--mount", "--pid", "--fork", "sh", "-c", probe]).status ===
      0;
  if (isPossible) testWithProgram("dbus-update-activation-environment", title, body);
  else test(`${title} (needs root and namespaces)`, () => console.warn("not run: no namespaces"));
}

/** Runs the script of that manager to its end, or until what it writes has `last`. */
async function runManager(
  kind: "system" | "user",
  namespaces: readonly string[],
  last: string | null,
): Promise<{ stdout: string; stderr: string }> {
  const script = join(import.meta.dirname, `${kind}-manager.sh`);
  const words = [...namespaces, "--fork", "--mount-proc", "--kill-child", "sh", script];
  const child = spawn("unshare", [...words, folder, daemon, join(packaging, kind)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => (said.stdout += text));
  child.stderr.on("data", (text) => (said.stderr += text));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const written = last === null ? ended : outputWith(join(folder, "out"), last);
  await Promise.race([ended, written]);
  child.kill("SIGKILL");
  await ended;
  removeControlGroup();
  return said;
}

function outputWith(path: string, last: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => check());
    const check = (): void => {
      if (!existsSync(path)) return;
      const file = watch(path, () => {
        if (!readFileSync(path, "utf8").includes(last)) return;
        file.close();
        resolve();
      });
      watcher.close();
      if (readFileSync(path, "utf8").includes(last)) {
        file.close();
        resolve();
      }
    };
    check();
  });
}

/** What the script has made in the hierarchy of control groups outlives its namespaces, and is busy while its processes end. */
function removeControlGroup(): void {
  const group = `/sys/fs/cgroup/onehop-test-${basename(folder)}`;
  const mount = "mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup";
  const remove = `until find ${group} -depth -type d -exec rmdir {} + ; do sleep 0.02; done`;
  spawnSync("unshare", ["--mount", "sh", "-c", `${mount} && ${remove}`], { timeout: 10_000 });
}

function factsOf(text: string): Record<string, string> {
  const pairs = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(
    pairs.map((line) => [line.split("=", 1)[0] ?? "", line.replace(/^[^=]*=/, "").trim()]),
  );
}
