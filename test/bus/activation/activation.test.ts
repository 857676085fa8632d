/** A bus in this process starts programs. What others see of it is in the conformance suite. */

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Bus, createBus } from "../../../bus/bus.ts";
import type { LogEntry } from "../../../bus/log.ts";
import type { ActivationOptions, BusOptions } from "../../../bus/options.ts";
import { methodCall } from "../../../wire/message.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { MemoryPeer } from "../../support/memory-peer.ts";

const NAME = "org.example.Lazy";

let folder = "";
let entries: LogEntry[] = [];
let buses: Bus[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-activation-"));
  entries = [];
  buses = [];
});
afterEach(() => {
  for (const bus of buses) bus.close();
  rmSync(folder, { recursive: true });
});

function write(exec: string, name = NAME, more = ""): void {
  const text = `[D-BUS Service]\nName=${name}\nExec=${exec}\n${more}\n`;
  writeFileSync(join(folder, `${name}.service`), text);
}

function script(...lines: readonly string[]): string {
  const path = join(folder, "script.sh");
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
  return path;
}

const directories = (): { path: string }[] => [{ path: folder }];
const log = (entry: LogEntry): void => void entries.push(entry);

function newBus(activation: Partial<ActivationOptions> = {}, options: BusOptions = {}): Bus {
  const bus = createBus({ activation: { directories, ...activation }, log, ...options });
  buses.push(bus);
  return bus;
}

const call = { path: "/", member: "M", destination: NAME };
const logged = (level: LogEntry["level"]): string[] =>
  entries.filter((entry) => entry.level === level).map(({ text }) => text);

test("what a program printed before it failed is in the error and in the log", async () => {
  write(script("echo first", "echo second >&2", "exit 3"));
  const peer = await MemoryPeer.join(newBus());
  const error = await peer.call(call);
  const begin = `Process ${NAME} exited with status 3; it printed: `;
  expect(error.errorName).toBe("org.freedesktop.DBus.Error.Spawn.ChildExited");
  const [text = ""] = error.body.map(String);
  expect(text.startsWith(begin)).toBe(true);
  expect(text.slice(begin.length).split(" | ").sort()).toEqual(["first", "second"]);
  expect(logged("warning")).toEqual([`Activated service '${NAME}' failed: ${text}`]);
});

test("a program may open its output by the names that it has in /dev", async () => {
  // Sockets, which Node makes of pipes, could not be opened.
  write(script("true > /dev/stdout && echo opened > /dev/stderr || exit 9", "exit 8"));
  const peer = await MemoryPeer.join(newBus());
  const text = `Process ${NAME} exited with status 8; it printed: opened`;
  expect((await peer.call(call)).body).toEqual([text]);
});

