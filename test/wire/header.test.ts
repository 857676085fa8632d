/** Headers read where they lie: every violation by its name, and equality with the decoder. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  HEADER_PLAIN,
  HEADER_TO_REWRITE,
  Header,
  HeaderViolation,
  headerViolationText,
  LONG_PATH,
} from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { decodeMessage, encodeMessage, messageLength } from "../../wire/message-codec.ts";
import { HeaderField, MessageType } from "../../wire/protocol.ts";
import { rewriteHeader } from "../../wire/stitch.ts";
import { type Field, message, rawMessage } from "./raw-header.ts";

const strings = new Strings();

/** Parses as the router does: what is to be rewritten is rewritten and parsed again. */
function parse(bytes: Uint8Array, offset = 0): { result: number; header: Header } {
  const memory = Memory.of(Buffer.concat([Buffer.alloc(offset, 0xff), bytes]));
  const header = new Header(memory);
  let result = header.parse(strings, memory, offset);
  if (result === HEADER_TO_REWRITE) {
    const target = Memory.of(new Uint8Array(bytes.length + offset + 8));
    result = rewriteHeader(header, target, offset);
    if (result >= 0) {
      const body = memory.bytes.subarray(header.bodyOffset, header.bodyOffset + header.bodyLength);
      target.bytes.set(body, offset + result);
      result = header.parse(strings, target, offset);
      expect(result).not.toBe(HEADER_TO_REWRITE);
    }
  }
  return { result, header };
}

/** The name of the violation, or "" if there is none. */
function violationOf(bytes: Uint8Array): string {
  const { result } = parse(bytes);
  const found = Object.entries(HeaderViolation).find(([, value]) => value === result);
  if (found !== undefined) expect(headerViolationText(found[1])).not.toBe("");
  return found?.[0] ?? "";
}

const path: Field = [HeaderField.Path, "o", "/a"];
const member: Field = [HeaderField.Member, "s", "M"];
const call = [path, member];
const replySerial: Field = [HeaderField.ReplySerial, "u", 7];

const violations: readonly (readonly [string, keyof typeof HeaderViolation, Uint8Array])[] = [
  ["a type of 0", "Type", rawMessage({ type: 0, fields: call })],
  ["version 2", "Version", rawMessage({ version: 2, fields: call })],
  ["serial 0", "Serial", rawMessage({ serial: 0, fields: call })],
  ["a call without path", "Missing", rawMessage({ fields: [member] })],
  ["a call without member", "Missing", rawMessage({ fields: [path] })],
  ["no fields at all", "Missing", rawMessage({ fields: [] })],
  ["a return without reply serial", "Missing", rawMessage({ type: 2, fields: call })],
  ["an error without name", "Missing", rawMessage({ type: 3, fields: [replySerial] })],
  ["a signal without interface", "Missing", rawMessage({ type: 4, fields: call })],
  ["a relative path", "Path", rawMessage({ fields: [[1, "o", "a"], member] })],
  ["an empty path", "Path", rawMessage({ fields: [[1, "o", ""], member] })],
  ["a long bad path", "Path", rawMessage({ fields: [[1, "o", `/${"a/".repeat(3000)}`], member] })],
  ["an interface without a dot", "Interface", rawMessage({ fields: [...call, [2, "s", "a"]] })],
  [
    "a long interface",
    "Interface",
    rawMessage({ fields: [...call, [2, "s", `a.${"b".repeat(254)}`]] }),
  ],
  ["a member with a dot", "Member", rawMessage({ fields: [path, [3, "s", "a.b"]] })],
  ["a long member", "Member", rawMessage({ fields: [path, [3, "s", "a".repeat(256)]] })],
  ["a bad error name", "ErrorName", rawMessage({ fields: [...call, [4, "s", "a"]] })],
  ["a bad destination", "Destination", rawMessage({ fields: [...call, [6, "s", "a"]] })],
  [
    "a destination with a zero byte",
    "Destination",
    rawMessage({ fields: [...call, [6, "s", "a.b\0c"]] }),
  ],
  ["a bad sender", "Sender", rawMessage({ fields: [...call, [7, "s", "a"]] })],
  [
    "a bad sender behind an unknown field",
    "Sender",
    rawMessage({ fields: [...call, [77, "s", ""], [7, "s", "a"]] }),
  ],
  [
    "a long sender behind an unknown field",
    "Sender",
    rawMessage({ fields: [...call, [77, "s", ""], [7, "s", `a.${"b".repeat(254)}`]] }),
  ],
  ["a sender of another type", "FieldSignature", rawMessage({ fields: [...call, [7, "o", "/a"]] })],
  [
    "a sender of another type behind an unknown field",
    "FieldSignature",
    rawMessage({ fields: [...call, [77, "y", 1], [7, "o", "/a"]] }),
  ],
  [
    "two senders",
    "FieldTwice",
    rawMessage({ fields: [...call, [7, "s", "a.b"], [7, "s", "a.b"]] }),
  ],
  [
    "two senders around an unknown field",
    "FieldTwice",
    rawMessage({ fields: [...call, [7, "s", "a.b"], [77, "s", ""], [7, "s", "a.b"]] }),
  ],
  [
    "two senders behind an unknown field",
    "FieldTwice",
    rawMessage({ fields: [...call, [77, "s", ""], [7, "s", "a.b"], [7, "s", "a.b"]] }),
  ],
  ["a bad signature", "Signature", rawMessage({ fields: [...call, [8, "g", "a"]] })],
  ["a reply serial of 0", "ReplySerial", rawMessage({ type: 2, fields: [[5, "u", 0]] })],
  ["a path of type STRING", "FieldSignature", rawMessage({ fields: [[1, "s", "/a"], member] })],
  [
    "a reply serial of type INT32",
    "FieldSignature",
    rawMessage({ fields: [...call, [5, "i", 7]] }),
  ],
  [
    "a container instance that is no path",
    "FieldSignature",
    rawMessage({ fields: [...call, [10, "s", "/a"]] }),
  ],
  ["a field of code 0", "Field", rawMessage({ fields: [...call, [0, "s", "a"]] })],
  [
    "a field of code 0 behind an unknown field",
    "Field",
    rawMessage({ fields: [...call, [77, "s", "a"], [0, "s", "a"]] }),
  ],
  ["a path twice", "FieldTwice", rawMessage({ fields: [path, path, member] })],
  [
    "a member twice behind an unknown field",
    "FieldTwice",
    rawMessage({ fields: [...call, [77, "y", 1], member] }),
  ],
  [
    "two descriptor counts",
    "FieldTwice",
    rawMessage({ fields: [...call, [9, "u", 0], [9, "u", 0]] }),
  ],
  [
    "the local path",
    "Local",
    rawMessage({ fields: [[1, "o", "/org/freedesktop/DBus/Local"], member] }),
  ],
  [
    "the local interface",
    "Local",
    rawMessage({ fields: [...call, [2, "s", "org.freedesktop.DBus.Local"]] }),
  ],
  ["an unknown field that is not valid", "Field", rawMessage({ fields: [...call, [77, "b", 2]] })],
];

