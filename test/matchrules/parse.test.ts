import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalText } from "../../matchrules/canonical.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import type { MatchRule } from "../../matchrules/rule.ts";
import { unicodeText } from "../support/unicode-text.ts";
import { awkwardText, rules } from "./arbitraries.ts";
import { parseCases } from "./match-edges.ts";

for (const [name, cases] of Object.entries(parseCases)) {
  test.each(cases)(`${name}: %j`, (text, verdict) => {
    const result = parseMatchRule(text);
    if ("code" in result) {
      expect({ error: result.text }).toEqual(verdict);
      expect(result.code).toBe(
        /maximum is 1024$/.test(result.text) ? "LimitsExceeded" : "MatchRuleInvalid",
      );
    } else {
      expect({ rule: canonicalText(result) }).toEqual(verdict);
    }
  });
}

test("a rule has null where a key is not given, and cannot be changed", () => {
  const rule = parseMatchRule("member='M',arg2path='/a/',arg0namespace='a'");
  expect(rule).toEqual({
    type: 0,
    sender: null,
    interface: null,
    member: "M",
    path: null,
    pathNamespace: null,
    destination: null,
    args: [
      { index: 0, kind: "namespace", value: "a" },
      { index: 2, kind: "path", value: "/a/" },
    ],
    eavesdrop: false,
  });
  expect(Object.isFrozen(rule)).toBe(true);
  expect("args" in rule && Object.isFrozen(rule.args)).toBe(true);
});

test.each([
  ["type='signal',foo='x'", 15],
  ["type='signal', foo='x'", 16],
  ["type='signal',member='1'", 22],
  ["type='signal',member", 21],
  ["type='signal',member='A", 22],
  ["path='/a',path='/a'", 11],
])("the error of %j points at column %i", (text, column) => {
  expect(parseMatchRule(text)).toMatchObject({ column });
});

test("the canonical text of a rule parses to the rule", () => {
  fc.assert(
    fc.property(rules, (rule: MatchRule) => {
      const text = canonicalText(rule);
      const parsed = parseMatchRule(text);
      expect(parsed).toEqual(rule);
      expect(canonicalText(rule)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

test("a canonical text that is longer than its rule's text can be parsed all the same", () => {
  const rule = parseMatchRule(`arg0=${"y".repeat(1019)}`);
  if ("code" in rule) throw new Error(rule.text);
  const text = canonicalText(rule);
  expect(parseMatchRule(text)).toMatchObject({ code: "LimitsExceeded" });
  expect(parseMatchRule(text, text.length)).toEqual(rule);
});

test("the parser never throws, and errors point into the text or right behind it", () => {
  const texts = fc.oneof(awkwardText, unicodeText(), fc.string());
  fc.assert(
    fc.property(texts, (text) => {
      const result = parseMatchRule(text);
      if (!("code" in result)) return;
      expect(result.column).toBeGreaterThanOrEqual(1);
      expect(result.column).toBeLessThanOrEqual(text.length + 1);
    }),
    { numRuns: 5000 },
  );
});
