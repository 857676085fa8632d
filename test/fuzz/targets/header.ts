/** Target: the header read where it lies, rewritten and stitched, against the codec that makes values. */

import { HEADER_PLAIN, HEADER_TO_REWRITE, Header, LONG_PATH } from "../../../wire/header.ts";
import { Strings } from "../../../wire/intern.ts";
import { Memory } from "../../../wire/memory.ts";
import type { Message } from "../../../wire/message.ts";
import { decodeMessage, messageLength } from "../../../wire/message-codec.ts";
import {
  appendSender,
  rewriteHeader,
  SENDER_FIELD_BYTES,
  writeSenderField,
} from "../../../wire/stitch.ts";
import { BodyValidator } from "../../../wire/validate.ts";
import { fieldOf, mutateParts, putTogether, takeApart } from "../message-parts.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { generatorOf, type Random } from "../random.ts";
import { must, type Target } from "../target.ts";

const MAXIMUM_BYTES = 9000;
/** What the table forgets at; see `LOOSE_COUNT_LIMIT` in wire/intern.ts. */
const MOST_STRINGS = 16384 + 16;
const SENDER = ":1.4711";

const NAMES = [
  ..."/,/a,/org/example/Path,a,/a/,//,/a-b,,org.freedesktop.DBus,:1.5,:1.,a.b,a..b,.a.b,a.1".split(
    ",",
  ),
  ..."Member,org.freedesktop.DBus.Local,/org/freedesktop/DBus/Local,s,a{sv},((y)),aa,a{vs}".split(
    ",",
  ),
  "\xff",
  "a.b\0c",
  `a.${"b".repeat(253)}`,
  `a.${"b".repeat(254)}`,
  `/${"p".repeat(4095)}`,
  `/${"p".repeat(4096)}`,
  "y".repeat(255),
];
const WORDS = [...NAMES, "l", "B", "\0", "\x01s\0", "\x01o\0", "\x01g\0", "\x01u\0", "\x01v\0"];
/** What each field of the specification is of. */
const TYPES = ["", "o", "s", "s", "s", "u", "s", "s", "g", "u", "o"];

export function headerTarget(): Target {
  const strings = new Strings();
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 6000, perByte: 60 },
    mutate,
    run: (input) => run(strings, input),
  };
}

function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let parts = takeApart(input);
  const others = takeApart(other);
  if (parts === null || others === null || random.below(4) === 0) {
    return fitted(mutateBytes(input, other, random, WORDS, MAXIMUM_BYTES), random);
  }
  for (let left = random.below(4); left > 0; left--) {
    parts = mutateParts(parts, others, random, newField);
  }
  const bytes = putTogether(parts);
  if (random.below(3) > 0) return lying(bytes.subarray(0, MAXIMUM_BYTES), random);
  return fitted(mutateBytes(bytes, other, random, WORDS, MAXIMUM_BYTES), random);
}

function newField(random: Random, little: boolean): Uint8Array {
  const code = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 200]);
  const type =
    random.below(8) > 0 ? (TYPES[code] ?? "s") : random.pick(["s", "o", "g", "u", "v", "ay"]);
  const value = type === "u" ? random.pick([0, 1, 0xffffffff]) : random.pick(NAMES);
  return fieldOf(code, type, value, little);
}

/** Mostly with a body length that agrees with the bytes there are: else the framing cuts it. */
function fitted(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length < 16 || random.below(8) === 0) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === 0x6c;
  const headerLength = (16 + view.getUint32(12, little) + 7) & ~7;
  if (headerLength > bytes.length) return bytes;
  view.setUint32(4, bytes.length - headerLength, little);
  return lying(bytes, random);
}

/** Now and then with a length that lies, but only a little: what is out of all bounds is soon refused. */
function lying(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length < 16 || random.below(6) > 0) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === 0x6c;
  const at = random.pick([4, 12]);
  view.setUint32(at, view.getUint32(at, little) + random.below(17) - 8, little);
  return bytes;
}

const validator = new BodyValidator();

function run(strings: Strings, input: Uint8Array): void {
  const whole = framed(input);
  if (whole === null) return;
  const random = generatorOf(whole);
  const before = 8 * random.below(4);
  const around = random.pick([0, 1, 0xff]);
  const memory = Memory.of(
    Buffer.concat([Buffer.alloc(before, around), whole, Buffer.alloc(random.below(9), around)]),
  );
  const original = Buffer.from(memory.bytes);
  const header = new Header(memory);
  let verdict = header.parse(strings, memory, before);
  must(original.equals(memory.bytes), "parsing changed the message");
  must(
    header.violationOffset >= 0 && header.violationOffset <= whole.length,
    `a violation is said to be at ${header.violationOffset} of ${whole.length}`,
  );
  if (verdict === HEADER_TO_REWRITE) {
    verdict = rewritten(strings, header, whole);
    must(original.equals(memory.bytes), "rewriting changed the message");
  }
  if (verdict === HEADER_PLAIN && !isBodyValid(strings, header)) verdict = -1000;
  const decoded = decodedOf(whole);
  must(
    (verdict === HEADER_PLAIN) === (decoded !== null),
    `the bus says ${verdict}, the codec ${decoded === null ? "refuses" : "accepts"}`,
  );
  if (decoded !== null) {
    mustEqual(strings, header, decoded);
    mustArrive(header, decoded);
  }
  strings.sweep();
  must(strings.size <= MOST_STRINGS, `${strings.size} strings are kept`);
}

