/** Messages written field by field, so that they can be wrong. */

import fc from "fast-check";
import { marshalInto } from "../../wire/marshal.ts";
import { Variant } from "../../wire/variant.ts";
import { Writer } from "../../wire/writer.ts";

/** Code, type and value of a header field. */
export type Field = readonly [number, string, unknown];

export interface RawMessage {
  readonly type?: number;
  readonly flags?: number;
  readonly version?: number;
  readonly serial?: number;
  readonly fields: readonly Field[];
  readonly body?: Uint8Array;
  readonly isLittleEndian?: boolean;
}

/** The bytes of a message; strings in it need not be what their fields demand. */
export function rawMessage(raw: RawMessage): Uint8Array {
  const isLittleEndian = raw.isLittleEndian ?? true;
  const body = raw.body ?? new Uint8Array(0);
  const writer = new Writer(isLittleEndian);
  for (const byte of [
    isLittleEndian ? 0x6c : 0x42,
    raw.type ?? 1,
    raw.flags ?? 0,
    raw.version ?? 1,
  ]) {
    writer.writeByte(byte);
  }
  writer.writeUint32(body.length);
  writer.writeUint32(raw.serial ?? 1);
  writer.writeUint32(0);
  for (const [code, type, value] of raw.fields) {
    writer.align(8);
    writer.writeByte(code);
    writer.writeByte(type.length);
    for (const character of type) writer.writeByte(character.charCodeAt(0));
    writer.writeByte(0);
    writeValue(writer, type, value);
  }
  writer.setUint32(12, writer.length - 16);
  writer.align(8);
  writer.writeBytes(body);
  return Uint8Array.from(writer.bytes);
}

function writeValue(writer: Writer, type: string, value: unknown): void {
  const text = Buffer.from(String(value));
  if (type === "s" || type === "o") {
    writer.writeUint32(text.length);
    writer.writeBytes(text);
    writer.writeByte(0);
  } else if (type === "g") {
    writer.writeByte(text.length);
    writer.writeBytes(text);
    writer.writeByte(0);
  } else if (type === "b" && typeof value === "number") {
    writer.writeUint32(value);
  } else {
    marshalInto(writer, type, [value]);
  }
}

const name = fc.constantFrom(
  "a.b",
  "org.example.Name",
  ":1.5",
  "org.freedesktop.DBus",
  "a",
  "",
  "a.1",
);
const path = fc.constantFrom("/", "/a", "/org/example", "/org/freedesktop/DBus/Local", "a", "/a/");
const member = fc.constantFrom("Member", "M1", "", "a.b");

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.tuple(fc.constant(1), fc.constant("o"), path),
  fc.tuple(fc.constantFrom(2, 4, 6, 7), fc.constant("s"), name),
  fc.tuple(fc.constant(3), fc.constant("s"), member),
  fc.tuple(fc.constantFrom(5, 9), fc.constant("u"), fc.nat(3)),
  fc.tuple(fc.constant(8), fc.constant("g"), fc.constant("")),
  fc.tuple(fc.constantFrom(0, 10, 11, 200), fc.constant("v"), fc.constant(new Variant("t", 5n))),
  fc.tuple(fc.constantFrom(1, 7, 10, 99), fc.constant("o"), path),
  fc.tuple(fc.constantFrom(11, 99), fc.constant("(yas)"), fc.constant([7, ["x"]])),
);

const good: readonly Field[] = [
  [1, "o", "/org/example"],
  [2, "s", "org.example.Interface"],
  [3, "s", "Member"],
  [4, "s", "org.example.Error"],
  [5, "u", 77],
];

/** Messages without a body, most of them valid: all fields that any type needs, others, any order. */
export function message(): fc.Arbitrary<Uint8Array> {
  return fc
    .record({
      type: fc.integer({ min: 1, max: 5 }),
      flags: fc.nat(255),
      serial: fc.integer({ min: 1, max: 0xffffffff }),
      fields: fc
        .tuple(fc.subarray([...good], { minLength: 3 }), fc.array(field, { maxLength: 3 }))
        .chain(([some, others]) =>
          fc.shuffledSubarray([...some, ...others], { minLength: some.length + others.length }),
        ),
      isLittleEndian: fc.boolean(),
    })
    .map(rawMessage);
}
