/** Lengths of time on the command line. */

import { expect, test } from "@jest/globals";
import { parseTimeSpan } from "../../cli/time-span.ts";

test.each([
  ["5", 5_000],
  ["0.5", 500],
  ["500ms", 500],
  ["2s", 2_000],
  ["3 sec", 3_000],
  ["2min", 120_000],
  ["1h", 3_600_000],
  ["1min 30s", 90_000],
  ["infinity", Number.POSITIVE_INFINITY],
])("%s is %d ms", (text, milliseconds) => {
  expect(parseTimeSpan(text)).toBe(milliseconds);
});

test.each(["", "0", "-1", "abc", "5 fortnights", "1e3", "5s!", "5.5.5", "1m2x", "∞"])(
  "%j is refused, with what would do",
  (text) => {
    expect(() => parseTimeSpan(text)).toThrow(
      `${JSON.stringify(text)} is no length of time: expected such as 5, 0.5, 500ms, 2min or infinity`,
    );
  },
);
