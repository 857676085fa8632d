/** Bytes to values: the shapes, and the oracle: what `validate` accepts is what can be unmarshalled. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { marshal } from "../../wire/marshal.ts";
import { Memory } from "../../wire/memory.ts";
import { unmarshal } from "../../wire/unmarshal.ts";
import { BodyValidator, BodyViolation } from "../../wire/validate.ts";
import { Variant } from "../../wire/variant.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import { body } from "./arbitrary.ts";

const validator = new BodyValidator();

function isValid(signature: string, bytes: Uint8Array, isLittleEndian: boolean): boolean {
  return validator.validate(Memory.of(bytes), 0, bytes.length, signature, isLittleEndian) === 0;
}

function canBeUnmarshalled(signature: string, bytes: Uint8Array, isLittleEndian: boolean): boolean {
  try {
    unmarshal(signature, bytes, isLittleEndian);
    return true;
  } catch (error) {
    if (error instanceof ProtocolViolation) return false;
    throw error;
  }
}

test("what is marshalled is unmarshalled as it was, in both byte orders", () => {
  fc.assert(
    fc.property(body(), ({ signature, values, isLittleEndian }) => {
      const bytes = marshal(signature, values, isLittleEndian);
      expect(unmarshal(signature, bytes, isLittleEndian)).toEqual(values);
    }),
    { numRuns: 500 },
  );
});

test("what is marshalled is valid", () => {
  fc.assert(
    fc.property(body(), ({ signature, values, isLittleEndian }) => {
      expect(isValid(signature, marshal(signature, values, isLittleEndian), isLittleEndian)).toBe(
        true,
      );
    }),
    { numRuns: 500 },
  );
});

test("what is marshalled is valid wherever in the memory it lies and whatever lies around it", () => {
  fc.assert(
    fc.property(body(), fc.nat(16), ({ signature, values, isLittleEndian }, offset) => {
      const bytes = marshal(signature, values, isLittleEndian);
      const memory = new Memory(new ArrayBuffer(offset + bytes.length + 16));
      memory.bytes.fill(0xff);
      memory.bytes.set(bytes, offset);
      expect(validator.validate(memory, offset, bytes.length, signature, isLittleEndian)).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test("with some bytes changed, the body check and unmarshalling agree", () => {
  const changes = fc.array(
    fc.tuple(fc.nat(), fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat(255))),
    {
      minLength: 1,
      maxLength: 2,
    },
  );
  fc.assert(
    fc.property(body(), changes, ({ signature, values, isLittleEndian }, mutations) => {
      const bytes = marshal(signature, values, isLittleEndian);
      fc.pre(bytes.length > 0);
      for (const [at, value] of mutations) bytes[at % bytes.length] = value;
      expect(isValid(signature, bytes, isLittleEndian)).toBe(
        canBeUnmarshalled(signature, bytes, isLittleEndian),
      );
    }),
    { numRuns: 5000 },
  );
});

test("cut short anywhere, a body is not valid and cannot be unmarshalled", () => {
  fc.assert(
    fc.property(body(), fc.nat(), ({ signature, values, isLittleEndian }, cut) => {
      const bytes = marshal(signature, values, isLittleEndian);
      fc.pre(bytes.length > 0);
      const short = bytes.slice(0, cut % bytes.length);
      expect(isValid(signature, short, isLittleEndian)).toBe(false);
      expect(canBeUnmarshalled(signature, short, isLittleEndian)).toBe(false);
    }),
    { numRuns: 500 },
  );
});

test("of random bytes, the body check and unmarshalling think the same", () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constantFrom(...Buffer.from("ysvoa(){}/"))),
  );
  const types = fc.constantFrom(
    "s",
    "o",
    "g",
    "v",
    "as",
    "ag",
    "av",
    "a{yv}",
    "(yv)",
    "aay",
    "ab",
    "vv",
  );
  fc.assert(
    fc.property(types, bytes, (signature, array) => {
      const body = Uint8Array.from(array);
      expect(isValid(signature, body, true)).toBe(canBeUnmarshalled(signature, body, true));
    }),
    { numRuns: 5000 },
  );
});

test("the types become the values that JavaScript has for them", () => {
  const values = [1, true, -2, 3, -4, 5, -6n, 7n, 0.5, "s", "/o", "g", 8];
  expect(unmarshal("ybnqiuxtdsogh", marshal("ybnqiuxtdsogh", values))).toEqual(values);
});

test("ay becomes bytes of its own, and a dictionary a Map", () => {
  const bytes = marshal("aya{sv}", [[1, 2], { k: new Variant("u", 3) }]);
  const [array, map] = unmarshal("aya{sv}", bytes);
  bytes.fill(0);
  expect(array).toEqual(Uint8Array.of(1, 2));
  expect(map).toEqual(new Map([["k", new Variant("u", 3)]]));
});

test("ay of a Buffer is no view of it, and no Buffer", () => {
  const buffer = Buffer.from(marshal("ay", [[1, 2]]));
  const [array] = unmarshal("ay", buffer);
  buffer.fill(0);
  expect(array).toStrictEqual(Uint8Array.of(1, 2));
});

test("of equal keys the last stays", () => {
  const bytes = marshal("a(yy)", [
    [
      [1, 2],
      [1, 3],
    ],
  ]);
  expect(unmarshal("a{yy}", bytes)).toEqual([new Map([[1, 3]])]);
});

test("a byte order mark stays in the string", () => {
  expect(unmarshal("s", marshal("s", ["\ufeffx"]))).toEqual(["\ufeffx"]);
});

test("a violation says what and where, counted from the start of the message", () => {
  expect(() => unmarshal("yb", Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0), true, 40)).toThrow(
    expect.objectContaining({ code: "Boolean", byteOffset: 44 }),
  );
});

test.each<[keyof typeof BodyViolation, string, number[]]>([
  ["NotEnoughData", "u", [1]],
  ["TooMuchData", "y", [1, 2]],
  ["Padding", "yq", [1, 1, 0, 0]],
  ["Utf8", "s", [1, 0, 0, 0, 0xff, 0]],
  ["ObjectPath", "o", [1, 0, 0, 0, 0x61, 0]],
  ["Signature", "g", [1, 0x7a, 0]],
  ["VariantSignature", "v", [0, 0]],
  ["Termination", "s", [0, 0, 0, 0, 1]],
  ["ArrayTooLong", "ay", [1, 0, 0, 4]],
  ["ArrayLength", "aq", [1, 0, 0, 0, 0, 0]],
])("the violation %s is thrown", (code, signature, bytes) => {
  expect(() => unmarshal(signature, Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ code }),
  );
  expect(Object.keys(BodyViolation)).toContain(code);
});
