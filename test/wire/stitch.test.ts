/** Messages with their sender's name stitched in, decoded again. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { HEADER_PLAIN, HEADER_TO_REWRITE, Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { type Message, signal } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import {
  appendSender,
  rewriteHeader,
  SENDER_FIELD_BYTES,
  writeSenderField,
} from "../../wire/stitch.ts";
import { body } from "./arbitrary.ts";
import { rawMessage } from "./raw-header.ts";

const strings = new Strings();

/** What a receiver gets of `bytes`, stitched as the router does it. */
function stitched(bytes: Uint8Array, sender: string, offset = 0): Buffer {
  const memory = Memory.of(Buffer.concat([Buffer.alloc(offset), bytes]));
  const header = new Header(memory);
  let parsed = header.parse(strings, memory, offset);
  if (parsed === HEADER_TO_REWRITE) {
    const target = Memory.of(new Uint8Array(bytes.length));
    const headerLength = rewriteHeader(header, target, 0);
    expect(headerLength).toBeGreaterThan(0);
    const from = header.bodyOffset;
    target.bytes.set(memory.bytes.subarray(from, from + header.bodyLength), headerLength);
    parsed = header.parse(strings, target, 0);
  }
  expect(parsed).toBe(HEADER_PLAIN);
  const field = new Memory(new ArrayBuffer(SENDER_FIELD_BYTES));
  const length = writeSenderField(field, 0, sender, header.isLittleEndian);
  appendSender(header, length);
  const at = header.offset;
  const from = header.bodyOffset;
  return Buffer.concat([
    header.memory.bytes.subarray(at, at + header.headerLength),
    field.bytes.subarray(0, (length + 7) & ~7),
    header.memory.bytes.subarray(from, from + header.bodyLength),
  ]);
}

function contents(message: Message): unknown[] {
  const { type, flags, serial, path, interface: of, member, destination, signature } = message;
  return [type, flags, serial, path, of, member, destination, signature, message.body];
}

const uniqueName = fc.nat(0xffffffff).map((number) => `:1.${number}`);
const place = { path: "/org/example", interface: "org.example.Clock", member: "Tick" };

test("a message arrives as it was sent, with its sender's name", () => {
  fc.assert(
    fc.property(body(), uniqueName, fc.nat(16), (content, name, offset) => {
      const sent = signal({ ...place, signature: content.signature, body: content.values });
      const bytes = encodeMessage(sent, 7, content.isLittleEndian);
      const arrived = decodeMessage(stitched(bytes, name, offset));
      expect(contents(arrived)).toEqual(contents(decodeMessage(bytes)));
      expect(arrived.sender).toBe(name);
    }),
  );
});

test("whatever sender a message claims, it arrives with its own", () => {
  fc.assert(
    fc.property(body(), uniqueName, (content, name) => {
      const sender = "org.example.Somebody.Else";
      const options = { ...place, signature: content.signature, body: content.values, sender };
      const bytes = encodeMessage(signal(options), 7, content.isLittleEndian);
      const arrived = decodeMessage(stitched(bytes, name));
      expect(contents(arrived)).toEqual(contents(decodeMessage(bytes)));
      expect(arrived.sender).toBe(name);
    }),
  );
});

test("fields that the bus does not know go no further, wherever they stand", () => {
  const known = [
    [1, "o", "/org/example"],
    [2, "s", "org.example.Clock"],
    [3, "s", "Tick"],
    [8, "g", "u"],
  ] as const;
  const unknown = [
    [10, "o", "/container"],
    [11, "s", "from the future"],
    [255, "(yt)", [1, 2n]],
  ] as const;
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...known, ...unknown], { minLength: 7 }),
      fc.boolean(),
      (order, little) => {
        const body = Uint8Array.from(little ? [1, 0, 0, 0] : [0, 0, 0, 1]);
        const bytes = rawMessage({ type: 4, fields: order, body, isLittleEndian: little });
        const whole = stitched(bytes, ":1.5");
        const arrived = decodeMessage(whole);
        expect([arrived.path, arrived.interface, arrived.member]).toEqual([
          "/org/example",
          "org.example.Clock",
          "Tick",
        ]);
        expect([arrived.sender, arrived.body]).toEqual([":1.5", [1]]);
        expect(whole.includes("future")).toBe(false);
        expect(whole.includes("/container")).toBe(false);
      },
    ),
  );
});

test("a message of some MiB is stitched without a change of its body", () => {
  const content = Uint8Array.from({ length: 3 << 20 }, (_, n) => n * 7);
  for (const sender of [null, ":1.99"]) {
    const sent = signal({ ...place, signature: "ay", body: [content], sender });
    const arrived = decodeMessage(stitched(encodeMessage(sent, 1), ":1.7", 8));
    expect(arrived.sender).toBe(":1.7");
    expect(Buffer.compare(arrived.body[0] as Uint8Array, content)).toBe(0); // "ay" is a Uint8Array
  }
});

test("there is room for the longest unique name, and no more", () => {
  const field = new Memory(new ArrayBuffer(SENDER_FIELD_BYTES));
  const longest = `:1.${"9".repeat(SENDER_FIELD_BYTES - 12)}`;
  expect(writeSenderField(field, 0, longest, true)).toBe(SENDER_FIELD_BYTES);
  expect(() => writeSenderField(field, 0, `${longest}9`, true)).toThrow(RangeError);
});
