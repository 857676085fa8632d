/** The strictness of the body check, rule by rule; codec.test.ts compares it with `unmarshal`. */

import { expect, test } from "@jest/globals";
import { marshal } from "../../wire/marshal.ts";
import { Memory } from "../../wire/memory.ts";
import { BodyValidator, BodyViolation, bodyViolationText } from "../../wire/validate.ts";
import { Variant } from "../../wire/variant.ts";

const validator = new BodyValidator();

/** What `validate` says of little-endian bytes. */
function validate(signature: string, bytes: ArrayLike<number>): number {
  const body = Uint8Array.from(bytes);
  return validator.validate(Memory.of(body), 0, body.length, signature, true);
}

/** `text` as a STRING, with or without its length. */
function text(characters: string, length = characters.length): number[] {
  return [length & 0xff, length >> 8, 0, 0, ...Buffer.from(characters, "latin1"), 0];
}

test("an empty body fits the empty signature", () => {
  expect(validate("", [])).toBe(0);
});

test("a body behind an empty signature is too much", () => {
  expect(validate("", [0])).toBe(BodyViolation.TooMuchData);
  expect(validator.offset).toBe(0);
});

test("a body goes on behind the last argument", () => {
  expect(validate("y", [1, 0])).toBe(BodyViolation.TooMuchData);
  expect(validator.offset).toBe(1);
});

test.each([..."ybnqiuxtdsogvh", "(y)", "ay", "a{sv}", "as"])(
  "%s without a body is not enough",
  (signature) => {
    expect(validate(signature, [])).toBe(BodyViolation.NotEnoughData);
  },
);

test.each([
  ["n", 2],
  ["q", 2],
  ["i", 4],
  ["u", 4],
  ["b", 4],
  ["h", 4],
  ["x", 8],
  ["t", 8],
  ["d", 8],
])("%s takes %d bytes and no fewer", (signature, size) => {
  expect(validate(signature, new Uint8Array(size))).toBe(0);
  expect(validate(signature, new Uint8Array(size - 1))).toBe(BodyViolation.NotEnoughData);
});

test.each([
  ["yn", [1, 0, 0, 0]],
  ["yu", [1, 0, 0, 0, 0, 0, 0, 0]],
  ["yt", new Array<number>(16).fill(0)],
  ["y(y)", [...new Array<number>(8).fill(0), 7]],
  ["ys", [1, 0, 0, 0, ...text("")]],
  ["yas", [1, 0, 0, 0, 0, 0, 0, 0]],
])("padding inside of %s is zero", (signature, bytes) => {
  expect(validate(signature, bytes)).toBe(0);
  for (let at = 1; at < (signature === "yn" ? 2 : 4); at++) {
    const broken = Array.from(bytes);
    broken[at] = 1;
    expect(validate(signature, broken)).toBe(BodyViolation.Padding);
    expect(validator.offset).toBe(at);
  }
});

test("what lies behind the body is no part of it, not even as padding", () => {
  const behind = new Array<number>(16).fill(0xff);
  for (const [signature, body] of [
    ["yu", [1]],
    ["yb", [1]],
    ["ys", [1]],
    ["yas", [1]],
    ["yt", [1, 0, 0]],
    ["y(y)", [1, 0]],
    ["at", [0, 0, 0, 0]],
    ["v", [1, 0x75, 0]],
  ] as const) {
    for (const rest of [behind, behind.map(() => 0)]) {
      const memory = Memory.of(Uint8Array.from([...body, ...rest]));
      const verdict = validator.validate(memory, 0, body.length, signature, true);
      expect(verdict).toBe(BodyViolation.NotEnoughData);
      expect(validator.offset).toBeLessThanOrEqual(body.length);
    }
  }
});

