/** Who may connect under the rules of a policy. */

import { expect, test } from "@jest/globals";
import { CompiledPolicy } from "../../../bus/policy/compile.ts";
import type { ConnectRule } from "../../../bus/policy/rules.ts";
import { Strings } from "../../../wire/intern.ts";

const OWNER = 1000;
const origin = { file: "a.conf", line: 1, element: "<allow>" };

function rule(text: string): ConnectRule {
  const [kind, verb, who, id] = text.split(" ");
  if (kind !== "default" && kind !== "mandatory") throw new Error(text);
  if (who !== "user" && who !== "group") throw new Error(text);
  return {
    subject: "connect",
    context: { kind },
    allows: verb === "allow",
    who,
    id: id === "*" ? null : Number(id),
    origin,
  };
}

function mayConnect(rules: string, userId: number, groups: readonly number[] | null): boolean {
  const accounts = {
    isKnown: () => groups !== null,
    groupsOf: () => groups ?? [],
    isAtConsole: () => false,
  };
  const list = rules === "" ? [] : rules.split(", ").map(rule);
  const policy = new CompiledPolicy({ rules: list, accounts }, new Strings());
  return policy.mayConnect(userId, userId === OWNER).isAllowed;
}

test.each<[string, number, readonly number[] | null, boolean]>([
  ["", OWNER, [1000], true],
  ["", 0, [0], false],
  ["default allow user *", 7, [7], true],
  ["default deny user *", OWNER, [1000], false],
  ["default deny user *, default allow user 7", 7, [7], true],
  ["default deny user *, default allow user 7", 8, [7], false],
  ["default allow user *, default deny user 7", 7, [7], false],
  ["default allow group 5", 7, [4, 5], true],
  ["default allow group 5", 7, [4], false],
  ["default allow user *, default deny group 5", 7, [5], false],
  ["default allow user *, default deny group 5", 7, [4], true],
  ["default allow group *", 7, [], true],
  ["mandatory deny user 7, default allow user *", 7, [7], false],
  ["mandatory deny user 7, default allow user *", 8, [7], true],
])("with %j, user %i in groups %j: %s", (rules, userId, groups, expected) => {
  expect(mayConnect(rules, userId, groups)).toBe(expected);
});

test("whom the user database does not know may not connect, whatever the rules say", () => {
  expect(mayConnect("default allow user *", 7, null)).toBe(false);
});

test("the user that runs the bus may, even if the user database does not know it", () => {
  expect(mayConnect("default allow user *", OWNER, null)).toBe(true);
  expect(mayConnect("default deny user *", OWNER, null)).toBe(false);
});

test("a refusal says which rule decided", () => {
  const policy = new CompiledPolicy(
    { rules: [rule("default allow user *"), rule("mandatory deny user 7")] },
    new Strings(),
  );
  const { isAllowed, decidedBy, fitting } = policy.mayConnect(7, false);
  expect(isAllowed).toBe(false);
  expect(decidedBy?.context).toEqual({ kind: "mandatory" });
  expect(fitting).toHaveLength(2);
});
