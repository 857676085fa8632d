/** Are we as strict as dbus-daemon, neither more nor less? The real one is asked, with fixed seeds. */

import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Message, type MessageHeader, signal } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { isBusName, isErrorName, isInterfaceName, isMemberName } from "../../wire/names.ts";
import { isObjectPath } from "../../wire/object-path.ts";
import { MessageFlag, MessageType } from "../../wire/protocol.ts";
import { isSignature } from "../../wire/signature.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import { body, signature } from "./arbitrary.ts";
import { hasReferenceDaemon, ReferenceDaemon } from "./reference-daemon.ts";

const daemon = hasReferenceDaemon() ? await ReferenceDaemon.start() : null;

afterAll(() => daemon?.stop());

/** A message, and what we say of it. */
interface Case {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly isValid: boolean;
}

/** The cases of which dbus-daemon thinks otherwise. */
async function disagreements(cases: readonly Case[]): Promise<string[]> {
  const found: string[] = [];
  for (const { what, bytes, isValid } of cases) {
    const isAccepted = await daemon?.accepts(bytes);
    if (isAccepted !== undefined && isAccepted !== isValid) {
      found.push(`${what}: dbus-daemon ${isAccepted ? "accepts" : "refuses"} it`);
    }
  }
  return found;
}

const header = { type: MessageType.Signal, path: "/", interface: "a.b", member: "C" };

/** A message that is decoded by us; the file descriptors it speaks of do not exist. */
function judged(what: string, bytes: Uint8Array): Case {
  try {
    return { what, bytes, isValid: decodeMessage(bytes).unixFds === 0 };
  } catch (error) {
    if (error instanceof ProtocolViolation)
      return { what: `${what} (${error.code})`, bytes, isValid: false };
    throw error;
  }
}

test("bodies, as they are and with a byte changed", async () => {
  const byte = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat(255));
  const samples = fc.sample(fc.tuple(body(), fc.nat(), byte, fc.nat(9)), { seed: 1, numRuns: 600 });
  const cases = samples.map(([sample, where, value, change]) => {
    const message = signal({
      path: "/",
      interface: "a.b",
      member: "C",
      signature: sample.signature,
      body: sample.values,
    });
    const bytes = encodeMessage(message, 5, sample.isLittleEndian);
    const bodyLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(
      4,
      sample.isLittleEndian,
    );
    const at = bytes.length - bodyLength + (where % bodyLength);
    if (change > 0 && bodyLength > 0) bytes[at] = value;
    return judged(`${sample.signature} with byte ${at} = ${value}`, bytes);
  });
  expect(await disagreements(cases)).toEqual([]);
});

test("bodies at the limits", async () => {
  const variants = (count: number): number[] =>
    [...new Array<number[]>(count - 1).fill([1, 0x76, 0]), [1, 0x79, 0, 7]].flat();
  const text = (...bytes: number[]): number[] => [bytes.length, 0, 0, 0, ...bytes, 0];
  const bodies: [string, number[]][] = [
    ["v", variants(64)],
    ["v", variants(65)],
    ["(v)", variants(63)],
    ["(v)", variants(64)],
    ["av", [64 * 3 - 2, 0, 0, 0, ...variants(63)]],
    ["av", [65 * 3 - 2, 0, 0, 0, ...variants(64)]],
    ["h", [0xff, 0xff, 0xff, 0xff]],
    ["at", [0, 0, 0, 0, 0, 0, 0, 0]],
    ["at", [0, 0, 0, 0]],
    ["aq", [3, 0, 0, 0, 1, 2, 3]],
    ["ab", [4, 0, 0, 0, 2, 0, 0, 0]],
    ["s", text(0xef, 0xbf, 0xbf)],
    ["s", text(0xed, 0x9f, 0xbf)],
    ["s", text(0xed, 0xa0, 0x80)],
    ["s", text(0xf4, 0x8f, 0xbf, 0xbf)],
    ["s", text(0xf4, 0x90, 0x80, 0x80)],
    ["s", text(0xc0, 0x80)],
    ["s", text(0x61, 0)],
    ["", [0]],
  ];
  const cases = bodies.map(([types, body]) => {
    // The signature and the body of a message that is valid are replaced.
    const bytes = encodeMessage(
      new Message(
        { ...header, signature: "y".repeat(types.length) },
        Array.from(types, () => 0),
      ),
      5,
    );
    const bodyOffset = bytes.length - types.length;
    const raw = Uint8Array.from([...bytes.subarray(0, bodyOffset), ...body]);
    const signatureAt = Buffer.from(raw).indexOf(Uint8Array.of(8, 1, 0x67, 0, types.length)) + 5;
    if (types !== "") raw.set(Buffer.from(types), signatureAt);
    raw[4] = body.length;
    return judged(`${types} ${body}`, raw);
  });
  expect(await disagreements(cases)).toEqual([]);
  expect(cases.filter(({ isValid }) => isValid)).toHaveLength(8);
});

