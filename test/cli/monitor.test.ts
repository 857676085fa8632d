/** `onehop monitor` as a process: what it shows of a live bus, captures, and how it ends. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/start-bus.ts";
import type { Client } from "../../client/client.ts";
import { signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { pcapFileHeader, pcapRecord } from "../../wire/pcap.ts";
import { Clients, echo, failureOf, PLACE, settled } from "../client/support.ts";
import { builtProgram, type Ended, type Running, start } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";
import { capture, jsonLines } from "./watching.ts";

const READY = "onehop: watching the bus\n";
const clients = new Clients();
let bus: StartedBus;
let folder = "";
let client: Client;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-monitor-"));
  bus = await startBus({ listen: [`unix:path=${folder}/bus`], mayConnect: () => true });
  client = await clients.join(bus.address);
});
afterEach(async () => {
  await clients.close();
  await bus.stop();
  rmSync(folder, { recursive: true });
});

/** A monitor that watches already. */
async function monitor(...words: string[]): Promise<Running> {
  const running = start("cli/main.js", ["monitor", "--address", bus.address, ...words]);
  await Promise.race([running.said(READY), running.ended.then(fail)]);
  return running;
}

function fail({ stderr }: Ended): never {
  throw new Error(`the monitor ended: ${stderr}`);
}

const offline = (...words: string[]): Promise<Ended> =>
  start("cli/main.js", ["monitor", ...words]).ended;

/** Interrupts it when it has shown all so far; its filter has to let calls to this name pass. */
async function interrupted(running: Running): Promise<Ended> {
  await failureOf(client.call({ ...PLACE, path: "/End", destination: LAST }));
  await running.said("/End");
  running.child.kill("SIGINT");
  return running.ended;
}

const LAST = "org.example.Last";

/** What was shown before the end, in short. */
function shown({ stdout }: Ended): string[] {
  const objects = jsonLines(Buffer.from(stdout));
  const end = objects.findIndex(({ path }) => path === "/End");
  return objects.slice(0, end).map((object) => {
    const { type, sender, destination = "-", member, error_name: errorName } = object;
    return [type, sender, destination, member ?? errorName].filter((word) => word).join(" ");
  });
}

