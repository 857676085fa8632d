/** How `Exec=` becomes words. What dbus-daemon makes of the same lines is in the conformance suite. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseCommandLine } from "../../../bus/activation/command-line.ts";

test.each([
  ["/bin/x", ["/bin/x"]],
  ["  a \t b", ["a", "b"]],
  ["a ", ["a", ""]],
  ["a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]],
  ["a '' \"\" b''c", ["a", "", "", "bc"]],
  ['a "\\$\\`\\"\\\\\\n\\\n"', ["a", '$`"\\\\n\n']],
  ["a '\\n\"'", ["a", '\\n"']],
  ["a\\\nb", ["ab"]],
  ["a\nb\n", ["a", "b", ""]],
  ["a #b c\nd", ["a", "d"]],
  ["a#b\nd", ["ad"]],
  ["a \\#b $HOME * ~", ["a", "#b", "$HOME", "*", "~"]],
  ["", [""]],
])("%j is %j", (line, words) => {
  expect(parseCommandLine(line)).toEqual(words);
});

test.each(["a 'b", 'a "b', 'a "b\\"', "a \\", "a #"])("%j is not closed", (line) => {
  expect(parseCommandLine(line)).toEqual({ problem: "Unclosed quotes in command line" });
});

test("words that a shell would be given in single quotes come out as they are", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
      const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
      expect(parseCommandLine(line)).toEqual(words);
    }),
  );
});
