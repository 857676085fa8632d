/** `onehop monitor` beside dbus-monitor and busctl monitor, and its captures in Wireshark's hands. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { startBus } from "../../bus/start-bus.ts";
import { decodeMessage } from "../../wire/message-codec.ts";
import { hasBroker, startBroker } from "../client/dbus-broker.ts";
import { Clients } from "../client/support.ts";
import { builtProgram } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";
import { hasReferenceDaemon, ReferenceDaemon } from "../transport/reference-daemon.ts";
import { makeTraffic, TRAFFIC_PROGRAMS } from "./monitor-traffic.ts";
import { allHaveSeen, allWatching, between, capture, jsonLines, Watcher } from "./watching.ts";

interface RunningBus {
  readonly address: string;
  stop(): Promise<void>;
}

const buses: [string, () => Promise<RunningBus>][] = [
  ["onehop", async () => startBus({ listen: ["unix:tmpdir=/tmp"] })],
];
if (hasReferenceDaemon("monitors on dbus-daemon")) {
  buses.push(["dbus-daemon", async () => ReferenceDaemon.start()]);
}
if (hasBroker("monitors on dbus-broker")) buses.push(["dbus-broker", startBroker]);

function testWithPrograms(programs: readonly string[], name: string, body: () => Promise<void>) {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const isThere = (program: string): boolean =>
    program.startsWith("/")
      ? existsSync(program)
      : folders.some((folder) => existsSync(join(folder, program)));
  const missing = programs.find((program) => !isThere(program));
  testWithProgram(missing ?? "sh", name, body);
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-monitor-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const clients = new Clients();

/** Runs the traffic while these watch; the markers before and behind it. */
async function watch(
  bus: RunningBus,
  watchers: readonly Watcher[],
): Promise<{ begin: string; end: string }> {
  try {
    const client = await clients.join(bus.address);
    const begin = await allWatching(client, watchers);
    await makeTraffic(bus.address);
    const end = await allHaveSeen(client, watchers);
    return { begin, end };
  } finally {
    await clients.close();
    await Promise.all(watchers.map((watcher) => watcher.stop()));
  }
}

const onehop = (bus: RunningBus, ...words: string[]): Watcher =>
  new Watcher(`onehop ${words.join(" ")}`, process.execPath, [
    builtProgram("cli/main.js"),
    ...["monitor", "--address", bus.address, ...words],
  ]);

async function messagesOf(watcher: Watcher, begin: string, end: string) {
  const captured = (await capture(watcher.output)).map(({ bytes, originalByteLength }) => ({
    bytes,
    // busctl keeps 4096 bytes of each.
    message: bytes.length === originalByteLength ? decodeMessage(bytes) : null,
  }));
  return between(captured, ({ message }) => message?.member ?? null, begin, end).map(({ bytes }) =>
    Buffer.from(bytes).toString("latin1"),
  );
}

/** Without what differs on purpose: the time, our own keys, and descriptors, which busctl prints as null. */
function comparable(object: Record<string, unknown>): unknown {
  const {
    "timestamp-realtime": _time,
    sender_names: _senders,
    destination_names: _destinations,
    latency_us: _latency,
    unix_fds: _descriptors,
    payload,
    ...rest
  } = object;
  return {
    ...rest,
    payload:
      JSON.stringify(payload) === '{"type":"h","data":[0]}' ? { type: "h", data: [null] } : payload,
  };
}

describe.each(buses)("on %s", (name, start) => {
  let bus: RunningBus;
  beforeAll(async () => {
    bus = await start();
  });
  afterAll(() => bus.stop());

  testWithPrograms(
    [...TRAFFIC_PROGRAMS, "dbus-monitor"],
    "dbus-monitor and busctl see the same messages in the same order, to the byte",
    async () => {
      const ours = onehop(bus, "--pcap", "-");
      const theirs = new Watcher("dbus-monitor", "dbus-monitor", [
        "--address",
        bus.address,
        "--pcap",
      ]);
      const ctl = new Watcher("busctl capture", "busctl", [`--address=${bus.address}`, "capture"]);
      const { begin, end } = await watch(bus, [ours, theirs, ctl]);
      const messages = await messagesOf(ours, begin, end);
      expect(messages.length).toBeGreaterThan(60);
      expect(messages).toEqual(await messagesOf(theirs, begin, end));
      expect(messages.map((bytes) => bytes.slice(0, 4096))).toEqual(
        await messagesOf(ctl, begin, end),
      );
    },
  );

  testWithPrograms(
    TRAFFIC_PROGRAMS,
    "the JSON is that of busctl, with keys of our own",
    async () => {
      const ours = onehop(bus, "--json=short");
      const theirs = new Watcher("busctl monitor", "busctl", [
        ...[`--address=${bus.address}`, "--json=short", "monitor"],
      ]);
      const { begin, end } = await watch(bus, [ours, theirs]);
      const memberOf = (object: Record<string, unknown>): string => String(object["member"]);
      const seen = between(jsonLines(ours.output), memberOf, begin, end);
      // busctl 252 leaves out dictionaries whose keys are no strings.
      const expected = between(jsonLines(theirs.output), memberOf, begin, end);
      const without = seen.filter((object) => !JSON.stringify(object).includes('"type":"a{is}"'));
      expect(seen.length - without.length).toBe(1);
      expect(without.length).toBeGreaterThan(60);
      expect(without.map(comparable)).toEqual(expected.map(comparable));
    },
  );

  testWithPrograms(
    ["tshark", ...TRAFFIC_PROGRAMS],
    "Wireshark finds nothing malformed in a capture, and all that was in it",
    async () => {
      const ours = onehop(bus, "--pcap", "-");
      const { begin, end } = await watch(bus, [ours]);
      const file = join(folder, `${name}.pcap`);
      writeFileSync(file, ours.output);
      expect(readFileSync(file).length).toBeGreaterThan(5000);
      const malformed = "_ws.malformed || _ws.expert.severity >= warning";
      expect(tshark(file, "-Y", malformed)).toBe("");
      const fields = [
        "serial",
        "sender",
        "destination",
        "path",
        "interface",
        "member",
        "error_name",
      ];
      const table = tshark(
        file,
        "-T",
        "fields",
        ...fields.flatMap((each) => ["-e", `dbus.${each}`]),
      );
      const captured = (await capture(ours.output)).map(({ bytes }) => decodeMessage(bytes));
      expect(between(captured, ({ member }) => member, begin, end).length).toBeGreaterThan(60);
      expect(table.trimEnd().split("\n")).toEqual(
        captured.map(({ serial, sender, destination, path, interface: of, member, errorName }) =>
          [serial, sender, destination, path, of, member, errorName]
            .map((each) => each ?? "")
            .join("\t"),
        ),
      );
      const asked = captured.slice(0, 2).map(({ member, type }) => [member, type]);
      expect(asked).toEqual([
        ["ListNames", 1],
        [null, 2],
      ]);
    },
  );
});

function tshark(file: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync("tshark", ["-r", file, ...words], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`tshark ${words.join(" ")}: ${stderr}`);
  return stdout;
}
