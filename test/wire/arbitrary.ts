/** Random signatures, values that fit them, and messages, for properties. */

import fc from "fast-check";
import { parseSignature, type Type } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import { unicodeText } from "../support/unicode-text.ts";

const BASIC_CODES = ["y", "b", "n", "q", "i", "u", "x", "t", "d", "s", "o", "g", "h"] as const;

/** The signature of one complete type, at most `depth` containers deep. */
export function completeType(depth: number): fc.Arbitrary<string> {
  const basic = fc.constantFrom(...BASIC_CODES);
  if (depth === 0) return basic;
  const inner = completeType(depth - 1);
  return fc.oneof(
    { weight: 4, arbitrary: basic },
    { weight: 1, arbitrary: fc.constant("v") },
    { weight: 2, arbitrary: inner.map((element) => `a${element}`) },
    {
      weight: 2,
      arbitrary: fc
        .array(inner, { minLength: 1, maxLength: 3 })
        .map((fields) => `(${fields.join("")})`),
    },
    { weight: 2, arbitrary: fc.tuple(basic, inner).map(([key, value]) => `a{${key}${value}}`) },
  );
}

export function signature(): fc.Arbitrary<string> {
  return fc.array(completeType(3), { maxLength: 4 }).map((types) => types.join(""));
}

const wellFormed = unicodeText({ maxLength: 12 }).map((text) => text.replaceAll("\0", "0"));
const longText = fc
  .tuple(wellFormed, fc.integer({ min: 500, max: 700 }))
  .map(([text, length]) => text + "x".repeat(length));
const pathElement = fc.stringMatching(/^[A-Za-z0-9_]{1,5}$/);
const path = fc.array(pathElement, { maxLength: 3 }).map((elements) => `/${elements.join("/")}`);

/** A value of `type`, in the shape that `unmarshal` gives it. */
export function valueOfType(type: Type, depth = 2): fc.Arbitrary<unknown> {
  switch (type.code) {
    case "y":
      return fc.integer({ min: 0, max: 0xff });
    case "b":
      return fc.boolean();
    case "n":
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case "q":
      return fc.integer({ min: 0, max: 0xffff });
    case "i":
      return fc.integer();
    case "u":
    case "h":
      return fc.integer({ min: 0, max: 0xffffffff });
    case "x":
      return fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
    case "t":
      return fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    case "d":
      return fc.double();
    case "s":
      return fc.oneof({ weight: 9, arbitrary: wellFormed }, { weight: 1, arbitrary: longText });
    case "o":
      return path;
    case "g":
      return signature();
    case "v":
      return completeType(depth).chain((inner) =>
        fc
          .tuple(...parseSignature(inner).map((only) => valueOfType(only, Math.max(depth - 1, 0))))
          .map(([value]) => new Variant(inner, value)),
      );
    case "a":
      return arrayOf(type.children[0] as Type, depth);
    case "(":
    case "{":
      return fc.tuple(...type.children.map((field) => valueOfType(field, depth)));
  }
}

function arrayOf(element: Type, depth: number): fc.Arbitrary<unknown> {
  if (element.code === "y") return fc.uint8Array({ maxLength: 9 });
  const elements = fc.array(valueOfType(element, depth), { maxLength: 4 });
  if (element.code !== "{") return elements;
  return elements.map((entries) => new Map(entries as [unknown, unknown][]));
}

export interface Body {
  readonly signature: string;
  readonly values: readonly unknown[];
  readonly isLittleEndian: boolean;
}

export function body(): fc.Arbitrary<Body> {
  return signature().chain((types) =>
    fc.record({
      signature: fc.constant(types),
      values: fc.tuple(...parseSignature(types).map((type) => valueOfType(type))),
      isLittleEndian: fc.boolean(),
    }),
  );
}