describe("what is shown", () => {
  test("a name is followed from owner to owner, and replies belong to their calls", async () => {
    const [one, other] = [await clients.join(bus.address), await clients.join(bus.address)];
    const [caller, first, second] = [client, one, other].map(({ uniqueName }) => uniqueName);
    await one.requestName("org.example.A", { allowReplacement: true });
    echo(other);
    const running = await monitor("org.example.A", LAST, "--json=short");
    const call = { ...PLACE, destination: "org.example.A" };
    await failureOf(client.call(call));
    await one.emit(PLACE);
    await settled(one);
    await other.emit(PLACE);
    await other.requestName("org.example.A", { replaceExisting: true });
    await client.call(call);
    await one.emit(PLACE);
    await settled(one);
    await other.emit(PLACE);
    await settled(other);
    const ended = await interrupted(running);
    expect(shown(ended).filter((text) => !text.includes("GetId"))).toEqual([
      `method_call ${caller} org.example.A Member`,
      `error ${first} ${caller} org.freedesktop.DBus.Error.UnknownObject`,
      `signal ${first} - Member`,
      // As owner it asked GetId, which is left out above; this is the answer.
      `method_return org.freedesktop.DBus ${first}`,
      `signal org.freedesktop.DBus ${first} NameLost`,
      "signal org.freedesktop.DBus - NameOwnerChanged",
      `signal org.freedesktop.DBus ${second} NameAcquired`,
      `method_return org.freedesktop.DBus ${second}`,
      `method_call ${caller} org.example.A Member`,
      `method_return ${second} ${caller}`,
      `signal ${second} - Member`,
      `method_return org.freedesktop.DBus ${second}`,
    ]);
    expect(ended).toMatchObject({ status: 0, stderr: READY });
  });

  test("filters by path, interface and type work on the bus and here", async () => {
    const filters = ["--path-namespace", "/org", "--path", "/End", "--interface", PLACE.interface];
    const running = await monitor(...filters, "--json=short");
    const types = await monitor("--type", "error", "--destination", client.uniqueName);
    await client.emit(PLACE);
    await client.emit({ ...PLACE, path: "/other" });
    await client.emit({ ...PLACE, interface: "org.example.Other" });
    await failureOf(client.call({ ...PLACE, destination: "org.example.Missing" }));
    const ended = await interrupted(running);
    expect(shown(ended)).toEqual([
      `signal ${client.uniqueName} - Member`,
      `method_call ${client.uniqueName} org.example.Missing Member`,
      `error org.freedesktop.DBus ${client.uniqueName} org.freedesktop.DBus.Error.ServiceUnknown`,
    ]);
    await types.said(LAST);
    types.child.kill("SIGTERM");
    const lines = (await types.ended).stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/^\S+ (.*) [\d.]+ m?s/, "$1"))).toEqual(
      ["org.example.Missing", LAST].map(
        (name) =>
          `✗ org.freedesktop.DBus > ${client.uniqueName} Member ` +
          `org.freedesktop.DBus.Error.ServiceUnknown "The name ${name} was not provided by any .service files"`,
      ),
    );
  });

  test("nothing is lost when it is read slowly", async () => {
    const running = await monitor("--json=short", "--member", "Member");
    running.child.stdout?.pause();
    const count = 300;
    const value = "x".repeat(10_000);
    for (let index = 0; index < count; index++) {
      await client.emit({ ...PLACE, signature: "us", body: [index, value] });
    }
    await settled(client);
    running.child.stdout?.resume();
    const objects = jsonLines(Buffer.from((await interrupted(running)).stdout));
    const numbers = objects.slice(0, count).map(({ payload }) => {
      // What busctl's form of JSON has there.
      const { data } = payload as { data: [number, string] };
      return [data[0], data[1].length];
    });
    expect(numbers).toEqual(Array.from({ length: count }, (_each, index) => [index, 10_000]));
  });
});

describe("how it ends", () => {
  test("after so many messages, or after some time", async () => {
    const running = await monitor("--limit-messages", "2", "--path", "/count", "--json=short");
    for (const body of [[1], [2], [3]]) {
      await client.emit({ ...PLACE, path: "/count", signature: "i", body });
    }
    const { status, stdout } = await running.ended;
    expect(jsonLines(Buffer.from(stdout)).map(({ payload }) => payload)).toEqual([
      { type: "i", data: [1] },
      { type: "i", data: [2] },
    ]);
    expect(status).toBe(0);
    const timed = await monitor("--duration", "1ms", "--path", "/nothing");
    expect(await timed.ended).toMatchObject({ status: 0, stdout: "", stderr: READY });
  });

  test("when nobody reads what it writes", async () => {
    const running = await monitor();
    running.child.stdout?.destroy();
    const write = async (): Promise<void> => {
      while (running.child.exitCode === null) {
        await client.emit(PLACE);
        await settled(client);
      }
    };
    const [{ status, stderr }] = await Promise.all([running.ended, write()]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: READY });
  });

  test("when the bus goes away: it says so", async () => {
    const running = await monitor();
    await clients.close();
    await bus.stop();
    const { status, stderr } = await running.ended;
    expect(status).toBe(1);
    expect(stderr).toBe(`${READY}onehop: the bus closed the connection\n`);
  });

  test("without a bus: the status tells", async () => {
    const { status, stderr } = await offline("--address", `unix:path=${folder}/none`);
    expect(status).toBe(3);
    expect(stderr).toContain(`${folder}/none`);
  });

  const asNobody = process.getuid?.() === 0 ? test : test.skip;
  asNobody("when the bus does not let this user watch: it says what to do", async () => {
    const words = [builtProgram("cli/main.js"), "monitor", "--address", bus.address];
    chmodSync(folder, 0o755);
    chmodSync(join(folder, "bus"), 0o666);
    const child = spawn(process.execPath, words, {
      uid: 65534,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += String(chunk);
    });
    const [status] = await once(child, "close");
    expect(text).toMatch(
      /^onehop: the bus does not let this user watch it: .*\n.*sudo onehop monitor/,
    );
    expect(status).toBe(1);
  });

  test("at once when the command line makes no sense", async () => {
    const [first, second] = await Promise.all([
      offline("not-a-name"),
      offline("--pcap", "-", "--json"),
    ]);
    expect(first).toMatchObject({
      status: 2,
      stderr: 'onehop: NAME "not-a-name": expected such as org.example.Name or :1.5\n',
    });
    expect(second).toMatchObject({
      status: 2,
      stderr: "onehop: --pcap, --json and --verbose: choose one\n",
    });
  });
});

