/** The programs that start a dbus-daemon, with onehop-dbus-daemon in its place. */

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { authLine, builtProgram, handshake } from "./daemon-process.ts";
import { testWithProgram } from "./programs.ts";

// Each test starts processes, on machines that do other things as well.
jest.setTimeout(30_000);

const daemon = builtProgram("onehop-dbus-daemon.cjs");
const call =
  "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId";
const command =
  'tr "\\0" " " < /proc/$(busctl --user status org.freedesktop.DBus | sed -n "s/^PID=//p")/cmdline';

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-starters-"));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

testWithProgram("dbus-run-session", "dbus-run-session --dbus-daemon", () => {
  const words = [`--dbus-daemon=${daemon}`, "--", "sh", "-c", `${call} && ${command}; exit 5`];
  const { status, stdout } = spawnSync("dbus-run-session", words, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 5, stdout: expect.stringContaining('string "') });
  expect(stdout).toContain("onehop-dbus-daemon");
});

testWithProgram("dbus-run-session", "a link called dbus-daemon that is first in PATH", () => {
  symlinkSync(daemon, join(folder, "dbus-daemon"));
  const { status, stdout } = spawnSync("dbus-run-session", ["--", "sh", "-c", command], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringContaining(`${folder}/dbus-daemon --nofork`),
  });
});

/** Only root may have another /usr/bin for a command without becoming root in another user namespace. */
const testAsRoot: typeof testWithProgram = (program, title, body) =>
  userInfo().uid === 0
    ? testWithProgram(program, title, body)
    : test(`${title} (needs root)`, () => console.warn("not run: not root"));

testAsRoot("dbus-launch", "dbus-launch, which looks in its own folder first", async () => {
  // It is /usr/bin/dbus-daemon, for this command alone.
  const replace = `mount --make-rprivate / && mount --bind ${folder}/dbus-daemon /usr/bin/dbus-daemon`;
  writeFileSync(join(folder, "dbus-daemon"), `#!/bin/sh\nexec ${daemon} "$@"\n`);
  chmodSync(join(folder, "dbus-daemon"), 0o755);
  const words = ["--mount", "sh", "-c", `${replace} && exec dbus-launch`];
  const { status, stdout, stderr } = spawnSync("unshare", words, {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr });
  const [, address = ""] = /^DBUS_SESSION_BUS_ADDRESS=(.*)$/m.exec(stdout) ?? [];
  const [, processId] = /^DBUS_SESSION_BUS_PID=(\d+)$/m.exec(stdout) ?? [];
  try {
    expect(await handshake(address, authLine)).toMatch(/^OK /);
    const line = spawnSync("tr", ["\\0", " "], {
      input: spawnSync("cat", [`/proc/${processId}/cmdline`]).stdout,
      encoding: "utf8",
    }).stdout;
    expect(line).toContain("onehop-dbus-daemon.cjs");
  } finally {
    process.kill(Number(processId));
  }
});

test("what it is called by does not matter", () => {
  symlinkSync(daemon, join(folder, "dbus-daemon"));
  const { stdout } = spawnSync(join(folder, "dbus-daemon"), ["--version"], { encoding: "utf8" });
  expect(stdout).toMatch(/^D-Bus Message Bus Daemon \(onehop\)/);
});
