/** Values as text: what a shell, busctl and we make of them. */

import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseArguments } from "../../cli/arguments.ts";
import { parseJsonArguments } from "../../cli/json-arguments.ts";
import { formatJson } from "../../cli/print/json.ts";
import { formatBody } from "../../cli/print/value.ts";
import { bodyJson } from "../../cli/print/value-json.ts";
import { formatBodyLines } from "../../cli/print/value-lines.ts";
import { Variant } from "../../wire/variant.ts";
import { testWithProgram } from "../compat/programs.ts";
import { body } from "../wire/arbitrary.ts";

/** Descriptors become others on their way: not here. */
const printable = body().filter(
  ({ signature, values }) => !/h/.test(signature + JSON.stringify(values, bigintAsText)),
);

function bigintAsText(_key: string, value: unknown): unknown {
  if (value instanceof Map) return [...value];
  return typeof value === "bigint" ? String(value) : value;
}

test.each([
  ["as", [["a", "b"]], 'as 2 "a" "b"'],
  ["s", ["é ü 日本"], 's "é ü 日本"'],
  ["s", ["$HOME"], "s '$HOME'"],
  ["s", ["it's $5"], "s $'it\\'s $5'"],
  ["s", ["a\nb\u001b[2J\u202e"], "s $'a\\nb\\033[2J\\342\\200\\256'"],
  ["ay", [Uint8Array.of(1, 2)], "ay 2 1 2"],
  ["a{sv}", [new Map([["k", new Variant("u", 5)]])], 'a{sv} 1 "k" u 5'],
  ["(sb)x", [["a", true], -5n], '"(sb)x" "a" true -5'],
  ["d", [0.1], "d 0.1"],
  [
    "dddd",
    [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0],
    "dddd nan inf -inf -0",
  ],
  ["og", ["/a", ""], 'og "/a" ""'],
])("%s is printed as %j", (signature, values, text) => {
  expect(formatBody(signature, values)).toBe(text);
});

testWithProgram("bash", "what is printed is arguments again, by way of a shell", () => {
  const samples = fc.sample(printable, 200);
  const script = samples
    .map(
      ({ signature, values }) => `set -- ${formatBody(signature, values)}; printf '%s\\0' $# "$@"`,
    )
    .join("\n");
  // In the poorest locale: what is printed must not depend on it.
  const { stdout, stderr } = spawnSync("bash", ["--norc"], {
    input: script,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { LC_ALL: "C" },
  });
  expect(stderr).toBe("");
  const words = stdout.split("\0");
  for (const { signature, values } of samples) {
    const [first, ...rest] = words.splice(0, 1 + Number(words[0])).slice(1);
    expect(first).toBe(signature);
    expect(parseArguments(signature, rest).body).toEqual(values);
  }
});

test("what is printed as JSON is arguments again", () => {
  fc.assert(
    fc.property(printable, ({ signature, values }) => {
      const text = formatJson(bodyJson(signature, values), "short");
      // The text has the shape {"type":…,"data":[…]}.
      const data = text.slice(text.indexOf(',"data":') + 8, -2);
      expect(parseJsonArguments(signature, data).body).toEqual(values);
    }),
  );
});

test("a negative zero keeps its sign in JSON", () => {
  expect(formatJson(bodyJson("d", [-0]), "short")).toBe('{"type":"d","data":[-0.0]}\n');
  expect(parseJsonArguments("d", "[-0.0]").body).toEqual([-0]);
});

test("what fits is on one line, what does not is indented below its count", () => {
  const values = [
    "title",
    new Map<string, unknown>([
      ["Icon", new Variant("s", "face-smile")],
      ["Sizes", new Variant("au", [1, 2, 3])],
      ["Nested", new Variant("a{s(ib)}", new Map([["a long key indeed", [1, true]]]))],
    ]),
    [["x", 1]],
  ];
  expect(formatBodyLines("sa{sv}a(si)", values, 40)).toBe(`s "title"
a{sv} 3
  "Icon"  s "face-smile"
  "Sizes"  au 3 1 2 3
  "Nested"  "a{s(ib)}" 1
    "a long key indeed"  1 true
"a(si)" 1 "x" 1
`);
});