/** The message that the framing would cut off, or null if it would not. */
function framed(input: Uint8Array): Uint8Array | null {
  if (input.length < 16) return null;
  try {
    const byteLength = messageLength(input);
    return byteLength <= input.length ? input.subarray(0, byteLength) : null;
  } catch {
    return null;
  }
}

/** Rewrites into another memory and parses that, as the router does; the last verdict. */
function rewritten(strings: Strings, header: Header, whole: Uint8Array): number {
  const target = new Memory(new ArrayBuffer(whole.length + 64));
  target.bytes.fill(0xee);
  const length = rewriteHeader(header, target, 8);
  if (length < 0) return length;
  must(length <= header.headerLength && length % 8 === 0, `it is ${length} bytes long`);
  must(target.bytes[7] === 0xee && target.bytes[8 + length] === 0xee, "it wrote outside");
  target.bytes.set(
    header.memory.bytes.subarray(header.bodyOffset, header.bodyOffset + header.bodyLength),
    8 + length,
  );
  const verdict = header.parse(strings, target, 8);
  must(verdict !== HEADER_TO_REWRITE, "it is still to be rewritten");
  must(verdict < 0 || header.headerLength === length, `${header.headerLength} are not ${length}`);
  return verdict;
}

function isBodyValid(strings: Strings, header: Header): boolean {
  const signature = strings.textOf(header.signature);
  const { memory, bodyOffset, bodyLength, isLittleEndian } = header;
  return validator.validate(memory, bodyOffset, bodyLength, signature, isLittleEndian) === 0;
}

function decodedOf(whole: Uint8Array): Message | null {
  try {
    return decodeMessage(whole);
  } catch (error) {
    if (error instanceof Error && error.name === "ProtocolViolation") return null;
    throw error;
  }
}

function mustEqual(strings: Strings, header: Header, decoded: Message): void {
  const text = (id: number): string | null => (id === 0 ? null : strings.textOf(id));
  const { bytes } = header.memory;
  const at = (offset: number, length: number): string =>
    Buffer.from(bytes.subarray(offset, offset + length)).toString();
  const path =
    header.path === LONG_PATH ? at(header.pathOffset, header.pathLength) : text(header.path);
  must((path ?? "") === at(header.pathOffset, header.pathLength), "the path lies elsewhere");
  const signature = text(header.signature) ?? "";
  must(
    signature === at(header.signatureOffset, header.signatureLength),
    "the signature lies elsewhere",
  );
  const fast = [
    [header.type, header.flags, header.serial, header.isLittleEndian],
    [path, text(header.interface), text(header.member), text(header.errorName)],
    [header.replySerial || null, text(header.destination), text(header.sender)],
    [signature, header.unixFds, header.bodyLength],
  ];
  const slow = [
    [decoded.type, decoded.flags, decoded.serial, header.isLittleEndian],
    [decoded.path, decoded.interface, decoded.member, decoded.errorName],
    [decoded.replySerial, decoded.destination, null],
    [decoded.signature, decoded.unixFds, header.bodyLength],
  ];
  must(
    JSON.stringify(fast) === JSON.stringify(slow),
    `the bus reads ${JSON.stringify(fast)}, the codec ${JSON.stringify(slow)}`,
  );
}

/** Stitched with its sender's name it is the same message, and nothing of a forged sender is left. */
function mustArrive(header: Header, sent: Message): void {
  const field = new Memory(new ArrayBuffer(SENDER_FIELD_BYTES));
  const length = writeSenderField(field, 0, SENDER, header.isLittleEndian);
  appendSender(header, length);
  const { memory, offset, headerLength, bodyOffset, bodyLength } = header;
  const body = memory.bytes.subarray(bodyOffset, bodyOffset + bodyLength);
  const stitched = Buffer.concat([
    memory.bytes.subarray(offset, offset + headerLength),
    field.bytes.subarray(0, (length + 7) & ~7),
    body,
  ]);
  const arrived = decodedOf(stitched);
  must(arrived !== null, `what arrives is broken: ${stitched.toString("hex")}`);
  must(arrived.sender === SENDER, `it comes from ${arrived.sender}`);
  for (const key of KEYS) {
    must(arrived[key] === sent[key], `${key} was ${sent[key]} and arrives as ${arrived[key]}`);
  }
}

const KEYS = [
  ...(["type", "flags", "serial", "path", "interface", "member", "errorName"] as const),
  ...(["replySerial", "destination", "signature", "unixFds"] as const),
];
