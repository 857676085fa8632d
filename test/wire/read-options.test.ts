/** The forms of values: what options change, beside the exact form converted naively. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { marshal } from "../../wire/marshal.ts";
import { NATURAL_VALUES, type ReadOptions } from "../../wire/read-options.ts";
import { parseSignature, type Type } from "../../wire/signature.ts";
import { unmarshal } from "../../wire/unmarshal.ts";
import { Variant } from "../../wire/variant.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import { body } from "./arbitrary.ts";

const someOptions: fc.Arbitrary<ReadOptions> = fc.record({
  integers64: fc.constantFrom("bigint", "number"),
  dictionaries: fc.constantFrom("map", "object"),
  variants: fc.constantFrom("keep", "unwrap"),
  bytes: fc.constantFrom("copy", "view"),
});

/** The oracle: an exact value in the form that `options` ask for. */
function converted(type: Type, value: unknown, options: ReadOptions): unknown {
  if (type.code === "x" || type.code === "t") {
    if (options.integers64 !== "number") return value;
    if (!Number.isSafeInteger(Number(value))) throw new RangeError();
    return Number(value);
  }
  if (value instanceof Variant) {
    const content = converted(parseSignature(value.signature)[0] as Type, value.value, options);
    return options.variants === "unwrap" ? content : new Variant(value.signature, content);
  }
  if (value instanceof Map) {
    const [key, item] = (type.children[0] as Type).children as [Type, Type];
    const pairs = Array.from(value, ([name, inner]) => [
      converted(key, name, options),
      converted(item, inner, options),
    ]);
    const isObject = options.dictionaries === "object" && "sog".includes(key.code);
    return isObject ? Object.fromEntries(pairs) : new Map(pairs as [unknown, unknown][]);
  }
  if (!Array.isArray(value)) return value;
  return value.map((item, index) =>
    converted(type.children[type.code === "a" ? 0 : index] as Type, item, options),
  );
}

function outcomeOf(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) return "RangeError";
    if (error instanceof ProtocolViolation) return `${error.code} at ${error.byteOffset}`;
    throw error;
  }
}

test("every set of options gives the exact form, converted", () => {
  fc.assert(
    fc.property(body(), someOptions, ({ signature, values, isLittleEndian }, options) => {
      const bytes = marshal(signature, values, isLittleEndian);
      const types = parseSignature(signature);
      expect(outcomeOf(() => unmarshal(signature, bytes, isLittleEndian, 0, options))).toEqual(
        outcomeOf(() => values.map((value, i) => converted(types[i] as Type, value, options))),
      );
    }),
    { numRuns: 1000 },
  );
});

test("all but unwrapped variants can be marshalled again, to the same values", () => {
  fc.assert(
    fc.property(body(), ({ signature, values }) => {
      const options: ReadOptions = { ...NATURAL_VALUES, variants: "keep" };
      const read = unmarshal(signature, marshal(signature, values), true, 0, options);
      const again = unmarshal(signature, marshal(signature, read), true, 0, options);
      expect(again).toEqual(read);
    }),
    { numRuns: 500 },
  );
});

test("of changed bytes, every form finds the same violation at the same offset", () => {
  fc.assert(
    fc.property(body(), fc.nat(), fc.nat(255), ({ signature, values }, at, byte) => {
      const bytes = marshal(signature, values);
      fc.pre(bytes.length > 0);
      bytes[at % bytes.length] = byte;
      const exact = outcomeOf(() => unmarshal(signature, bytes, true, 16));
      const natural = outcomeOf(() => unmarshal(signature, bytes, true, 16, NATURAL_VALUES));
      if (typeof exact === "string") expect(natural).toBe(exact);
      else expect(typeof natural).toBe("object");
    }),
    { numRuns: 1000 },
  );
});

test("__proto__ is a key like all others, and nothing is inherited", () => {
  const bytes = marshal("a{sv}", [new Map([["__proto__", new Variant("a{sv}", { x: true })]])]);
  const [dictionary] = unmarshal("a{sv}", bytes, true, 0, NATURAL_VALUES) as [object];
  expect(Object.getPrototypeOf(dictionary)).toBeNull();
  expect(Object.keys(dictionary)).toEqual(["__proto__"]);
  expect("x" in dictionary || "constructor" in dictionary).toBe(false);
});

test("a view shows the bytes that were read", () => {
  const bytes = marshal("ay", [[1, 2]]);
  const [view] = unmarshal("ay", bytes, true, 0, { bytes: "view" });
  bytes[4] = 7;
  expect(view).toStrictEqual(Uint8Array.of(7, 2));
});

test("an integer that a number would round is refused", () => {
  const bytes = marshal("t", [2n ** 53n]);
  expect(() => unmarshal("t", bytes, true, 0, { integers64: "number" })).toThrow(
    new RangeError("the t 9007199254740992 is not a safe integer: read it as a bigint"),
  );
});
