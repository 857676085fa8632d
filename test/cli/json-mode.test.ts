/** Which JSON `--json` means. */

import { expect, test } from "@jest/globals";
import { jsonModeOf, withJsonValues } from "../../cli/json-mode.ts";

test.each([
  ["off", "off", "off"],
  ["short", "short", "short"],
  ["pretty", "pretty", "pretty"],
  ["true", "pretty", "short"],
  ["", "pretty", "short"],
])("--json=%s on a terminal is %s, elsewhere %s", (value, onTerminal, elsewhere) => {
  expect(jsonModeOf(value, true)).toBe(onTerminal);
  expect(jsonModeOf(value, false)).toBe(elsewhere);
});

test("another mode is refused, with those that there are", () => {
  expect(() => jsonModeOf("long", true)).toThrow("--json=long: expected short, pretty or off");
});

test("the word behind --json is not its value", () => {
  expect(withJsonValues(["list", "--json", "org.example.A", "-j", "--json=short"])).toEqual([
    "list",
    "--json=true",
    "org.example.A",
    "--json=true",
    "--json=short",
  ]);
});