test("the padding before the first element is there even if the array is empty", () => {
  expect(validate("at", [0, 0, 0, 0, 0, 0, 0, 0])).toBe(0);
  expect(validate("at", [0, 0, 0, 0])).toBe(BodyViolation.NotEnoughData);
  expect(validate("at", [0, 0, 0, 0, 0, 0, 1, 0])).toBe(BodyViolation.Padding);
  expect(validate("a(y)", [0, 0, 0, 0])).toBe(BodyViolation.NotEnoughData);
  expect(validate("ay", [0, 0, 0, 0])).toBe(0);
});

test("the padding of a variant's value is zero", () => {
  expect(validate("v", [1, 0x75, 0, 0, 9, 0, 0, 0])).toBe(0);
  expect(validate("v", [1, 0x75, 0, 1, 9, 0, 0, 0])).toBe(BodyViolation.Padding);
});

test("a boolean is 0 or 1", () => {
  expect(validate("b", [0, 0, 0, 0])).toBe(0);
  expect(validate("b", [1, 0, 0, 0])).toBe(0);
  expect(validate("b", [2, 0, 0, 0])).toBe(BodyViolation.Boolean);
  expect(validate("b", [0, 1, 0, 0])).toBe(BodyViolation.Boolean);
});

test("every boolean of an array is 0 or 1", () => {
  expect(validate("ab", [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])).toBe(0);
  expect(validate("ab", [8, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0])).toBe(BodyViolation.Boolean);
  expect(validator.offset).toBe(8);
});

test.each([
  ["two bytes", "é"],
  ["three bytes", "€"],
  ["the last before the surrogates", "\ud7ff"],
  ["the first behind the surrogates", "\ue000"],
  ["a noncharacter", "\uffff"],
  ["a noncharacter in the middle", "\ufdd0"],
  ["four bytes", "😀"],
  ["the last code point", "\u{10ffff}"],
  ["a byte order mark", "\ufeffx"],
])("a string may hold %s", (_what, characters) => {
  for (const long of ["", "x".repeat(600)]) {
    expect(validate("s", marshal("s", [characters + long]))).toBe(0);
    expect(validate("s", marshal("s", [long + characters]))).toBe(0);
  }
});

test.each([
  ["a zero byte", "a\0b"],
  ["a zero byte at the end", "ab\0"],
  ["zero bytes in a word", "abcd\0\0\0\0"],
  ["a continuation byte", "a\x80"],
  ["a sequence cut off", "abc\xe2\x82"],
  ["a sequence cut off by ASCII", "\xe2\x82a"],
  ["an overlong two-byte form", "\xc0\x80"],
  ["an overlong slash", "\xc1\xaf"],
  ["an overlong three-byte form", "\xe0\x9f\xbf"],
  ["an overlong four-byte form", "\xf0\x8f\xbf\xbf"],
  ["a high surrogate", "\xed\xa0\x80"],
  ["a low surrogate", "\xed\xbf\xbf"],
  ["a code point above U+10FFFF", "\xf4\x90\x80\x80"],
  ["a byte that UTF-8 never uses", "\xf5\x80\x80\x80"],
  ["the byte 0xff", "\xff"],
])("a string may not hold %s", (_what, characters) => {
  for (const long of ["", "x".repeat(600)]) {
    expect(validate("s", text(characters + long))).toBe(BodyViolation.Utf8);
    expect(validate("s", text(long + characters))).toBe(BodyViolation.Utf8);
    expect(validator.offset).toBe(4);
  }
});

test("a string ends with a zero byte", () => {
  expect(validate("s", text("abc"))).toBe(0);
  expect(validate("s", [...text("abc").slice(0, -1), 1])).toBe(BodyViolation.Termination);
  expect(validate("s", text("abc").slice(0, -1))).toBe(BodyViolation.NotEnoughData);
});

test("a string does not reach past the body, however long it claims to be", () => {
  expect(validate("s", text("abc", 4))).toBe(BodyViolation.NotEnoughData);
  expect(validate("s", [0xff, 0xff, 0xff, 0xff, 0])).toBe(BodyViolation.NotEnoughData);
  expect(validate("ss", [...text("abc"), 0xff, 0xff, 0xff, 0x7f])).toBe(
    BodyViolation.NotEnoughData,
  );
});