test.each(violations)("%s is the violation %s", (_what, expected, bytes) => {
  expect(violationOf(bytes)).toBe(expected);
  expect(() => decodeMessage(bytes)).toThrow();
});

test("a message begins with 'l' or 'B'", () => {
  const bytes = rawMessage({ fields: call });
  bytes[0] = 0x4c;
  expect(violationOf(bytes)).toBe("Endianness");
});

test("padding and terminating bytes are zero", () => {
  const bytes = rawMessage({ fields: call });
  // 16 bytes, then PATH: four bytes, a length, "/a", a zero byte, five of padding.
  for (const [at, expected] of [
    [26, "Termination"],
    [27, "Padding"],
    [31, "Padding"],
    [41, "Termination"],
    [42, "Padding"],
    [47, "Padding"],
  ] as const) {
    const broken = Uint8Array.from(bytes);
    expect(broken[at]).toBe(0);
    broken[at] = 1;
    expect(violationOf(broken)).toBe(expected);
  }
  const withUnknown = rawMessage({ fields: [...call, [77, "y", 1]] });
  withUnknown[withUnknown.length - 1] = 1;
  expect(violationOf(withUnknown)).toBe("Padding");
});

test("a field ends where the array of fields does, at the latest", () => {
  const bytes = rawMessage({ fields: call });
  for (const length of [1, 4, 7, 8, 10, 12, 15, 17, 20, 24, 25]) {
    const broken = Uint8Array.from(bytes);
    new DataView(broken.buffer).setUint32(12, length, true);
    const shorter = broken.subarray(0, 16 + ((length + 7) & ~7));
    expect(violationOf(shorter)).not.toBe("");
    expect(() => decodeMessage(shorter)).toThrow();
  }
});

test("the array of fields ends with its last field, not with the padding behind it", () => {
  const bytes = rawMessage({ fields: call });
  for (const length of [27, 30, 32]) {
    const broken = Uint8Array.from(bytes);
    new DataView(broken.buffer).setUint32(12, length, true);
    expect(() => decodeMessage(broken)).toThrow();
    expect(violationOf(broken)).toBe("FieldLength");
  }
});

test("lengths that would wrap around are beyond the end", () => {
  const bytes = rawMessage({ fields: call });
  for (const length of [0x7fffffff, 0x80000000, 0xfffffff7, 0xffffffff]) {
    const broken = Uint8Array.from(bytes);
    new DataView(broken.buffer).setUint32(20, length, true);
    expect(violationOf(broken)).toBe("FieldLength");
  }
});

