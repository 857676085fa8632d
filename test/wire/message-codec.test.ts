/** Messages to bytes and back, and what a header must not do. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { HEADER_TO_REWRITE, Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { errorReply, Message, type MessageHeader, methodCall, signal } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { HeaderField, MessageType } from "../../wire/protocol.ts";
import { rewriteHeader } from "../../wire/stitch.ts";
import { BodyValidator } from "../../wire/validate.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import { Writer } from "../../wire/writer.ts";
import { body } from "./arbitrary.ts";

const FIELDS: readonly (keyof MessageHeader)[] = [
  "type",
  "flags",
  "path",
  "interface",
  "member",
  "errorName",
  "replySerial",
  "destination",
  "sender",
  "signature",
  "unixFds",
];

const call = methodCall({
  path: "/org/example",
  interface: "org.example.Interface",
  member: "Method",
  destination: "org.example",
  sender: ":1.7",
  signature: "su",
  body: ["text", 9],
  unixFds: 2,
});

/** A message of raw header fields, each written by its function. */
function message(
  type: number,
  fields: readonly [number, string, unknown][],
  change: (bytes: Uint8Array) => void = () => {},
): Uint8Array {
  const writer = new Writer(true);
  for (const byte of [0x6c, type, 0, 1]) writer.writeByte(byte);
  writer.writeUint32(0);
  writer.writeUint32(1);
  writer.writeUint32(0);
  for (const [code, signature, value] of fields) {
    writer.align(8);
    writer.writeByte(code);
    writer.writeSignature(signature);
    if (signature === "u") writer.writeUint32(Number(value));
    else if (signature === "g") writer.writeSignature(String(value));
    else if (signature === "y") writer.writeByte(Number(value));
    else writer.writeString(String(value));
  }
  writer.setUint32(12, writer.length - 16);
  writer.align(8);
  change(writer.bytes);
  return writer.bytes;
}

const PATH: [number, string, unknown] = [HeaderField.Path, "o", "/a"];
const MEMBER: [number, string, unknown] = [HeaderField.Member, "s", "C"];
const ERROR_NAME: [number, string, unknown] = [HeaderField.ErrorName, "s", "a.b"];
const REPLY_SERIAL: [number, string, unknown] = [HeaderField.ReplySerial, "u", 1];

function violationOf(bytes: Uint8Array): string {
  try {
    decodeMessage(bytes);
    return "";
  } catch (error) {
    if (error instanceof ProtocolViolation) return error.code;
    throw error;
  }
}

test.each([true, false])(
  "a message survives encoding and decoding (little-endian: %p)",
  (isLittleEndian) => {
    const decoded = decodeMessage(encodeMessage(call, 42, isLittleEndian));
    for (const field of FIELDS) expect([field, decoded[field]]).toEqual([field, call[field]]);
    expect(decoded.serial).toBe(42);
    expect(decoded.body).toEqual(["text", 9]);
  },
);

test("any body survives encoding and decoding", () => {
  fc.assert(
    fc.property(body(), ({ signature, values, isLittleEndian }) => {
      const sent = signal({ path: "/", interface: "a.b", member: "C", signature, body: values });
      const decoded = decodeMessage(encodeMessage(sent, 1, isLittleEndian));
      expect(decoded.signature).toBe(signature);
      expect(decoded.body).toEqual(values);
    }),
    { numRuns: 200 },
  );
});

test("a message is as libdbus would write it", () => {
  const bytes = encodeMessage(methodCall({ path: "/", member: "A" }), 1);
  expect(Array.from(bytes)).toEqual([
    ...[0x6c, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 26, 0, 0, 0],
    ...[1, 1, 0x6f, 0, 1, 0, 0, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0],
    ...[3, 1, 0x73, 0, 1, 0, 0, 0, 0x41, 0, 0, 0, 0, 0, 0, 0],
  ]);
});

test("fields that the protocol does not know are ignored", () => {
  expect(violationOf(message(1, [PATH, MEMBER, [200, "y", 1]]))).toBe("");
  expect(violationOf(message(1, [PATH, MEMBER, [200, "y", 1], [200, "s", "x"]]))).toBe("");
});

test("a type that the protocol does not know needs no fields", () => {
  expect(decodeMessage(message(5, [])).type).toBe(5);
});

test("unknown flags are kept", () => {
  const bytes = message(1, [PATH, MEMBER], (raw) => raw.fill(0xff, 2, 3));
  expect(decodeMessage(bytes).flags).toBe(0xff);
});