test.each(["/", "/a", "/a_9/B"])("%s is an object path", (path) => {
  expect(validate("o", text(path))).toBe(0);
});

test.each(["", "a", "//", "/a/", "/a//b", "/a-b", "/\xc3\xa9", "/a\0"])(
  "%j is not an object path",
  (path) => {
    expect(validate("o", text(path))).toBe(BodyViolation.ObjectPath);
  },
);

test("a signature is a valid one and ends with a zero byte", () => {
  expect(validate("g", [0, 0])).toBe(0);
  expect(validate("g", [2, 0x61, 0x79, 0])).toBe(0);
  expect(validate("g", [1, 0x61, 0])).toBe(BodyViolation.Signature);
  expect(validate("g", [1, 0x79, 1])).toBe(BodyViolation.Termination);
  expect(validate("g", [2, 0x79, 0])).toBe(BodyViolation.NotEnoughData);
});

test("a variant has exactly one complete type", () => {
  expect(validate("v", [1, 0x79, 0, 5])).toBe(0);
  expect(validate("v", [0, 0])).toBe(BodyViolation.VariantSignature);
  expect(validate("v", [2, 0x79, 0x79, 0, 5, 5])).toBe(BodyViolation.VariantSignature);
  expect(validate("v", [1, 0x7a, 0, 5])).toBe(BodyViolation.VariantSignature);
  expect(validate("v", [1, 0x79, 0])).toBe(BodyViolation.NotEnoughData);
  expect(validate("v", [1, 0x79, 1, 5])).toBe(BodyViolation.Termination);
});

test("an array of fixed-size elements ends with an element", () => {
  expect(validate("aq", [4, 0, 0, 0, 1, 2, 3, 4])).toBe(0);
  expect(validate("aq", [3, 0, 0, 0, 1, 2, 3])).toBe(BodyViolation.ArrayLength);
  expect(validate("ab", [3, 0, 0, 0, 0, 0, 0])).toBe(BodyViolation.ArrayLength);
  expect(validate("at", [4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])).toBe(BodyViolation.ArrayLength);
});

test("an array of strings ends where its last string does", () => {
  expect(validate("as", [6, 0, 0, 0, ...text("a")])).toBe(0);
  expect(validate("as", [5, 0, 0, 0, ...text("a")])).toBe(BodyViolation.ArrayLength);
  expect(validate("asy", [7, 0, 0, 0, ...text("a"), 0])).toBe(BodyViolation.NotEnoughData);
});

test("an array does not count the padding behind its last element", () => {
  // Two structs: the padding between them is counted, that behind the second is not there.
  expect(validate("a(y)", [9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2])).toBe(0);
  expect(validate("a(y)", [16, 0, 0, 0, 0, 0, 0, 0, 1, ...new Array<number>(15).fill(0)])).toBe(
    BodyViolation.NotEnoughData,
  );
});

test("an array does not reach past the body", () => {
  expect(validate("ay", [2, 0, 0, 0, 1])).toBe(BodyViolation.NotEnoughData);
  expect(validate("ay", [0xff, 0xff, 0xff, 0xff, 1])).toBe(BodyViolation.NotEnoughData);
});

test("an array of 64 MiB passes and one byte more does not", () => {
  const bytes = new Uint8Array(4 + 67108864 + 1 + 16);
  const memory = new Memory(bytes.buffer);
  memory.view.setUint32(0, 67108864, true);
  expect(validator.validate(memory, 0, 4 + 67108864, "ay", true)).toBe(0);
  memory.view.setUint32(0, 67108865, true);
  expect(validator.validate(memory, 0, 4 + 67108865, "ay", true)).toBe(BodyViolation.ArrayTooLong);
});

