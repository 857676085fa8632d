/** Target: the text of a match rule. */

import { isDeepStrictEqual } from "node:util";
import { canonicalText } from "../../../matchrules/canonical.ts";
import { parseMatchRule } from "../../../matchrules/parse.ts";
import type { MatchRule, MatchRuleError } from "../../../matchrules/rule.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import type { Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { RULE_WORDS, randomRule } from "./rule-words.ts";

const MAXIMUM_BYTES = 1400;
/** A key that may be there twice, and changes nothing if another one follows. */
const HARMLESS = "eavesdrop='false',";
/** dbus-daemon reads so many keys; a harmless one in front takes the place of the last. */
const MOST_KEYS = 16;

export function ruleTarget(): Target {
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 20_000, perByte: 400 },
    mutate,
    run: (input) => run(Buffer.from(input).toString("utf8")),
  };
}

function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const from = random.below(8) === 0 ? Buffer.from(randomRule(random), "latin1") : input;
  return mutateBytes(from, other, random, RULE_WORDS, MAXIMUM_BYTES);
}

function run(text: string): void {
  const parsed = parseMatchRule(text);
  if ("code" in parsed) mustPointAtIt(text, parsed);
  else mustComeBack(parsed);
  mustNotDependOnPlace(text, parsed);
}

/** The canonical text says the same, and is its own. */
function mustComeBack(rule: MatchRule): void {
  const canonical = canonicalText(rule);
  const again = parseMatchRule(canonical, Number.POSITIVE_INFINITY);
  must(isDeepStrictEqual(again, rule), `${canonical} is another rule: ${JSON.stringify(again)}`);
  if ("code" in again) return;
  must(canonicalText(again) === canonical, `${canonical} is not the canonical text of itself`);
}

/**
 * The column is that of a key, with a whole rule before it; or that of a value, with `=` before it; or where `=`
 * should be and is not.
 */
function mustPointAtIt(text: string, { code, column, text: words }: MatchRuleError): void {
  must(words !== "", "an error says nothing");
  must(column >= 1 && column <= text.length + 1, `column ${column} of ${text.length}`);
  if (code === "LimitsExceeded") return;
  const before = text.slice(0, column - 1);
  if (before.endsWith("=")) return;
  const rest = parseMatchRule(before);
  if (!("code" in rest)) {
    must(!/[ \t\n\r]/.test(text[column - 1] ?? "x"), `"${words}" points at no key`);
    must(/[, \t\n\r]$/.test(before) || before === "", `"${words}" points into a key: ${before}`);
    return;
  }
  must(
    rest.text === words && rest.column === column && text[column - 1] !== "=",
    `"${words}" is said to be at column ${column}, but before that there is "${rest.text}"`,
  );
}

/** A key in front that changes nothing moves the column, and nothing else. */
function mustNotDependOnPlace(text: string, parsed: MatchRule | MatchRuleError): void {
  if ((text.match(/=/g) ?? []).length >= MOST_KEYS - 1 || /eavesdrop/.test(text)) return;
  const moved = parseMatchRule(HARMLESS + text);
  if ("code" in moved && moved.code === "LimitsExceeded") return;
  if (!("code" in moved) || !("code" in parsed)) {
    must(isDeepStrictEqual(moved, parsed), `moved, it is ${JSON.stringify(moved)}`);
    return;
  }
  const { column } = moved;
  must(moved.text === parsed.text, `moved, the error is "${moved.text}"`);
  must(column === parsed.column + HARMLESS.length, `moved, the column is ${column}`);
}
