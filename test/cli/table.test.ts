/** Tables on terminals. */

import { expect, test } from "@jest/globals";
import { paintFor } from "../../cli/print/colour.ts";
import { formatTable, oneLine } from "../../cli/print/table.ts";

const plain = paintFor({ isTTY: false }, {});
const colourful = paintFor({ isTTY: true }, {});

test("columns are as wide as their widest cell, and nothing trails", () => {
  const rows = [
    ["a", "1", "x"],
    ["long name", "", ""],
    ["b", "22", "the last"],
  ];
  expect(formatTable(["KEY", "N", "WHY"], rows, plain)).toBe(
    ["KEY        N   WHY", "a          1   x", "long name", "b          22  the last", ""].join(
      "\n",
    ),
  );
});

test("colours and wide characters do not move columns", () => {
  const rows = [
    [colourful("red", "red"), "1"],
    ["日本", "2"],
    ["é", "3"],
  ];
  const lines = formatTable(["K", "V"], rows, colourful).split("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
  expect(lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, ""))).toEqual([
    ...["K     V", "red   1", "日本  2", "é     3", ""],
  ]);
});

test("a table without rows has its titles", () => {
  expect(formatTable(["A", "B"], [], plain)).toBe("A  B\n");
});

test("what a peer wrote stays on its line and cannot command the terminal", () => {
  expect(oneLine("a\nb\tc\u001b[2Jd\u202e\ud800")).toBe("a\\nb\\tc\\u{1b}[2Jd\\u{202e}\\u{d800}");
  expect(oneLine("x".repeat(50), 10)).toBe(`${"x".repeat(9)}…`);
  expect(oneLine("x".repeat(10), 10)).toBe("x".repeat(10));
  expect(oneLine("\u0001".repeat(10), 10)).toBe("\\u{1}\\u{1…");
});