test("signatures", async () => {
  const codes = fc.array(fc.constantFrom(..."yssvvaa((){{}}}"), { maxLength: 8 });
  const texts = [
    ...fc.sample(signature(), { seed: 2, numRuns: 50 }),
    ...fc.sample(codes, { seed: 3, numRuns: 400 }).map((characters) => characters.join("")),
    ..."(sa{sv)}|a{ss|a{sss}|a{vs}|()|a|(a)|r|e|z|h|y\0y|yé".split("|"),
    "y".repeat(255),
    ...[32, 33].flatMap((depth) => [
      `${"a".repeat(depth)}y`,
      `${"(".repeat(depth)}y${")".repeat(depth)}`,
      `${"a{s".repeat(depth)}y${"}".repeat(depth)}`,
      `${"a(".repeat(depth)}ay${")".repeat(depth)}`,
      `${"a".repeat(depth)}(${"a".repeat(depth)}y)`,
    ]),
  ];
  const cases = texts.map((text) => {
    const characters = Buffer.from(text, "latin1");
    const filler = "y".repeat(characters.length);
    const bytes = encodeMessage(new Message({ ...header, signature: "g" }, [filler]), 5);
    bytes.set(characters, bytes.length - 1 - characters.length);
    return { what: JSON.stringify(text), bytes, isValid: isSignature(text) };
  });
  expect(await disagreements(cases)).toEqual([]);
});

const NAMES = [
  ...[
    ":1.42",
    ":1.0.x",
    ":a.-",
    ":0",
    ":",
    ":.1",
    ":1.",
    ":1..2",
    ":1.é",
    "::1",
    "a.b",
    "-.-",
    "_._",
  ],
  ...[
    "a-b.c",
    "a.b9",
    "a.9b",
    "9.a",
    "a",
    "",
    ".a.b",
    "a.",
    "a..b",
    "a b.c",
    "a.b\n",
    "a/b.c",
    "a\0.b",
  ],
  ...[`a.${"b".repeat(253)}`, `a.${"b".repeat(254)}`, "9", "_", "A9", "a-b", "b".repeat(255)],
  ...["b".repeat(256), ":1.".padEnd(255, "0"), ":1.".padEnd(256, "0")],
];

test.each<[string, (text: string) => boolean, (text: string) => Message]>([
  ["destinations", isBusName, (destination) => new Message({ ...header, destination }, [])],
  ["senders", isBusName, (sender) => new Message({ ...header, sender }, [])],
  ["interfaces", isInterfaceName, (name) => new Message({ ...header, interface: name }, [])],
  ["members", isMemberName, (member) => new Message({ ...header, member }, [])],
  [
    "error names",
    isErrorName,
    (errorName) => new Message({ type: MessageType.Error, replySerial: 1, errorName }, []),
  ],
])("names as %s", async (_field, isName, make) => {
  const cases = NAMES.map((name) => ({
    what: JSON.stringify(name),
    bytes: encodeMessage(make(name), 5),
    isValid: isName(name),
  }));
  expect(await disagreements(cases)).toEqual([]);
});

test("object paths", async () => {
  const paths = [
    "/",
    "/a",
    "/_/9",
    "",
    "a",
    "//",
    "/a/",
    "/a//b",
    "/a-b",
    "/é",
    "/a\0",
    "/a".repeat(500),
  ];
  const cases = paths.map((path) => ({
    what: JSON.stringify(path),
    bytes: encodeMessage(new Message({ ...header, path }, []), 5),
    isValid: isObjectPath(path),
  }));
  expect(await disagreements(cases)).toEqual([]);
});

test("only the reserved path and interface themselves are refused, not all that begin like them", async () => {
  const reserved = [
    { ...header, interface: "org.freedesktop.DBus.Local" },
    { ...header, path: "/org/freedesktop/DBus/Local" },
  ];
  const alike = [
    { ...header, interface: "org.freedesktop.DBus.Locals" },
    { ...header, path: "/org/freedesktop/DBus/Local/a" },
  ];
  const judgedAs = (fields: Partial<MessageHeader> & typeof header): Case =>
    judged(`${fields.interface} ${fields.path}`, encodeMessage(new Message(fields, []), 5));
  expect([...reserved, ...alike].map((fields) => judgedAs(fields).isValid)).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(await disagreements(reserved.map(judgedAs))).toEqual([]);
  // libdbus compares only as many bytes as the reserved ones have, which nobody can have meant.
  expect(await disagreements(alike.map(judgedAs))).toEqual(
    daemon === null
      ? []
      : [
          "org.freedesktop.DBus.Locals /: dbus-daemon refuses it",
          "a.b /org/freedesktop/DBus/Local/a: dbus-daemon refuses it",
        ],
  );
});

test("headers with bytes changed", async () => {
  const messages = [
    new Message({ ...header, sender: ":1.5", destination: ":1.999", signature: "u" }, [1]),
    new Message(
      { ...header, type: MessageType.MethodCall, flags: MessageFlag.NoReplyExpected },
      [],
    ),
    new Message({ type: MessageType.MethodReturn, replySerial: 7, signature: "ay" }, [[1, 2]]),
    new Message({ type: MessageType.Error, replySerial: 7, errorName: "a.b", sender: "a.b" }, []),
  ].flatMap((message) => [encodeMessage(message, 5), encodeMessage(message, 5, false)]);
  const byte = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.nat(255));
  const change = fc.tuple(fc.nat(), byte);
  const samples = fc.sample(fc.tuple(fc.nat(7), fc.array(change, { minLength: 1, maxLength: 2 })), {
    seed: 4,
    numRuns: 1000,
  });
  const cases = samples.map(([which, changes]) => {
    const bytes = (messages[which] as Uint8Array).slice(); // there are eight
    for (const [where, value] of changes) {
      // Not the lengths nor the byte order: the daemon would wait for more.
      const places = [1, 2, 3, 8, 9, 10, 11];
      const at = where % (bytes.length - 16 + places.length);
      bytes[places[at] ?? at - places.length + 16] = value;
    }
    return judged(`message ${which} with ${changes.join(" and ")}`, bytes);
  });
  expect(await disagreements(cases)).toEqual([]);
});
