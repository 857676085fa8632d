import { expect, test } from "@jest/globals";
import { EMPTY_MESSAGE, matches } from "../../matchrules/match.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { deliveryCases, describeEmission, expand } from "./match-edges.ts";

test.each(deliveryCases)("delivery of %j, %j", (texts, emission, isMatch) => {
  const message = describeEmission(emission);
  expect(texts.some((text) => isMatchFor(expand(text), message))).toBe(isMatch);
});

test.each([
  ["type='error'", { type: 3 }, true],
  ["type='error'", { type: 4 }, false],
  ["interface='a.b'", { interface: null }, false],
  ["path_namespace='/'", { path: null }, false],
  ["sender='org.freedesktop.DBus'", {}, true],
  ["sender=':1.7'", { sender: ":1.7" }, true],
  ["arg1='x'", { args: [{ kind: "other" }, { kind: "string", value: "x" }] }, true],
  ["arg0='x'", { args: [{ kind: "other" }, { kind: "string", value: "x" }] }, false],
] as const)("%s and %j", (text, part, isMatch) => {
  expect(isMatchFor(text, { ...EMPTY_MESSAGE, ...part })).toBe(isMatch);
});

function isMatchFor(text: string, message: typeof EMPTY_MESSAGE): boolean {
  const rule = parseMatchRule(text);
  if ("code" in rule) throw new Error(rule.text);
  return matches(rule, message);
}
