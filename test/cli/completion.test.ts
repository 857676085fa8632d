/** Completion, asked for by real shells. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/index.ts";
import { allCommands } from "../../cli/commands.ts";
import { completeWords } from "../../cli/completion/complete-words.ts";
import { COMPLETION_SCRIPTS } from "../../cli/completion/scripts.ts";
import { type Client, connect } from "../../client/index.ts";
import { builtProgram } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";
import { ECHO, startEcho } from "./echo-service.ts";

jest.setTimeout(60_000);

let folder = "";
let bus: StartedBus;
let service: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-completion-"));
  symlinkSync(builtProgram("cli/main.js"), join(folder, "onehop"));
  bus = await startBus({ listen: [`unix:path=${join(folder, "bus")}`], mayConnect: () => true });
  service = await startEcho(bus.address);
});
afterAll(async () => {
  await service.close();
  await bus.stop();
  rmSync(folder, { recursive: true });
});

function complete(...words: string[]): Promise<string[]> {
  const [command = "", ...rest] = words;
  return completeWords([command, "--address", bus.address, ...rest], allCommands([]));
}

test("commands and options", async () => {
  expect(await completeWords(["in"], allCommands([]))).toEqual(["introspect"]);
  expect(await completeWords([""], allCommands([]))).not.toContain("__complete");
  expect(await complete("call", "--a")).toEqual([
    "--address",
    "--allow-interactive-authorization",
    "--args",
    "--auto-start",
  ]);
  expect(await completeWords(["completion", "f"], allCommands([]))).toEqual(["fish"]);
  expect(await completeWords(["policy", ""], allCommands([]))).toEqual([
    "complaints",
    "lint",
    "why",
  ]);
  expect(await completeWords(["policy", "why", "--off"], allCommands([]))).toEqual(["--offline"]);
});

test("names, paths, interfaces, members and signatures, from the bus and its objects", async () => {
  expect(await complete("call", "org.ex")).toEqual([ECHO]);
  expect(await complete("status", ":1.")).toContain(service.uniqueName);
  expect(await complete("introspect", ECHO, "/a/b/")).toEqual([
    "/a/b/c1",
    "/a/b/c2",
    "/a/b/c2/deep",
  ]);
  expect(await complete("call", ECHO, "/", "")).toEqual(["org.example.Echo", "org.example.Empty"]);
  expect(await complete("call", ECHO, "/", ECHO, "")).toEqual(["Echo", "Old", "Set"]);
  expect(await complete("call", ECHO, "/", ECHO, "Set", "")).toEqual(["sv"]);
  expect(await complete("get-property", ECHO, "/", ECHO, "Title", "T")).toEqual(["Title"]);
  expect(await complete("set-property", ECHO, "/", ECHO, "Options", "")).toEqual(["a{sv}"]);
  expect(await complete("emit", "--destination", "org.ex")).toEqual([ECHO]);
  const why = (...words: string[]): Promise<string[]> =>
    completeWords(["policy", "why", "--address", bus.address, ...words], allCommands([]));
  expect(await why("daem")).toEqual(["daemon"]);
  expect(await why(":1.")).toContain(service.uniqueName);
  expect(await why("--config-file", "x.conf", "daemon", "org.ex")).toEqual([ECHO]);
  expect(await why("daemon", ECHO, "/", ECHO, "S")).toEqual(["Set"]);
});

test("a service that does not answer keeps nobody waiting", async () => {
  const silent = await connect(bus.address, { onCall: () => true });
  const name = silent.uniqueName;
  expect(await complete("call", name, "/").catch(() => "failed")).toEqual([]);
  await silent.close();
});

/** What is typed, and all that could come of it. */
const lines: readonly (readonly [string, string])[] = [
  ["onehop intro", "introspect"],
  ["onehop call org.ex", ECHO],
  [`onehop call ${ECHO} / ${ECHO} Set `, "sv"],
  ["onehop list --uni", "--unique"],
];
const expected = lines.map(([, candidate]) => `${candidate}\n`).join("");

async function inShell(program: string, words: readonly string[], script: string): Promise<string> {
  const child = spawn(program, [...words, "-c", script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: `${folder}:${process.env["PATH"]}`,
      HOME: folder,
      DBUS_SESSION_BUS_ADDRESS: bus.address,
    },
  });
  return text(child.stdout as Readable); // a pipe was asked for
}

testWithProgram("bash", "bash completes", async () => {
  const tries = lines.map(([line]) => `try ${JSON.stringify(line)}`).join("\n");
  const script = `${COMPLETION_SCRIPTS.bash}
try() { COMP_LINE=$1 COMP_POINT=\${#1} _onehop_complete; printf '%s\\n' "\${COMPREPLY[@]}"; }
${tries}
# Bash completes what follows a colon by itself.
COMP_LINE="onehop status :1." COMP_POINT=17 _onehop_complete; printf '%s\\n' "\${COMPREPLY[@]}" | grep -x 1.0
`;
  expect(await inShell("bash", ["--norc"], script)).toBe(`${expected}1.0\n`);
});

testWithProgram("zsh", "zsh completes", async () => {
  const tries = lines.map(
    ([line]) =>
      `try ${line
        .split(" ")
        .map((word) => JSON.stringify(word))
        .join(" ")}`,
  );
  // Only zsh's line editor may call compadd and has these variables.
  const script = `compdef() { :; }
compadd() { shift; print -rl -- "$@"; }
source <(onehop completion zsh)
try() { words=("$@"); CURRENT=$#; _onehop; }
${tries.join("\n")}
`;
  expect(await inShell("zsh", ["-f"], script)).toBe(expected);
});

testWithProgram("fish", "fish completes", async () => {
  const tries = lines.map(([line]) => `complete -C ${JSON.stringify(line)}`).join("\n");
  const script = `onehop completion fish | source\n${tries}\n`;
  expect(await inShell("fish", ["--no-config"], script)).toBe(expected);
});
