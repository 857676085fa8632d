/** `onehop monitor` beside dbus-monitor and busctl monitor, and its captures in Wireshark's hands. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

const isThere = (program: string): boolean =>
  ["", ...(process.env["PATH"] ?? "").split(delimiter)].some((folder) =>
    existsSync(join(folder, program)),
  );

/** The first of these that is missing; if none is, one that is there. */
function decisive(...programs: readonly string[]): string {
  return [...TRAFFIC_PROGRAMS, ...programs].find((program) => !isThere(program)) ?? "sh";
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-monitor-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What all of them printed about the same traffic, and the members of the markers before and behind it. */
interface Watched {
  readonly begin: string;
  readonly end: string;
  readonly outputs: ReadonlyMap<string, Buffer>;
}

async function watchTraffic({ address }: RunningBus): Promise<Watched> {
  const ours = [builtProgram("cli/main.js"), "monitor", "--address", address];
  const watchers = [
    new Watcher("pcap", process.execPath, [...ours, "--pcap", "-"]),
    new Watcher("json", process.execPath, [...ours, "--json=short"]),
    new Watcher("busctl capture", "busctl", [`--address=${address}`, "capture"]),
    new Watcher("busctl json", "busctl", [`--address=${address}`, "--json=short", "monitor"]),
  ];
  if (isThere("dbus-monitor")) {
    watchers.push(new Watcher("dbus-monitor", "dbus-monitor", ["--address", address, "--pcap"]));
  }
  const clients = new Clients();
  try {
    const client = await clients.join(address);
    const begin = await allWatching(client, watchers);
    await makeTraffic(address);
    const end = await allHaveSeen(client, watchers);
    return { begin, end, outputs: new Map(watchers.map(({ name, output }) => [name, output])) };
  } finally {
    await clients.close();
    await Promise.all(watchers.map((watcher) => watcher.stop()));
  }
}

/** The messages between the markers, in the order in which they were seen. */
async function messagesOf({ outputs, begin, end }: Watched, name: string): Promise<string[]> {
  const captured = (await capture(outputs.get(name))).map(({ bytes, originalByteLength }) => ({
    bytes,
    // busctl keeps 4096 bytes of each.
    message: bytes.length === originalByteLength ? decodeMessage(bytes) : null,
  }));
  return between(captured, ({ message }) => message?.member ?? null, begin, end).map(({ bytes }) =>
    Buffer.from(bytes).toString("latin1"),
  );
}

function objectsOf({ outputs, begin, end }: Watched, name: string): Record<string, unknown>[] {
  return between(jsonLines(outputs.get(name)), ({ member }) => String(member), begin, end);
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
  const isDescriptor = JSON.stringify(payload) === '{"type":"h","data":[0]}';
  return { ...rest, payload: isDescriptor ? { type: "h", data: [null] } : payload };
}

describe.each(buses)("on %s", (name, start) => {
  let bus: RunningBus;
  let watched: Watched;
  beforeAll(async () => {
    bus = await start();
    if (TRAFFIC_PROGRAMS.every(isThere)) watched = await watchTraffic(bus);
  });
  afterAll(() => bus.stop());

  testWithProgram(
    decisive("dbus-monitor"),
    "dbus-monitor sees the same messages in the same order, to the byte",
    async () => {
      const messages = await messagesOf(watched, "pcap");
      expect(messages.length).toBeGreaterThan(100);
      expect(messages).toEqual(await messagesOf(watched, "dbus-monitor"));
    },
  );

  testWithProgram(decisive(), "so does busctl, as far as it keeps them", async () => {
    const messages = await messagesOf(watched, "pcap");
    expect(messages.length).toBeGreaterThan(100);
    expect(messages.some((bytes) => bytes.length > 4096)).toBe(true);
    expect(messages.map((bytes) => bytes.slice(0, 4096))).toEqual(
      await messagesOf(watched, "busctl capture"),
    );
  });

  testWithProgram(decisive(), "the JSON is that of busctl, with keys of our own", () => {
    const seen = objectsOf(watched, "json");
    // busctl 252 leaves out dictionaries whose keys are no strings.
    const without = seen.filter((object) => !JSON.stringify(object).includes('"type":"a{is}"'));
    expect(seen.length - without.length).toBe(1);
    expect(without.length).toBeGreaterThan(100);
    expect(without.map(comparable)).toEqual(objectsOf(watched, "busctl json").map(comparable));
  });

  testWithProgram(
    decisive("tshark"),
    "Wireshark finds nothing malformed in a capture, and all that was in it",
    async () => {
      const file = join(folder, `${name}.pcap`);
      writeFileSync(file, watched.outputs.get("pcap") ?? "");
      const messages = (await capture(watched.outputs.get("pcap"))).map(({ bytes }) =>
        decodeMessage(bytes),
      );
      expect(messages.length).toBeGreaterThan(100);
      expect(messages.slice(0, 2).map(({ member, type }) => [member, type])).toEqual([
        ["ListNames", 1],
        [null, 2],
      ]);
      expect(dissected(file)).toEqual(
        messages.map((message) => {
          const { serial, sender, destination, path, member, errorName } = message;
          const fields = [serial, sender, destination, path, message.interface, member, errorName];
          return [...fields.map((each) => each ?? ""), "", ""].join("\t");
        }),
      );
    },
  );
});

const FIELDS = ["serial", "sender", "destination", "path", "interface", "member", "error_name"];

/** A line for each message as Wireshark understood it; what it found fault with stands at the end. */
function dissected(file: string): string[] {
  const fields = [...FIELDS.map((each) => `dbus.${each}`), "_ws.malformed", "_ws.expert.message"];
  const words = ["-T", "fields", ...fields.flatMap((each) => ["-e", each])];
  const { status, stdout, stderr } = spawnSync("tshark", ["-r", file, ...words], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  return stdout.replace(/\n$/, "").split("\n");
}
