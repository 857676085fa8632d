/** How log entries look. */

import { expect, test } from "@jest/globals";
import type { LogEntry } from "../../bus/index.ts";
import { paintFor } from "../../cli/print/colour.ts";
import { formatLogJson, formatLogLine } from "../../cli/print/log-line.ts";

const plain = paintFor({ isTTY: false }, {});
const noon = new Date(2026, 0, 2, 12, 3, 4, 56);
const entry: LogEntry = {
  level: "warning",
  text: "two\nlines",
  fields: { name: "com.example", count: 3, why: 'it "is" so', empty: "" },
};

test("for people: time, level, text and fields on one line", () => {
  expect(formatLogLine(entry, noon, plain)).toBe(
    '12:03:04.056 warning two lines name=com.example count=3 why="it \\"is\\" so" empty=""',
  );
});

test("for machines: one object in which a field cannot hide the text", () => {
  const line = formatLogJson({ ...entry, fields: { text: "other", count: 3 } }, noon);
  expect(JSON.parse(line)).toEqual({
    time: noon.toISOString(),
    level: "warning",
    text: "two\nlines",
    count: 3,
  });
});

test("colour only on terminals, and not with NO_COLOR", () => {
  expect(paintFor({ isTTY: true }, {})("x", "red")).toBe("\u001b[31mx\u001b[39m");
  expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })("x", "red")).toBe("x");
  expect(paintFor({ isTTY: true }, { NO_COLOR: "" })("x", "red")).not.toBe("x");
  expect(plain("x", "red")).toBe("x");
});
