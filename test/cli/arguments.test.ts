/** Typed arguments as words and as JSON: what fits, and what is said of what does not. */

import { expect, test } from "@jest/globals";
import { parseArguments } from "../../cli/arguments.ts";
import type { CommandProblem } from "../../cli/command-problem.ts";
import { parseJsonArguments } from "../../cli/json-arguments.ts";
import { Variant } from "../../wire/variant.ts";

function bodyOf(signature: string, ...words: string[]): readonly unknown[] {
  return parseArguments(signature, words).body;
}

function problemOf(run: () => unknown): { message: string; hint: string | null; status: number } {
  try {
    run();
  } catch (error) {
    const { message, hint, status } = error as CommandProblem;
    return { message, hint, status };
  }
  throw new Error("it was accepted");
}

test.each([
  ["y", "0xff", 255],
  ["y", "010", 8],
  ["n", "-0x10", -16],
  ["q", "+7", 7],
  ["i", "-2147483648", -2147483648],
  ["u", "0b101", 5],
  ["u", "0o17", 15],
  ["u", " 5", 5],
  ["u", "0", 0],
  ["x", "-9223372036854775808", -(1n << 63n)],
  ["t", "18446744073709551615", (1n << 64n) - 1n],
  ["d", "1e300", 1e300],
  ["d", "-.5", -0.5],
  ["d", "5.", 5],
  ["d", "0x1.8p1", 3],
  ["d", "inf", Number.POSITIVE_INFINITY],
  ["d", "-Infinity", Number.NEGATIVE_INFINITY],
  ["d", "nan", Number.NaN],
  ["s", "", ""],
  ["s", "-x", "-x"],
  ["o", "/", "/"],
  ["g", "", ""],
])("a word for %s: %j is %p", (signature, word, value) => {
  expect(bodyOf(signature, word)).toEqual([value]);
});

test.each(["1", "yes", "Y", "true", "T", "on"])("%j is true", (word) => {
  expect(bodyOf("b", word)).toEqual([true]);
});

test.each(["0", "no", "N", "FALSE", "f", "off"])("%j is false", (word) => {
  expect(bodyOf("b", word)).toEqual([false]);
});

test("containers are counts, signatures and fields in a row", () => {
  expect(bodyOf("as", "2", "a", "b")).toEqual([["a", "b"]]);
  expect(bodyOf("ay", "2", "1", "0x2")).toEqual([Uint8Array.of(1, 2)]);
  expect(bodyOf("a{sv}", "1", "k", "a(ib)", "1", "5", "yes")).toEqual([
    new Map([["k", new Variant("a(ib)", [[5, true]])]]),
  ]);
  expect(bodyOf("(s(ii))u", "a", "1", "2", "3")).toEqual([["a", [1, 2]], 3]);
  expect(bodyOf("aas", "0")).toEqual([[]]);
  expect(bodyOf("")).toEqual([]);
});

test("descriptors are collected, and their values are indexes", () => {
  expect(parseArguments("hs", ["2", "x"])).toEqual({
    signature: "hs",
    body: [0, "x"],
    descriptors: [2],
  });
  expect(parseArguments("ah", ["3", "2", "1", "2"])).toMatchObject({
    body: [[0, 1, 2]],
    descriptors: [2, 1, 2],
  });
});

test.each([
  ["u", "abc", "a whole number from 0 to 4294967295, for example 42"],
  ["u", "-1", "a whole number from 0 to 4294967295, for example 42"],
  ["u", "08", "a whole number from 0 to 4294967295, for example 42"],
  ["y", "256", "a whole number from 0 to 255, for example 42"],
  ["n", "32768", "a whole number from -32768 to 32767, for example -42"],
  ["t", "18446744073709551616", "a whole number from 0 to 18446744073709551615, for example 42"],
  ["b", "maybe", "true or false, for example true"],
  ["d", "5,5", "a number, for example 1.5"],
  ["o", "x", "an object path, for example /org/example/Object"],
  ["g", "a{", 'a signature, for example "a{sv}"'],
  ["h", "999", "the number of an open file descriptor, for example 0"],
  ["h", "x", "the number of an open file descriptor, for example 0"],
])("of type %s %j is refused", (signature, word, expected) => {
  const { message, status } = problemOf(() => parseArguments(signature, [word]));
  expect(message).toBe(`argument 1 ("${word}") of type ${signature}: expected ${expected}`);
  expect(status).toBe(2);
});

