/** Who may connect under the rules of a configuration. */

import { expect, test } from "@jest/globals";
import { mayConnect } from "../../compat/dbus-daemon/bus-options.ts";
import type { ConnectRule } from "../../compat/dbus-daemon/configuration.ts";

const rule = (text: string): ConnectRule => {
  const [verb, subject, id] = text.split(" ");
  if (subject !== "user" && subject !== "group") throw new Error(text);
  return { allows: verb === "allow", subject, id: id === "*" ? null : Number(id) };
};

test.each<[string, number, readonly number[] | null, boolean]>([
  ["", 1000, [1000], true],
  ["", 0, [0], false],
  ["allow user *", 7, null, true],
  ["deny user *", 1000, [1000], false],
  ["deny user *, allow user 7", 7, [7], true],
  ["deny user *, allow user 7", 8, [7], false],
  ["allow user *, deny user 7", 7, [7], false],
  ["allow group 5", 7, [4, 5], true],
  ["allow group 5", 7, [4], false],
  ["allow group 5", 7, null, false],
  ["allow user *, deny group 5", 7, [5], false],
  ["allow user *, deny group 5", 7, null, false],
  ["allow user *, deny group 5", 7, [4], true],
  ["allow group *", 7, null, true],
])("with %j, user %i in groups %j: %s", (rules, userId, groups, expected) => {
  const list = rules === "" ? [] : rules.split(", ").map(rule);
  // The bus of these tests is run by user 1000.
  expect(
    mayConnect(
      list,
      () => userId === 1000,
      userId,
      () => groups,
    ),
  ).toBe(expected);
});
