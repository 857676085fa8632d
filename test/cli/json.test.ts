/** JSON as text. */

import { expect, test } from "@jest/globals";
import { formatJson } from "../../cli/print/json.ts";

test("short JSON is one line, pretty JSON is indented", () => {
  expect(formatJson({ a: [1] }, "short")).toBe('{"a":[1]}\n');
  expect(formatJson({ a: [1] }, "pretty")).toBe('{\n\t"a": [\n\t\t1\n\t]\n}\n');
});

test("64-bit integers are numbers with all their digits", () => {
  expect(formatJson([18446744073709551615n], "short")).toBe("[18446744073709551615]\n");
});
