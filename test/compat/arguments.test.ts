/** The command line, and that dbus-daemon answers the same to it. */

import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { type DaemonArguments, parseArguments, usage } from "../../compat/dbus-daemon/arguments.ts";
import { testWithProgram } from "./programs.ts";

const plain: DaemonArguments = {
  configuration: { kind: "session" },
  address: null,
  printAddress: null,
  printPid: null,
  fork: null,
  usesPidFile: true,
  log: null,
  systemdActivation: false,
  complains: false,
};

test.each<[string, Partial<DaemonArguments>]>([
  ["--session", {}],
  ["--system", { configuration: { kind: "system" } }],
  ["--config-file=/a=b", { configuration: { kind: "file", path: "/a=b" } }],
  ["--config-file /a", { configuration: { kind: "file", path: "/a" } }],
  ["--session --address=unix:path=/x", { address: "unix:path=/x" }],
  ["--address unix:path=/x --session", { address: "unix:path=/x" }],
  ["--session --print-address", { printAddress: 1 }],
  ["--session --print-address=", { printAddress: 1 }],
  ["--session --print-address=5", { printAddress: 5 }],
  ["--nofork --print-address 5 --session", { fork: false, printAddress: 5 }],
  ["--print-address --session --print-pid", { printAddress: 1, printPid: 1 }],
  ["--print-address --print-pid --session", { printAddress: 1, printPid: 1 }],
  ["--session --print-pid=7", { printPid: 7 }],
  ["--session --fork", { fork: true }],
  ["--session --fork --nofork", { fork: false }],
  ["--session --nopidfile", { usesPidFile: false }],
  ["--session --syslog", { log: "both" }],
  ["--session --syslog-only", { log: "syslog" }],
  ["--session --syslog-only --syslog", { log: "syslog" }],
  ["--session --syslog --nosyslog", { log: "stderr" }],
  ["--session --systemd-activation", { systemdActivation: true }],
  ["--session --complain", { complains: true }],
  ["--session --ready-event-handle=12", {}],
  ["--session --ready-event-handle 12", {}],
])("%s is understood", (line, expected) => {
  expect(parseArguments(line.split(" "))).toEqual({
    kind: "run",
    arguments: { ...plain, ...expected },
  });
});

test.each([
  ["--version", "version"],
  ["--session --version --bogus", "version"],
  ["--introspect", "introspect"],
])("%s asks for %s", (line, kind) => {
  expect(parseArguments(line.split(" "))).toEqual({ kind });
});

// Each of these is also given to the real dbus-daemon below.
const refused: readonly [string, string][] = [
  ["", `No configuration file specified.\n${usage}`],
  ["--help", usage],
  ["-h", usage],
  ["-?", usage],
  ["--bogus", usage],
  ["--session stray", usage],
  ["--session=yes", usage],
  ["--config-file", `No configuration file specified.\n${usage}`],
  ["--config-file=", `No configuration file specified.\n${usage}`],
  [
    "--session --session",
    "--session specified but configuration file /usr/share/dbus-1/session.conf already requested",
  ],
  [
    "--session --system",
    "--system specified but configuration file /usr/share/dbus-1/session.conf already requested",
  ],
  [
    "--system --config-file=b",
    "--config-file specified but configuration file /usr/share/dbus-1/system.conf already requested",
  ],
  ["--config-file a --session", "--session specified but configuration file a already requested"],
  ["--session --address=a --address b", "--address specified but address a already requested"],
  [
    "--session --print-address=3 --print-address=4",
    "--print-address specified but printing address to 3 already requested",
  ],
  [
    "--session --print-pid 3 --print-pid 4",
    "--print-pid specified but printing pid to 3 already requested",
  ],
  ["--session --print-address=x", 'Invalid file descriptor: "x"'],
  ["--session --print-address=-1", 'Invalid file descriptor: "-1"'],
  ["--session --print-address 1x", 'Invalid file descriptor: "1x"'],
  ["--session --print-pid=9999999999", 'Invalid file descriptor: "9999999999"'],
];

test.each(refused)("%j is refused", (line, text) => {
  const words = line === "" ? [] : line.split(" ");
  expect(parseArguments(words)).toEqual({ kind: "refused", text });
});

testWithProgram("dbus-daemon", "dbus-daemon refuses the same with the same words", () => {
  for (const [line, text] of refused) {
    const words = line === "" ? [] : line.split(" ");
    const { status, stdout, stderr } = spawnSync("dbus-daemon", words, { encoding: "utf8" });
    expect({ line, status, stdout }).toEqual({ line, status: 1, stdout: "" });
    // The usage lines differ by the programs' names and the options each has.
    const shorten = (full: string): string => full.replace(/(onehop-)?dbus-daemon \[.*/, "USAGE");
    expect(shorten(stderr).trim()).toBe(shorten(text));
  }
});
