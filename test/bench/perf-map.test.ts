/** Names of generated code. */

import { expect, test } from "@jest/globals";
import { withoutStaleNames } from "../../bench/perf-map.ts";

test("of names for one piece of memory the last one counts, wherever it begins", () => {
  const lines = ["1000 100 a", "2000 100 old", "20f0 20 behind", "2110 10 b", "2080 80 new"];
  expect(withoutStaleNames(lines.join("\n"))).toBe("1000 100 a\n2080 80 new\n2110 10 b\n");
  expect(withoutStaleNames("2000 10 old\n1000 2000 around\n")).toBe("1000 2000 around\n");
  expect(withoutStaleNames("2000 10 f\n2000 10 f\n")).toBe("2000 10 f\n");
});

test("lines that are not understood are left out", () => {
  expect(withoutStaleNames("\nx 10 f\n7f000000000a 1f JS:*a b c\n10")).toBe(
    "7f000000000a 1f JS:*a b c\n",
  );
});
