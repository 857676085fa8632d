/** What a started program finds: its arguments, its environment, its descriptors. */

import { expect } from "@jest/globals";
import type { Client } from "./support/client.ts";

import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";

const services = useServices({
  environment: {
    ONEHOP_TEST_INHERITED: "yes",
    INVOCATION_ID: "0123456789abcdef0123456789abcdef",
    JOURNAL_STREAM: "1:2",
    LISTEN_FDNAMES: "x",
    LISTEN_FDS: "",
    LISTEN_PID: "",
    NOTIFY_SOCKET: "",
  },
});

const EXEC = "Message Bus Starting Services: Exec";
const ENVIRONMENT = "Message Bus Starting Services: environment";

/** Starts a program with `rest` behind it on the command line; returns what it prints. */
async function output(client: Client, rest: string, ...lines: readonly string[]): Promise<string> {
  const report = services.report();
  const script = services.script(`exec > ${report.path}`, ...lines);
  client.send(
    methodCall(services.service(`${script} ${rest}`.trimEnd() + (rest.endsWith(" ") ? " " : ""))),
  );
  return report.read();
}

/** The arguments that `rest` becomes. */
async function words(client: Client, rest: string): Promise<string[]> {
  const printed = await output(client, rest, 'for word; do printf "%s\\0" "$word"; done');
  return printed.split("\0").slice(0, -1);
}

const lines: readonly (readonly [sentence: string, rest: string, words: readonly string[]])[] = [
  ["Blanks and tabulators separate words", "a  b\\tc", ["a", "b", "c"]],
  ["Single quotes keep everything", "'a  b' '$x `y` \"z\" \\\\n'", ["a  b", '$x `y` "z" \\n']],
  ["Double quotes keep blanks", '"a  b" "\'"', ["a  b", "'"]],
  ["Double quotes know some escapes", '"\\\\" \\\\$ \\\\` \\\\\\\\ \\\\a"', ['" $ ` \\ \\a']],
  ["A backslash keeps the next character", "a\\\\ b \\\\' \\\\\\\\", ["a b", "'", "\\"]],
  ["Quotes in the middle of a word go away", "a'b'\"c\"d", ["abcd"]],
  ["Empty quotes are a word", "'' \"\" x", ["", "", "x"]],
  [
    "Nothing is expanded",
    "$HOME * ~ `id` $(id) ; > x | y &",
    ["$HOME", "*", "~", "`id`", "$(id)", ";", ">", "x", "|", "y", "&"],
  ],
  ["A comment goes to the end", "a # b", ["a", ""]],
  ["A blank at the end is followed by an empty word", "a ", ["a", ""]],
  ["An unquoted newline ends a word", "a\\nb", ["a", "b"]],
];

for (const [sentence, rest, expected] of lines) {
  activation(sentence, { spec: EXEC }, async (scene) => {
    expect(await words(await scene.client(), rest)).toEqual(expected);
  });
}