test("what a program prints is remembered within bounds, and as text", async () => {
  write(
    script(
      "seq 3000 | tr '\\n' ' '",
      "echo",
      "seq 9",
      "printf '\\033[1mtab\\there\\377\\n'",
      "exit 1",
    ),
  );
  const peer = await MemoryPeer.join(newBus());
  const [text = ""] = (await peer.call(call)).body.map(String);
  expect(text).toMatch(/it printed: 6 \| 7 \| 8 \| 9 \| \[1mtab\there\ufffd$/);
});

test("on a system bus what a program printed is only in the log", async () => {
  write(script("echo secret", "exit 3"));
  const peer = await MemoryPeer.join(newBus({ busType: "system" }));
  expect((await peer.call(call)).body).toEqual([`Process ${NAME} exited with status 3`]);
  expect(logged("warning")).toEqual([expect.stringContaining("secret")]);
});

test("a start whose time is up says what became of the program", async () => {
  write("/bin/true");
  const peer = await MemoryPeer.join(newBus({}, { limits: { serviceStartTimeoutMs: 500 } }));
  const [text] = (await peer.call(call)).body;
  expect(text).toBe(
    `Failed to activate service '${NAME}': timed out (service_start_timeout=500ms); its process ended with status 0 and nobody took the name`,
  );
});

test("the log says that a helper was asked, and what it said; who waits is told its status alone", async () => {
  write("/bin/true", NAME, "User=nobody");
  const helper = script("echo secret >&2", "exit 3");
  const peer = await MemoryPeer.join(newBus({ helper: () => helper }));
  const { errorName, body } = await peer.call(call);
  expect([errorName, ...body]).toEqual([
    "org.freedesktop.DBus.Error.Spawn.ConfigInvalid",
    "Invalid configuration (missing or empty <user>?)",
  ]);
  expect(logged("info").join()).toMatch(/requested by .* \(using servicehelper\)/);
  expect(logged("warning").join()).toMatch(/failed: Invalid configuration .* printed: secret$/);
});

test("the helper is asked for at every start", async () => {
  write("/bin/true", NAME, "User=nobody");
  let helper: string | null = script("exit 6");
  const peer = await MemoryPeer.join(newBus({ helper: () => helper }));
  const before = await peer.call(call);
  expect(before.errorName).toBe("org.freedesktop.DBus.Error.Spawn.ServiceNotFound");
  write(script("exit 6"), NAME, "User=nobody");
  helper = null;
  expect((await peer.call(call)).body[0]).toMatch(/^Process .* exited with status 6/);
});

test("a system bus without a helper says whose service it runs as itself", async () => {
  write(script("exit 1"), NAME, "User=nobody");
  const peer = await MemoryPeer.join(newBus({ busType: "system" }));
  await peer.call(call);
  expect(logged("warning")[0]).toBe(
    `'${NAME}' runs as the user of the bus, not as nobody: there is no <servicehelper>`,
  );
});

test("arguments and variables that no program can be given fail the start", async () => {
  write("/bin/true");
  const peer = await MemoryPeer.join(newBus());
  const long = new Map([["LONG", "x".repeat(1 << 18)]]);
  await peer.driver("UpdateActivationEnvironment", "a{ss}", [long]);
  const { errorName, body } = await peer.call(call);
  expect(errorName).toBe("org.freedesktop.DBus.Error.Spawn.ExecFailed");
  expect(body).toEqual([`Failed to execute program ${NAME}: Argument list too long`]);
});

test("a bus that only its own process can reach tells its services no address", async () => {
  const report = join(folder, "environment");
  write(script(`env > ${report}`, "exit 1"));
  await (await MemoryPeer.join(newBus())).call(call);
  const lines = readFileSync(report, "utf8").split("\n");
  expect(lines.filter((line) => line.startsWith("DBUS_STARTER"))).toEqual([
    "DBUS_STARTER_BUS_TYPE=session",
  ]);
});

test("a hundred programs are started one after the other, and all of them fail for themselves", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `org.example.Lazy${index}`);
  for (const [index, name] of names.entries()) write(`/bin/sh -c 'exit ${index + 1}'`, name);
  const peer = await MemoryPeer.join(newBus());
  const replies = names.map((destination) => peer.call({ ...call, destination }));
  const texts = (await Promise.all(replies)).map(({ body }) => body[0]);
  expect(texts).toEqual(
    names.map((name, index) => `Process ${name} exited with status ${index + 1}`),
  );
});

test("messages beyond what their sender may keep waiting are refused, and no others", async () => {
  write("/bin/true");
  const bus = newBus({}, { limits: { maxIncomingBytes: 1000 } });
  const [greedy, modest] = [await MemoryPeer.join(bus), await MemoryPeer.join(bus)];
  const long = { ...call, signature: "s", body: ["x".repeat(600)] };
  greedy.send(methodCall(long));
  expect((await greedy.call(long)).errorName).toBe("org.freedesktop.DBus.Error.LimitsExceeded");
  modest.send(methodCall(long));
  await modest.driver("RequestName", "su", [NAME, 0]);
  const calls = (await modest.drain()).filter(({ type }) => type === MessageType.MethodCall);
  expect(calls.map(({ sender }) => sender)).toEqual([greedy.uniqueName, modest.uniqueName]);
});

test("a closed bus waits for nothing, and leaves what it has started alone", async () => {
  const [started, goOn] = [join(folder, "started"), join(folder, "go-on")];
  for (const path of [started, goOn]) spawnSync("mkfifo", [path]);
  write(script(`echo started > ${started}`, `echo alive > ${goOn}`));
  const bus = newBus();
  const peer = await MemoryPeer.join(bus);
  peer.send(methodCall(call));
  expect(await readFile(started, "utf8")).toBe("started\n");
  bus.close();
  expect(await readFile(goOn, "utf8")).toBe("alive\n");
});

test("a restored bus starts again what was being started", async () => {
  write("/bin/true");
  const bus = newBus();
  const caller = await MemoryPeer.join(bus);
  caller.send(methodCall(call));
  const asked = caller.driver("StartServiceByName", "su", [NAME, 0]);
  asked.catch(() => {});
  await caller.drain();
  const { bus: restored } = Bus.restore(structuredClone(bus.snapshot()), {
    activation: { directories },
    log,
  });
  buses.push(restored);
  expect(logged("info").filter((text) => text.startsWith("Activating service"))).toHaveLength(2);
  const owner = await MemoryPeer.join(restored);
  await owner.driver("RequestName", "su", [NAME, 0]);
  const calls = (await owner.drain()).filter(({ type }) => type === MessageType.MethodCall);
  expect(calls.map(({ sender }) => sender)).toEqual([caller.uniqueName]);
});
