/** Capture files: those that we write, as others read them; those of others, as we do. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { readCapture } from "../../wire/capture-reader.ts";
import { type CapturedMessage, CaptureError } from "../../wire/captured-message.ts";
import { Message } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { pcapFileHeader, pcapRecord } from "../../wire/pcap.ts";
import { MessageType } from "../../wire/protocol.ts";
import { testWithProgram } from "../compat/programs.ts";
import { body } from "./arbitrary.ts";
import { block, bytesOf, i64, inPieces, u8, u16, u32 } from "./capture-bytes.ts";

const LITTLE = true;
const BIG = false;
const TIME = 1_700_000_000_123_456;
const MESSAGE: Uint8Array = Buffer.from("not looked at");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-capture-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function read(bytes: Uint8Array, pieceBytes = 7): Promise<CapturedMessage[]> {
  const messages: CapturedMessage[] = [];
  for await (const message of readCapture(inPieces(bytes, pieceBytes))) messages.push(message);
  return messages;
}

/** How many messages could be read, and why not more. */
async function failure(bytes: Uint8Array): Promise<[number, string, number, string]> {
  let count = 0;
  try {
    for await (const _message of readCapture(inPieces(bytes, 5))) count++;
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return [count, error.code, error.byteOffset, error.message];
  }
  throw new Error("it could be read");
}

function file(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([
    pcapFileHeader(),
    ...messages.map((message, i) => pcapRecord(message, TIME + i)),
  ]);
}

test("what is written is read again, however the file is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 400 }),
      async (messages, pieceBytes) => {
        const expected = messages.map((bytes, i) => ({
          timeMicroseconds: TIME + i,
          bytes,
          originalByteLength: bytes.length,
        }));
        expect(await read(file(messages), pieceBytes)).toEqual(expected);
      },
    ),
  );
});

test.each([
  ["little-endian, microseconds", LITTLE, 0xa1b2c3d4, 123_456],
  ["big-endian, microseconds", BIG, 0xa1b2c3d4, 123_456],
  ["little-endian, nanoseconds", LITTLE, 0xa1b23c4d, 123_456_789],
  ["big-endian, nanoseconds", BIG, 0xa1b23c4d, 123_456_789],
])("pcap is read: %s", async (_name, order, magic, fraction) => {
  const header = [u32(magic), u16(2), u16(4), u32(0), u32(0), u32(96), u32(231)];
  const record = [u32(1_700_000_000), u32(fraction), u32(MESSAGE.length), u32(5000), MESSAGE];
  expect(await read(bytesOf(order, ...header, ...record))).toEqual([
    { timeMicroseconds: TIME, bytes: new Uint8Array(MESSAGE), originalByteLength: 5000 },
  ]);
});

/** Section and interface, as busctl writes them. */
const section = (order: boolean): Uint8Array =>
  block(order, 0x0a0d0d0a, u32(0x1a2b3c4d), u16(1), u16(0), i64(-1n));
const dbusInterface = (order: boolean, ...options: Uint8Array[]): Uint8Array =>
  block(order, 1, u16(231), u16(0), u32(4096), ...options);
const packet = (order: boolean, time: bigint, length: number): Uint8Array =>
  block(
    order,
    6,
    ...[u32(0), u32(Number(time >> 32n)), u32(Number(time & 0xffffffffn))],
    ...[u32(length), u32(5000), MESSAGE],
  );

test.each([
  ["microseconds unless it says otherwise", LITTLE, [], BigInt(TIME)],
  ["big-endian", BIG, [], BigInt(TIME)],
  ["nanoseconds", LITTLE, [[9, bytesOf(LITTLE, u8(9))]], BigInt(TIME) * 1000n + 999n],
  [
    "fractions of two",
    BIG,
    [[9, bytesOf(BIG, u8(0x8a))]],
    (BigInt(TIME) * 1024n) / 1_000_000n + 1n,
  ],
  ["an offset", LITTLE, [[14, bytesOf(LITTLE, i64(1_000_000_000n))]], BigInt(TIME - 1e15)],
] as const)("pcapng is read: %s", async (name, order, options, time) => {
  const written = options.map(([code, value]) =>
    bytesOf(order, u16(code), u16(value.length), value, new Uint8Array(-value.length & 3)),
  );
  const blocks = [
    section(order),
    block(order, 0xbad, MESSAGE),
    dbusInterface(order, ...written),
    packet(order, time, MESSAGE.length),
  ];
  const [message, ...others] = await read(Buffer.concat(blocks));
  expect(others).toEqual([]);
  expect(message).toMatchObject({ bytes: new Uint8Array(MESSAGE), originalByteLength: 5000 });
  const distance = Math.abs((message?.timeMicroseconds ?? 0) - TIME);
  expect(distance).toBeLessThan(name === "fractions of two" ? 1000 : 1);
});