test("flags, types and codes of the future are no violation", () => {
  const bytes = rawMessage({
    type: 200,
    flags: 0xff,
    fields: [...call, [255, "a{sv}", new Map()]],
  });
  const { result, header } = parse(bytes, 3);
  expect(result).toBe(HEADER_PLAIN);
  expect([header.type, header.flags]).toEqual([200, 0xff]);
});

test("a path too long to be interned is read all the same", () => {
  const long = `/${"a".repeat(5000)}`;
  const { result, header } = parse(encodeMessage(methodCall({ path: long, member: "M" }), 1), 5);
  expect(result).toBe(HEADER_PLAIN);
  expect(header.path).toBe(LONG_PATH);
  const bytes = header.memory.bytes.subarray(
    header.pathOffset,
    header.pathOffset + header.pathLength,
  );
  expect(Buffer.from(bytes).toString()).toBe(long);
});

test("a message with a sender is to be rewritten, one without is plain", () => {
  const memory = Memory.of(rawMessage({ fields: [...call, [7, "s", ":1.1"]] }));
  expect(new Header(memory).parse(strings, memory, 0)).toBe(HEADER_TO_REWRITE);
  const plain = Memory.of(rawMessage({ fields: call }));
  expect(new Header(plain).parse(strings, plain, 0)).toBe(HEADER_PLAIN);
});

/** What the header says, in the shape of a decoded message. */
function fieldsOf(header: Header): Record<string, unknown> {
  const text = (id: number): string | null => (id === 0 ? null : strings.textOf(id));
  const { bytes } = header.memory;
  const at = (offset: number, length: number): string =>
    Buffer.from(bytes.subarray(offset, offset + length)).toString();
  if (header.path > 0) {
    expect(at(header.pathOffset, header.pathLength)).toBe(text(header.path));
  }
  const signature = text(header.signature) ?? "";
  expect(header.signatureLength).toBe(signature.length);
  if (signature !== "") {
    expect(at(header.signatureOffset, header.signatureLength)).toBe(signature);
  }
  return {
    type: header.type,
    flags: header.flags,
    serial: header.serial,
    path: text(header.path),
    interface: text(header.interface),
    member: text(header.member),
    errorName: text(header.errorName),
    replySerial: header.replySerial === 0 ? null : header.replySerial,
    destination: text(header.destination),
    signature,
    unixFds: header.unixFds,
  };
}

function expectEqual(bytes: Uint8Array, offset: number): void {
  let decoded: Message | null = null;
  try {
    decoded = decodeMessage(bytes);
  } catch (error) {
    // Bodies are not the header's business: empty ones cannot be what is wrong.
    const { result } = parse(bytes, offset);
    if (result >= 0) throw error;
    return;
  }
  const { result, header } = parse(bytes, offset);
  expect(result).toBe(HEADER_PLAIN);
  const { type, flags, serial, path: where, member: which, interface: of } = decoded;
  const { errorName, replySerial: to, destination, signature, unixFds } = decoded;
  expect(fieldsOf(header)).toEqual({
    type,
    flags,
    serial,
    path: where,
    interface: of,
    member: which,
    errorName,
    replySerial: to,
    destination,
    signature,
    unixFds,
  });
}

test("what the decoder makes of a message, the header says, at any offset", () => {
  fc.assert(
    fc.property(message(), fc.nat(32), (bytes, offset) => expectEqual(bytes, offset)),
    { numRuns: 500 },
  );
});

test("what the decoder refuses, the header refuses, and nothing else", () => {
  const mutation = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x2f, 0x73)));
  fc.assert(
    fc.property(message(), fc.array(mutation, { maxLength: 3 }), (original, mutations) => {
      const bytes = Uint8Array.from(original);
      for (const [at, value] of mutations) bytes[at % bytes.length] = value;
      // The framing has cut the message before it is parsed; a signature needs a body to agree.
      let total = 0;
      try {
        total = messageLength(bytes);
      } catch {
        return;
      }
      if (total !== bytes.length) return;
      expectEqual(bytes, 0);
    }),
    { numRuns: 3000 },
  );
});

test("the four kinds of messages as their makers write them are plain", () => {
  const made = [
    methodCall({ path: "/", member: "M" }),
    methodReturn({ serial: 1, sender: ":1.1" }),
    new Message({ type: MessageType.Error, errorName: "a.b", replySerial: 3 }, []),
    signal({ path: "/", interface: "a.b", member: "S" }),
  ];
  for (const each of made) {
    for (const isLittleEndian of [true, false]) {
      const { result, header } = parse(encodeMessage(each, 9, isLittleEndian), 1);
      expect([result, header.type, header.serial]).toEqual([HEADER_PLAIN, each.type, 9]);
      expect(header.isLittleEndian).toBe(isLittleEndian);
    }
  }
});