test.each([
  [
    "su",
    ["a", "x"],
    'argument 2 ("x") of type u: expected a whole number from 0 to 4294967295, for example 42',
    'arguments of signature "su" are for example: "some text" 42',
  ],
  [
    "su",
    ["a"],
    'too few arguments for signature "su": argument 2, of type u, is missing: expected a whole number from 0 to 4294967295, for example 42',
    'arguments of signature "su" are for example: "some text" 42',
  ],
  [
    "s",
    ["a", "b"],
    '2 arguments are too many: signature "s" ends after argument 1, and "b" follows',
    'arguments of signature "s" are for example: "some text"',
  ],
  [
    "as",
    ["3", "a"],
    'argument 1 ("3") of type as: expected the number of elements, and then they themselves, for example 1 "some text"; 1 word follows',
    null,
  ],
  [
    "as",
    ["a", "b"],
    'argument 1 ("a") of type as: expected the number of elements, and then they themselves, for example 1 "some text"',
    null,
  ],
  [
    "a{sv}",
    ["1", "k", "w"],
    'argument 3 ("w") of type v: expected the signature of one type, and then its value, for example u 42',
    'arguments of signature "a{sv}" are for example: 1 "some text" u 42',
  ],
  [
    "v",
    ["ss", "a", "b"],
    'argument 1 ("ss") of type v: expected the signature of one type, and then its value, for example u 42',
    null,
  ],
])("signature %s with %j says what is wrong", (signature, words, message, hint) => {
  expect(problemOf(() => parseArguments(signature, words))).toEqual({ message, hint, status: 2 });
});

test.each([
  ["a{", '"a{" is not a valid signature: it ends too early'],
  ["sz", '"sz" is not a valid signature: it is wrong at character 2, "z"'],
  ["{sv}", '"{sv}" is not a valid signature: it is wrong at character 1, "{"'],
  ["a{vs}", '"a{vs}" is not a valid signature: it is wrong at character 3, "v"'],
  ["()", '"()" is not a valid signature: it is wrong at character 2, ")"'],
])("signature %s is refused with the place", (signature, message) => {
  expect(problemOf(() => parseArguments(signature, []))).toMatchObject({ message, status: 2 });
  expect(problemOf(() => parseJsonArguments(signature, "[]"))).toMatchObject({ message });
});

test("JSON: arrays, objects and variants with their types or without", () => {
  const text =
    '["a", [1, 2], {"k": {"type": "as", "data": ["x"]}, "n": 5, "f": 1.5, "b": true, "s": "t", "l": 4294967296}, ["p", 18446744073709551615]]';
  expect(parseJsonArguments("saya{sv}(st)", text).body).toEqual([
    "a",
    Uint8Array.of(1, 2),
    new Map([
      ["k", new Variant<unknown>("as", ["x"])],
      ["n", new Variant("i", 5)],
      ["f", new Variant("d", 1.5)],
      ["b", new Variant("b", true)],
      ["s", new Variant("s", "t")],
      ["l", new Variant("x", 4294967296n)],
    ]),
    ["p", 18446744073709551615n],
  ]);
});

test("JSON: numbers may be texts, keys are", () => {
  expect(
    parseJsonArguments("uda{ub}a{bs}", '["0x10", "inf", {"1": true}, {"true": "x"}]').body,
  ).toEqual([16, Number.POSITIVE_INFINITY, new Map([[1, true]]), new Map([[true, "x"]])]);
});

test.each([
  [
    "u",
    '["x"]',
    '--args, argument 1 ("x") of type u: expected a whole number from 0 to 4294967295, for example 42',
  ],
  [
    "u",
    "[1.5]",
    "--args, argument 1 (1.5) of type u: expected a whole number from 0 to 4294967295, for example 42",
  ],
  ["s", "[5]", '--args, argument 1 (5) of type s: expected a text, for example "some text"'],
  [
    "b",
    '["yes"]',
    '--args, argument 1 ("yes") of type b: expected true or false, for example true',
  ],
  [
    "sas",
    '["a", ["b", null]]',
    '--args, argument 2[1] (null) of type s: expected a text, for example "some text"',
  ],
  [
    "a{sv}",
    '[{"k": []}]',
    '--args, argument 1["k"] ([]) of type v: expected the type and the value, for example {"type":"u","data":42}',
  ],
  [
    "a{sv}",
    '[{"k": {"type": "ss", "data": 1}}]',
    '--args, the type of argument 1["k"] ("ss") of type v: expected the signature of one type, for example {"type":"u","data":42}',
  ],
  [
    "a{us}",
    '[{"k": "x"}]',
    '--args, the key of argument 1["k"] ("k") of type u: expected a whole number from 0 to 4294967295, for example 42',
  ],
  [
    "(su)",
    "[[1]]",
    '--args, argument 1 ([1]) of type (su): expected an array of 2 values, for example ["some text",42]',
  ],
  [
    "a{sv}",
    "[[]]",
    '--args, argument 1 ([]) of type a{sv}: expected an object, for example {"some text":{"type":"u","data":42}}',
  ],
  ["su", "[1]", '--args: signature "su" takes 2 arguments, not 1: for example ["some text",42]'],
  ["s", '"x"', '--args: expected a JSON array with the arguments, for example ["some text"]'],
])("JSON for %s: %s is refused", (signature, text, message) => {
  expect(problemOf(() => parseJsonArguments(signature, text))).toMatchObject({
    message,
    status: 2,
  });
});

test("malformed JSON is told with its place", () => {
  expect(problemOf(() => parseJsonArguments("s", '["a",}')).message).toMatch(
    /^--args: malformed JSON: .*position 5/,
  );
  expect(problemOf(() => parseJsonArguments("s", "[")).message).toMatch(
    /^--args: malformed JSON: .*end/,
  );
});