test("a pcapng file may have sections of both byte orders, and messages without time", async () => {
  const simple = block(BIG, 3, u32(MESSAGE.length), MESSAGE);
  const cut = block(BIG, 3, u32(5000), Buffer.from("four"));
  const blocks = [section(LITTLE), dbusInterface(LITTLE), packet(LITTLE, 7n, 3)];
  blocks.push(section(BIG), dbusInterface(BIG), simple, cut);
  expect(await read(Buffer.concat(blocks))).toEqual([
    { timeMicroseconds: 7, bytes: new Uint8Array(MESSAGE.slice(0, 3)), originalByteLength: 5000 },
    { timeMicroseconds: 0, bytes: new Uint8Array(MESSAGE), originalByteLength: MESSAGE.length },
    { timeMicroseconds: 0, bytes: new Uint8Array(Buffer.from("four")), originalByteLength: 5000 },
  ]);
});

const header = [u32(0xa1b2c3d4), u16(2), u16(4), u32(0), u32(0), u32(96)];
const good = file([MESSAGE]);
const captured = Buffer.concat([section(LITTLE), dbusInterface(LITTLE)]);

test.each<[string, Uint8Array, number, string, number]>([
  ["nothing", new Uint8Array(0), 0, "NotACapture", 0],
  ["a text", Buffer.from("signal time=1"), 0, "NotACapture", 0],
  ["a file header that ends early", good.slice(0, 23), 0, "Truncated", 23],
  ["Ethernet", bytesOf(LITTLE, ...header, u32(1)), 0, "NotDBus", 20],
  ["version 3", bytesOf(BIG, u32(0xa1b2c3d4), u16(3), new Uint8Array(18)), 0, "NotACapture", 4],
  ["a record that ends early", good.slice(0, -1), 0, "Truncated", good.length - 1],
  [
    "a second record that ends early",
    Buffer.concat([good, MESSAGE]),
    1,
    "Truncated",
    good.length + 13,
  ],
  [
    "a message that is too long to be one",
    bytesOf(LITTLE, ...header, u32(231), u32(0), u32(0), u32(0x8000001), u32(0)),
    ...([0, "TooLong", 32] as const),
  ],
  [
    "a section without byte order",
    block(LITTLE, 0x0a0d0d0a, u32(1), i64(0n), u32(0)),
    0,
    "Malformed",
    8,
  ],
  [
    "a section of version 2",
    block(LITTLE, 0x0a0d0d0a, u32(0x1a2b3c4d), u16(2), u16(0), i64(-1n)),
    ...([0, "NotACapture", 12] as const),
  ],
  [
    "an interface of another kind",
    Buffer.concat([section(LITTLE), block(LITTLE, 1, u16(1), u16(0), u32(0))]),
    ...([0, "NotDBus", 36] as const),
  ],
  [
    "a message before its interface",
    Buffer.concat([section(LITTLE), packet(LITTLE, 0n, 1)]),
    ...([0, "Malformed", 36] as const),
  ],
  [
    "a message that is longer than its block",
    Buffer.concat([captured, packet(LITTLE, 0n, 17)]),
    ...([0, "Malformed", captured.length + 20] as const),
  ],
  [
    "an option that is longer than its block",
    Buffer.concat([section(LITTLE), dbusInterface(LITTLE, bytesOf(LITTLE, u16(9), u16(1)))]),
    ...([0, "Malformed", 46] as const),
  ],
  [
    "a block that is too short for what it holds",
    Buffer.concat([captured, block(LITTLE, 6, u32(0))]),
    ...([0, "Malformed", captured.length + 4] as const),
  ],
  [
    "a block that is too long to hold a message",
    Buffer.concat([captured, bytesOf(LITTLE, u32(6), u32(0x8100004), u32(0))]),
    ...([0, "TooLong", captured.length + 4] as const),
  ],
  [
    "a block whose lengths differ",
    Buffer.concat([captured, bytesOf(LITTLE, u32(9), u32(16), u32(0), u32(20))]),
    ...([0, "Malformed", captured.length + 12] as const),
  ],
])("refused: %s", async (_name, bytes, count, code, byteOffset) => {
  const [messages, ...why] = await failure(bytes);
  expect([messages, ...why.slice(0, 2)]).toEqual([count, code, byteOffset]);
  expect(why[2]).toMatch(new RegExp(`\\(byte ${byteOffset}\\)$`));
});

test("garbage is read or refused, never anything else", async () => {
  const starts = [good, Buffer.concat([captured, packet(LITTLE, 1n, 13)])];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
      async (start, changes) => {
        const bytes = Uint8Array.from(start);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        await read(bytes, 16).catch((error: unknown) => expect(error).toBeInstanceOf(CaptureError));
      },
    ),
    { numRuns: 500 },
  );
});

/** What tshark says of a message, in the order of FIELDS. */
const FIELDS = [
  ...["endianness", "message_type", "flags", "serial", "path", "interface", "member"],
  ...["error_name", "reply_serial", "destination", "sender", "signature", "unix_fds"],
].map((field) => `dbus.${field}`);
/** Every complaint that the D-Bus dissector or the frame around it knows. */
const COMPLAINTS = "_ws.malformed || _ws.expert || _ws.lua.error || _ws.short";

function tshark(words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("tshark", words, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`tshark failed: ${stderr}`);
  return stdout;
}

