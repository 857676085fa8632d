/** What services print while onehop-dbus-daemon runs, and what becomes of them when it ends. */

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { RawClient } from "../support/raw-client.ts";
import { builtProgram } from "./daemon-process.ts";

const NAME = "org.example.Talkative";

let folder = "";
let daemon: ReturnType<typeof spawnDaemon> | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-output-"));
});
afterEach(() => {
  daemon?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function spawnDaemon(...lines: readonly string[]) {
  const script = join(folder, "service.sh");
  writeFileSync(script, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  mkdirSync(join(folder, "services"));
  const file = `[D-BUS Service]\nName=${NAME}\nExec=${script}\n`;
  writeFileSync(join(folder, "services/a.service"), file);
  const configuration = join(folder, "bus.conf");
  writeFileSync(
    configuration,
    `<busconfig><listen>unix:path=${folder}/bus</listen><servicedir>${folder}/services</servicedir>
    <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`,
  );
  const words = [`--config-file=${configuration}`, "--nofork", "--print-address"];
  const program = builtProgram("onehop-dbus-daemon.cjs");
  return spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** A named pipe, to hear from a service without the bus. */
function pipe(name: string): string {
  const path = join(folder, name);
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  return path;
}

async function asking(): Promise<RawClient> {
  const client = await RawClient.join(join(folder, "bus"));
  client.driver("StartServiceByName", "su", [NAME, 0]);
  return client;
}

test("what a service prints goes where the bus prints", async () => {
  daemon = spawnDaemon("echo to the one", "echo to the other >&2", "exec sleep 1");
  const { stdout, stderr } = daemon;
  const printed = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const told = createInterface({ input: stderr })[Symbol.asyncIterator]();
  await printed.next();
  const client = await asking();
  expect((await printed.next()).value).toBe("to the one");
  let line = "";
  while (line !== "to the other") line = String((await told.next()).value);
  client.socket.destroy();
});

test("a service whose output nobody reads waits, and the bus and its peers do not", async () => {
  const done = pipe("done");
  daemon = spawnDaemon("head -c 1000000 /dev/zero | tr '\\0' x >&2", `echo done > ${done}`);
  const { stdout, stderr } = daemon;
  await createInterface({ input: stdout })[Symbol.asyncIterator]().next();
  const client = await asking();
  let isDone = false;
  const finished = readFile(done, "utf8").then((text) => {
    isDone = true;
    return text;
  });
  for (let count = 0; count < 200; count++) {
    client.driver("GetId");
    await client.read(1);
  }
  expect(isDone).toBe(false);
  stderr.resume();
  expect(await finished).toBe("done\n");
  client.socket.destroy();
});

test("a service goes on when the bus ends", async () => {
  const [started, after] = [pipe("started"), pipe("after")];
  daemon = spawnDaemon(`echo $$ > ${started}`, `echo still here > ${after}`);
  await createInterface({ input: daemon.stdout })[Symbol.asyncIterator]().next();
  const client = await asking();
  await readFile(started, "utf8");
  const ended = new Promise((resolve) => daemon?.once("exit", resolve));
  daemon.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(await readFile(after, "utf8")).toBe("still here\n");
  client.socket.destroy();
});
