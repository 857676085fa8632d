/** The grammar of signatures and its limits, as dbus-daemon draws them. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { isSignature, isSingleCompleteType, parseSignature } from "../../wire/signature.ts";
import { signature } from "./arbitrary.ts";

const VALID = [
  "",
  "y",
  "ybnqiuxtdsoghv",
  "as",
  "aaay",
  "a{sv}",
  "a{s(iu)}",
  "(y)",
  "(y(s)a{yv})",
  "a(a(a{oas}))",
  "y".repeat(255),
  `${"a".repeat(32)}y`,
  `${"(".repeat(32)}y${")".repeat(32)}`,
  `${"a{s".repeat(32)}y${"}".repeat(32)}`,
];

test.each(VALID)("%j is a signature", (text) => {
  expect(isSignature(text)).toBe(true);
});

test.each([
  ["an unknown code", "z"],
  ["the code of structs that never appears", "r"],
  ["the code of dict entries that never appears", "e"],
  ["a zero byte", "y\0y"],
  ["a character beyond ASCII", "yé"],
  ["an array of nothing", "a"],
  ["an array of nothing in a struct", "(a)"],
  ["an array of nothing in a dict entry", "a{sa}"],
  ["a struct of nothing", "()"],
  ["a struct that does not end", "(y"],
  ["a struct that does not start", "y)"],
  ["a dict entry outside of an array", "{sv}"],
  ["a dict entry in a struct", "({sv})"],
  ["a dict entry of nothing", "a{}"],
  ["a dict entry of one type", "a{s}"],
  ["a dict entry of three types", "a{sss}"],
  ["a dict entry that does not end", "a{sv"],
  ["a dict entry that does not start", "sv}"],
  ["a variant as key", "a{vs}"],
  ["an array as key", "a{ass}"],
  ["a struct as key", "a{(s)s}"],
  ["brackets that cross", "(sa{sv)}"],
  ["256 codes", "y".repeat(256)],
  ["33 arrays of arrays", `${"a".repeat(33)}y`],
  ["33 structs of structs", `${"(".repeat(33)}y${")".repeat(33)}`],
  ["33 dict entries in dict entries", `${"a{s".repeat(33)}y${"}".repeat(33)}`],
])("%s is no signature", (_what, text) => {
  expect(isSignature(text)).toBe(false);
  expect(isSingleCompleteType(text)).toBe(false);
  expect(() => parseSignature(text)).toThrow(TypeError);
});

test("arrays add up only directly within each other, as dbus-daemon counts them", () => {
  expect(isSignature(`${"a".repeat(32)}(${"a".repeat(32)}y)`)).toBe(true);
  expect(isSignature(`${"a(".repeat(32)}ay${")".repeat(32)}`)).toBe(true);
});

test("one complete type is exactly one", () => {
  expect(isSingleCompleteType("a{sv}")).toBe(true);
  expect(isSingleCompleteType("(ii)")).toBe(true);
  expect(isSingleCompleteType("")).toBe(false);
  expect(isSingleCompleteType("ii")).toBe(false);
});

test("a signature parses into its types", () => {
  const [first, second] = parseSignature("a{s(iu)}g");
  expect(second).toEqual({ code: "g", signature: "g", children: [] });
  expect(first?.code).toBe("a");
  expect(first?.signature).toBe("a{s(iu)}");
  const entry = first?.children[0];
  expect(entry?.code).toBe("{");
  expect(entry?.children.map((type) => type.signature)).toEqual(["s", "(iu)"]);
});

test("a parsed signature is remembered, and forgetting many changes nothing", () => {
  expect(parseSignature("a{sv}")).toBe(parseSignature("a{sv}"));
  for (let i = 0; i < 3000; i++)
    parseSignature(i.toString(2).replaceAll("0", "y").replaceAll("1", "s"));
  expect(parseSignature("a{sv}").map((type) => type.signature)).toEqual(["a{sv}"]);
});

test("an error says which character is wrong", () => {
  expect(() => parseSignature("sa{vs}")).toThrow("wrong at character 3");
});

test("the parsed types spell the signature again", () => {
  fc.assert(
    fc.property(signature(), (text) => {
      fc.pre(text.length <= 255);
      expect(isSignature(text)).toBe(true);
      expect(
        parseSignature(text)
          .map((type) => type.signature)
          .join(""),
      ).toBe(text);
    }),
  );
});

test("a random string of codes is a signature exactly if a naive grammar says so", () => {
  const codes = fc.array(fc.constantFrom(..."yssvvaa((){{}}}"), { maxLength: 10 });
  fc.assert(
    fc.property(codes, (characters) => {
      const text = characters.join("");
      expect(isSignature(text)).toBe(isNaively(text));
    }),
    { numRuns: 5000 },
  );
});

/** Reduces types from the inside out until nothing but basic types is left. */
function isNaively(text: string): boolean {
  let rest = text;
  let before: string;
  do {
    before = rest;
    // B is a basic type, C one that cannot be a key.
    rest = rest
      .replace(/[ys]/g, "B")
      .replace(/v/g, "C")
      .replace(/a\{B[BC]\}/g, "C")
      .replace(/\([BC]+\)/g, "C")
      .replace(/a[BC]/g, "C");
  } while (rest !== before);
  return /^[BC]*$/.test(rest);
}