async function environment(client: Client): Promise<Map<string, string>> {
  const printed = await output(client, "", "cat /proc/$$/environ");
  return new Map(
    printed
      .split("\0")
      .slice(0, -1)
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}

activation("A program finds the bus in its environment", { spec: ENVIRONMENT }, async (scene) => {
  const found = await environment(await scene.client());
  expect(found.get("DBUS_STARTER_ADDRESS")).toBe(scene.address);
  expect(found.get("DBUS_SESSION_BUS_ADDRESS")).toBe(scene.address);
  expect(found.get("DBUS_STARTER_BUS_TYPE")).toBe("session");
});

activation(
  "A program inherits what the bus found in its environment",
  { spec: "dbus-daemon" },
  async (scene) => {
    const found = await environment(await scene.client());
    expect(found.get("ONEHOP_TEST_INHERITED")).toBe("yes");
    expect(found.get("PATH")).toBe(process.env["PATH"]);
  },
);

activation(
  "What systemd has set for the bus itself is not inherited",
  { spec: "dbus-daemon" },
  async (scene) => {
    const found = await environment(await scene.client());
    const ofTheBus = [
      "INVOCATION_ID",
      "JOURNAL_STREAM",
      "LISTEN_FDNAMES",
      "LISTEN_FDS",
      "LISTEN_PID",
      "NOTIFY_SOCKET",
    ];
    expect(ofTheBus.filter((name) => found.has(name))).toEqual([]);
  },
);

function update(
  client: Client,
  ...variables: readonly (readonly [string, string])[]
): Promise<unknown> {
  return client.call("UpdateActivationEnvironment", { signature: "a{ss}", arguments: [variables] });
}

activation(
  "A program finds what was set for it, and the latest value",
  { spec: "UpdateActivationEnvironment" },
  async (scene) => {
    const client = await scene.client();
    await update(client, ["ONEHOP_TEST_SET", "old"], ["ONEHOP_TEST_INHERITED", "changed"]);
    await update(client, ["ONEHOP_TEST_SET", "new = value\nof lines"]);
    const found = await environment(client);
    expect(found.get("ONEHOP_TEST_SET")).toBe("new = value\nof lines");
    expect(found.get("ONEHOP_TEST_INHERITED")).toBe("changed");
    await update(client, ["ONEHOP_TEST_INHERITED", "yes"]);
  },
);

activation("Nobody can set where the bus is", { spec: "dbus-daemon" }, async (scene) => {
  const client = await scene.client();
  const names = ["DBUS_STARTER_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_BUS_TYPE"];
  for (const name of names) await update(client, [name, "elsewhere"]);
  const found = await environment(client);
  expect([...found.values()]).not.toContain("elsewhere");
});

activation("A program gets no descriptors of the bus", { spec: "dbus-daemon" }, async (scene) => {
  const printed = await output(await scene.client(), "", "ls /proc/$$/fd");
  const open = printed.trim().split("\n").map(Number);
  // The script's shell keeps one of its own, beyond 9.
  expect(open.filter((descriptor) => descriptor > 2 && descriptor < 10)).toEqual([]);
  expect(open.filter((descriptor) => descriptor > 10)).toEqual([]);
});

activation("A program has no signals blocked", { spec: "dbus-daemon" }, async (scene) => {
  const printed = await output(await scene.client(), "", "exec grep SigBlk /proc/self/status");
  expect(printed.trim()).toMatch(/^SigBlk:\s+0+$/);
});

activation("A program runs where the bus runs", { spec: "dbus-daemon" }, async (scene) => {
  expect(await output(await scene.client(), "", "pwd -P")).toBe(`${process.cwd()}\n`);
});

activation("A program runs with the umask of the bus", { spec: "dbus-daemon" }, async (scene) => {
  const printed = await output(await scene.client(), "", "umask");
  expect(Number.parseInt(printed, 8)).toBe(process.umask());
});

activation(
  "A program runs as the user of the bus, whatever User says",
  { spec: "dbus-daemon" },
  async (scene) => {
    const report = services.report();
    const name = services.service(services.script(`id -u > ${report.path}`), "User=nobody");
    (await scene.client()).send(methodCall(name));
    expect(await report.read()).toBe(`${process.geteuid?.()}\n`);
  },
);

activation(
  "A program reads nothing on its standard input",
  { spec: "dbus-daemon" },
  async (scene) => {
    expect(await output(await scene.client(), "", "wc -c")).toBe("0\n");
  },
);

activation("A program is no zombie when it has ended", { spec: "dbus-daemon" }, async (scene) => {
  const client = await scene.client();
  const pid = (await output(client, "", "echo $$", "exit 0")).trim();
  // The next one starts after the bus has noticed the end of this one.
  let state = "Z";
  for (let round = 0; round < 50 && state === "Z"; round++) {
    state = (await output(client, "", `cut -d' ' -f3 /proc/${pid}/stat 2>&1`)).trim();
  }
  expect(state).not.toBe("Z");
});
