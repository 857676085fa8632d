/** Which words are onehop's own. */

import { expect, test } from "@jest/globals";
import { splitCommandLine } from "../../cli/command-line.ts";

test.each([
  ["", "", ""],
  ["list --system", "list --system", ""],
  ["call a b c -- -1", "call a b c", "-1"],
  ["call -- -- -1", "call", "-- -1"],
  ["run", "run", ""],
  ["run --", "run", ""],
  ["run -- a -- b", "run", "a -- b"],
  ["run a -- b", "run", "a -- b"],
  ["run --json a --json", "run --json", "a --json"],
  ["run --config-file f a", "run --config-file f", "a"],
  ["run --config-file=f a", "run --config-file=f", "a"],
  ["run --dbus-daemon -- a b", "run --dbus-daemon -- ", "a b"],
  ["run --dbus-daemon", "run --dbus-daemon", ""],
])("%j: ours %j, theirs %j", (line, ours, theirs) => {
  const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");
  expect(splitCommandLine(words(line))).toEqual({ ours: words(ours), theirs: words(theirs) });
});