testWithProgram("tshark", "tshark reads our files and finds nothing malformed", () => {
  const types = [1, 2, 3, 4] as const;
  // Values have no length limit here, but tshark cuts what it prints.
  const generated = fc.sample(body(), { numRuns: 600, seed: 1 });
  const [lines, messages]: [string[], Uint8Array[]] = [[], []];
  generated.forEach(({ signature, values, isLittleEndian }, i) => {
    const type = types[i % types.length] ?? MessageType.Signal;
    const isReply = type === MessageType.MethodReturn || type === MessageType.Error;
    const message = new Message(
      {
        ...{ type, flags: i % 8, signature, sender: `:1.${i}`, unixFds: i % 5 },
        path: isReply ? null : `/org/example/Object${i}`,
        interface: isReply ? null : "org.example.Interface",
        member: isReply ? null : `Member${i}`,
        errorName: type === MessageType.Error ? `org.example.Error${i}` : null,
        replySerial: isReply ? 0xffffffff - i : null,
        destination: i % 3 === 0 ? `org.example.Name${i}` : null,
      },
      values,
    );
    const serial = 0x01020304 + i;
    messages.push(encodeMessage(message, serial, isLittleEndian));
    lines.push(
      [
        ...[isLittleEndian ? 0x6c : 0x42, type, message.flags, serial, message.path],
        ...[message.interface, message.member, message.errorName, message.replySerial],
        ...[message.destination, message.sender, signature, message.unixFds || null],
      ]
        .map((value) => String(value ?? ""))
        .join("|"),
    );
  });
  const path = join(folder, "ours.pcap");
  writeFileSync(path, file(messages));
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const format = ["-T", "fields", "-E", "separator=|", "-E", "occurrence=f"];
  const seen = tshark(["-r", path, ...format, ...fields])
    .trimEnd()
    .split("\n");
  expect(seen.map(decimal)).toEqual(lines);
  expect(tshark(["-r", path, "-Y", COMPLAINTS])).toBe("");
  // It would have said so.
  const broken = messages.map((message, i) => (i === 7 ? message.subarray(0, -1) : message));
  writeFileSync(path, file(broken));
  expect(tshark(["-r", path, "-Y", COMPLAINTS])).toMatch(/^ +8 .*\n$/);
});

/** tshark writes endianness and flags in hexadecimal. */
function decimal(line: string): string {
  return line.replaceAll(/\b0x[0-9a-f]+\b/g, (number) => String(Number(number)));
}

/** What a program that captures wrote while dbus-send sent a few messages on a bus of its own. */
async function captureOf(words: readonly string[], path: string): Promise<Uint8Array> {
  const script = `
    send() { dbus-send --session "$@"; }
    sends_until_seen() { for i in $(seq 500); do
      grep -q "$1" "$file" && return
      send --type=signal / org.example.$1.Signal
    done; exit 1; }
    file=$0; exec 3>"$file"; "$@" >&3 & capture=$!
    sends_until_seen Begin
    send --type=signal /a org.example.I.M string:hello uint32:7 array:string:a,b
    send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId
    sends_until_seen End
    kill $capture; wait $capture; exit 0`;
  const child = spawn("dbus-run-session", ["--", "sh", "-c", script, path, ...words], {
    stdio: "ignore",
  });
  const [status] = await once(child, "close");
  expect(status).toBe(0);
  return readFileSync(path);
}

function expectTraffic(messages: readonly CapturedMessage[]): void {
  const decoded = messages.map(({ bytes }) => decodeMessage(bytes));
  expect(decoded).toContainEqual(
    expect.objectContaining({ type: 4, path: "/a", interface: "org.example.I", member: "M" }),
  );
  const sent = decoded.find(({ interface: name }) => name === "org.example.I");
  expect(sent?.body).toEqual(["hello", 7, ["a", "b"]]);
  expect(decoded.map(({ type }) => type)).toEqual(expect.arrayContaining([1, 2, 4]));
  for (const { timeMicroseconds } of messages) {
    expect(Math.abs(timeMicroseconds / 1000 - Date.now())).toBeLessThan(3_600_000);
  }
}

testWithProgram(
  "dbus-monitor",
  "we read what dbus-monitor --pcap wrote, and write the same",
  async () => {
    const bytes = await captureOf(["dbus-monitor", "--session", "--pcap"], join(folder, "monitor"));
    const messages: CapturedMessage[] = [];
    for await (const message of readCapture(inPieces(bytes, 1000))) messages.push(message);
    expectTraffic(messages);
    const written = messages.map((message) => pcapRecord(message.bytes, message.timeMicroseconds));
    expect(Buffer.concat([pcapFileHeader(), ...written])).toEqual(bytes);
  },
);

testWithProgram("busctl", "we read what busctl capture wrote", async () => {
  const bytes = await captureOf(["busctl", "--user", "capture"], join(folder, "busctl"));
  const messages: CapturedMessage[] = [];
  for await (const message of readCapture(inPieces(bytes, 1000))) {
    if (message.bytes.length === message.originalByteLength) messages.push(message);
  }
  expectTraffic(messages);
});