test.each<[string, string, Uint8Array]>([
  [
    "an unknown byte order",
    "Endianness",
    message(1, [PATH, MEMBER], (raw) => raw.fill(0x6d, 0, 1)),
  ],
  ["the type 0", "Type", message(0, [PATH, MEMBER])],
  ["another version", "Version", message(1, [PATH, MEMBER], (raw) => raw.fill(2, 3, 4))],
  ["the serial 0", "Serial", message(1, [PATH, MEMBER], (raw) => raw.fill(0, 8, 12))],
  ["a call without a path", "Missing", message(1, [MEMBER])],
  ["a call without a member", "Missing", message(1, [PATH])],
  ["a return without a reply serial", "Missing", message(2, [])],
  ["an error without a name", "Missing", message(3, [REPLY_SERIAL])],
  ["an error without a reply serial", "Missing", message(3, [ERROR_NAME])],
  ["a signal without an interface", "Missing", message(4, [PATH, MEMBER])],
  ["the field 0", "Field", message(1, [PATH, MEMBER, [0, "y", 1]])],
  [
    "a field of the wrong type",
    "FieldSignature",
    message(1, [PATH, [HeaderField.Member, "o", "/a"]]),
  ],
  ["a field twice", "FieldTwice", message(1, [PATH, MEMBER, MEMBER])],
  ["a path that is none", "ObjectPath", message(1, [[HeaderField.Path, "o", "a"], MEMBER])],
  [
    "an interface that is none",
    "Interface",
    message(1, [PATH, MEMBER, [HeaderField.Interface, "s", "a"]]),
  ],
  ["a member that is none", "Member", message(1, [PATH, [HeaderField.Member, "s", "a.b"]])],
  [
    "an error name that is none",
    "ErrorName",
    message(3, [REPLY_SERIAL, [HeaderField.ErrorName, "s", "a"]]),
  ],
  [
    "a destination that is none",
    "Destination",
    message(1, [PATH, MEMBER, [HeaderField.Destination, "s", "a"]]),
  ],
  ["a sender that is none", "Sender", message(1, [PATH, MEMBER, [HeaderField.Sender, "s", "a"]])],
  [
    "a signature that is none",
    "Signature",
    message(1, [PATH, MEMBER, [HeaderField.Signature, "g", "a"]]),
  ],
  ["the reply serial 0", "ReplySerial", message(2, [[HeaderField.ReplySerial, "u", 0]])],
  [
    "the local path",
    "Local",
    message(1, [[HeaderField.Path, "o", "/org/freedesktop/DBus/Local"], MEMBER]),
  ],
  [
    "the local interface",
    "Local",
    message(4, [PATH, MEMBER, [HeaderField.Interface, "s", "org.freedesktop.DBus.Local"]]),
  ],
  [
    "padding behind the header",
    "Padding",
    message(1, [MEMBER, PATH], (raw) => raw.fill(1, raw.length - 1)),
  ],
  ["padding in the header", "Padding", message(1, [PATH, MEMBER], (raw) => raw.fill(1, 31, 32))],
  ["a body without a signature", "TooMuchData", withBody(message(1, [PATH, MEMBER]), [1])],
  [
    "a body that does not fit",
    "Boolean",
    withBody(message(1, [PATH, MEMBER, [8, "g", "b"]]), [2, 0, 0, 0]),
  ],
])("a message with %s is refused", (_what, code, bytes) => {
  expect(violationOf(bytes)).toBe(code);
});

function withBody(header: Uint8Array, values: number[]): Uint8Array {
  const bytes = Uint8Array.from([...header, ...values]);
  bytes[4] = values.length;
  return bytes;
}

test("a message is neither cut short nor followed by anything", () => {
  const bytes = encodeMessage(call, 1);
  for (const length of [0, 8, 16, 20, bytes.length - 1]) {
    expect(() => decodeMessage(bytes.slice(0, length))).toThrow(ProtocolViolation);
  }
  expect(violationOf(Uint8Array.from([...bytes, 0]))).toBe("TooMuchData");
});

test("lengths that the protocol does not allow are refused before anything else", () => {
  const fields = message(1, [PATH, MEMBER], (raw) => raw.fill(0xff, 12, 16));
  expect(violationOf(fields)).toBe("TooLong");
  expect(violationOf(message(1, [PATH, MEMBER], (raw) => raw.fill(0xff, 4, 8)))).toBe("TooLong");
});

test("a violation of the body is found at its place in the message", () => {
  const bytes = withBody(message(1, [PATH, MEMBER, [8, "g", "yb"]]), [1, 0, 0, 0, 2, 0, 0, 0]);
  expect(() => decodeMessage(bytes)).toThrow(
    expect.objectContaining({ code: "Boolean", byteOffset: bytes.length - 4 }),
  );
});

test("a value that does not fit is found when the message is encoded", () => {
  const wrong = methodCall({ path: "/", member: "A", signature: "y", body: [256] });
  expect(() => encodeMessage(wrong, 1)).toThrow("body[0].y");
});

test("a message longer than 128 MiB is not encoded", () => {
  const arrays = [new Uint8Array(67108864), new Uint8Array(67108864)];
  const long = methodCall({ path: "/", member: "A", signature: "ayay", body: arrays });
  expect(() => encodeMessage(long, 1)).toThrow("longer than 128 MiB");
});

test("the bus accepts exactly the messages that can be decoded, of all with one byte changed", () => {
  const messages = [
    call,
    errorReply({ serial: 3, sender: ":1.5" }, "a.b", "no"),
    signal({ path: "/", interface: "a.b", member: "C", signature: "ay", body: [[1, 2, 3]] }),
    new Message({ type: MessageType.MethodReturn, replySerial: 9, destination: ":1.5" }, []),
  ].map((each) => encodeMessage(each, 5));
  const disagreements: [number, number][] = [];
  for (const bytes of messages) {
    for (let at = 16; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = bytes.slice();
        changed[at] = value;
        if (isAcceptedByBus(changed) !== (violationOf(changed) === "")) {
          disagreements.push([at, value]);
        }
      }
    }
  }
  expect(disagreements).toEqual([]);
});

const strings = new Strings();
const validator = new BodyValidator();

/** The check of the hot path: the header, once more if it was rewritten, and the body. */
function isAcceptedByBus(bytes: Uint8Array): boolean {
  const memory = Memory.of(bytes);
  const header = new Header(memory);
  const result = header.parse(strings, memory, 0);
  if (result < 0) return false;
  const { bodyOffset, bodyLength } = header;
  if (result === HEADER_TO_REWRITE) {
    const target = new Memory(new ArrayBuffer(bytes.length + 64));
    if (rewriteHeader(header, target, 0) < 0) return false;
    if (header.parse(strings, target, 0) < 0) return false;
  }
  const signature = strings.textOf(header.signature);
  return validator.validate(memory, bodyOffset, bodyLength, signature, true) === 0;
}