/** `count` variants inside each other, around a byte. */
function nested(count: number): Variant {
  let variant: Variant = new Variant("y", 7);
  for (let i = 1; i < count; i++) variant = new Variant("v", variant);
  return variant;
}

/** The bytes of `nested(count)`, without `marshal`, which refuses the ones too deep. */
function nestedBytes(count: number): number[] {
  return [...new Array<number[]>(count - 1).fill([1, 0x76, 0]), [1, 0x79, 0, 7]].flat();
}

test("variants nest 64 deep and no deeper", () => {
  expect(Array.from(marshal("v", [nested(64)]))).toEqual(nestedBytes(64));
  expect(validate("v", nestedBytes(64))).toBe(0);
  expect(validate("v", nestedBytes(65))).toBe(BodyViolation.Depth);
  expect(() => marshal("v", [nested(65)])).toThrow("nested deeper than 64");
});

test("arrays and structs count as depth together with variants", () => {
  expect(validate("av", [64 * 3 - 2, 0, 0, 0, ...nestedBytes(63)])).toBe(0);
  expect(validate("av", [65 * 3 - 2, 0, 0, 0, ...nestedBytes(64)])).toBe(BodyViolation.Depth);
  expect(validate("(v)", nestedBytes(63))).toBe(0);
  expect(validate("(v)", nestedBytes(64))).toBe(BodyViolation.Depth);
});

test("an array adds depth only if it has elements and they are not of fixed size", () => {
  // Inside of 64 variants there is no room for another level.
  const inside = (signature: string, value: number[]): number[] => {
    const bytes = new Array<number[]>(63).fill([1, 0x76, 0]).flat();
    bytes.push(signature.length, ...Buffer.from(signature), 0);
    while (bytes.length % 4 !== 0) bytes.push(0);
    return [...bytes, ...value];
  };
  expect(validate("v", inside("ay", [1, 0, 0, 0, 9]))).toBe(0);
  expect(validate("v", inside("as", [0, 0, 0, 0]))).toBe(0);
  expect(validate("v", inside("as", [5, 0, 0, 0, ...text("")]))).toBe(BodyViolation.Depth);
});

test("a UNIX_FD is any number", () => {
  expect(validate("h", [0xff, 0xff, 0xff, 0xff])).toBe(0);
});

test("structs and dict entries start at multiples of eight", () => {
  expect(validate("u(y)", [0, 0, 0, 0, 0, 0, 0, 0, 1])).toBe(0);
  expect(validate("u(y)", [0, 0, 0, 0, 1])).toBe(BodyViolation.Padding);
  expect(validate("u(y)", [0, 0, 0, 0])).toBe(BodyViolation.NotEnoughData);
});

test("big-endian lengths are read as such", () => {
  const body = Uint8Array.of(0, 0, 0, 1, 0x61, 0);
  expect(validator.validate(Memory.of(body), 0, 6, "s", false)).toBe(0);
  expect(validator.validate(Memory.of(body), 0, 6, "s", true)).toBe(BodyViolation.NotEnoughData);
});

test("the offset of a violation counts from the start of the memory", () => {
  const memory = Memory.of(Uint8Array.of(...new Array<number>(16).fill(0), 5, 0, 0, 0));
  expect(validator.validate(memory, 16, 4, "b", true)).toBe(BodyViolation.Boolean);
  expect(validator.offset).toBe(16);
});

test("a validator that found a violation in a variant checks the next body afresh", () => {
  expect(validate("v", [1, 0x62, 0, 0, 2, 0, 0, 0])).toBe(BodyViolation.Boolean);
  expect(validate("a{sv}y", [0, 0, 0, 0, 0, 0, 0, 0, 1])).toBe(0);
});

test("a signature that is none is the caller's mistake", () => {
  expect(() => validate("a", [])).toThrow(TypeError);
});

test("every violation has a text", () => {
  for (const violation of Object.values(BodyViolation)) {
    expect(bodyViolationText(violation)).toMatch(/^\w/);
  }
});