describe("captures", () => {
  test("are whole at any moment, and are shown like a bus", async () => {
    const file = join(folder, "file.pcap");
    const live = await monitor(LAST, client.uniqueName, "--json=short");
    const running = await monitor("--pcap", file);
    await client.requestName("org.example.Client");
    await client.emit({ ...PLACE, signature: "s", body: ["hello"] });
    const { stdout } = await interrupted(live);
    const hasEnd = async (): Promise<boolean> =>
      (await capture(readFileSync(file))).some(({ bytes }) => Buffer.from(bytes).includes("/End"));
    while (!(await hasEnd())) await settled(client);
    running.child.kill("SIGKILL");
    await running.ended;
    const words = [LAST, client.uniqueName, "--json=short", "--type", "signal"];
    const read = await offline("--read", file, ...words);
    expect(read).toMatchObject({ status: 0, stderr: "" });
    const signals = (text: string): unknown[] =>
      jsonLines(Buffer.from(text))
        .filter(({ type }) => type === "signal")
        .map(({ "timestamp-realtime": _time, ...rest }) => rest);
    expect(signals(read.stdout).length).toBe(2);
    expect(signals(read.stdout)).toEqual(signals(stdout));
  });

  test("that cannot be read to the end are shown as far as they can", async () => {
    const file = join(folder, "file.pcap");
    const message = encodeMessage(signal(PLACE), 5);
    const good = pcapRecord(message, 0);
    const bad = pcapRecord(
      Uint8Array.from(message, (byte, at) => (at === 1 ? 0 : byte)),
      0,
    );
    writeFileSync(file, Buffer.concat([pcapFileHeader(), good, bad, good, good.subarray(0, 30)]));
    const { status, stdout, stderr } = await offline("--read", file);
    expect(stdout.match(/Member/g)).toHaveLength(2);
    expect(stderr).toContain(`onehop: ${file}: message 2 is left out: `);
    expect(stderr).toContain("the file ends within what begins at byte");
    expect(status).toBe(1);
    writeFileSync(file, "not a capture");
    expect(await offline("--read", file)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("this is neither a pcap nor a pcapng file"),
    });
    expect(await offline("--read", join(folder, "none"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no such file"),
    });
  });

  test("go where they can be written", async () => {
    const { status, stderr } = await offline(
      "--address",
      bus.address,
      "--pcap",
      `${folder}/no/file`,
    );
    expect(stderr).toContain(`${folder}/no/file: `);
    expect(status).toBe(1);
  });
});

testWithProgram("script", "on a terminal it has colours, fits, and tells in the end", async () => {
  const words = [builtProgram("cli/main.js"), "monitor", "--address", bus.address, "-N", "1"];
  const command = `stty cols 60; ${[process.execPath, ...words, "--path", PLACE.path].join(" ")}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NO_COLOR: "" },
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    const isReady = !text.includes("watching") && String(text + chunk).includes("watching");
    text += String(chunk);
    if (isReady) {
      void client.emit({ ...PLACE, signature: "s", body: ["\u001b[31mred"] });
    }
  });
  const [status] = await once(child, "close");
  expect(status).toBe(0);
  expect(text).toContain(`\u001b[33m●\u001b[39m ${client.uniqueName}`);
  expect(text).toContain('s "\\u{1b}[31mred"');
  expect(text).toMatch(/onehop: \d+ messages? seen, 1 shown\r\n/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const lines = text.replaceAll(/\u001b\[\d+m/g, "").split("\r\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
});
