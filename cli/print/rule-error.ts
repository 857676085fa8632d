/** A malformed match rule, with a mark where it is wrong. */

import type { MatchRuleError } from "../../matchrules/rule.ts";
import { oneLine } from "./table.ts";

/** Before and behind the place that is wrong, of a rule that is longer. */
const SHOWN_CHARACTERS = 60;

/** What is wrong, the rule with a caret under the column, and what a bus answers to it. */
export function formatRuleError(rule: string, error: MatchRuleError): string {
  const start = Math.max(0, error.column - 1 - SHOWN_CHARACTERS);
  const before = (start === 0 ? "" : "…") + oneLine(rule.slice(start, error.column - 1));
  const rest = rule.slice(error.column - 1);
  const behind = oneLine(rest, SHOWN_CHARACTERS);
  return [
    `the match rule is malformed at column ${error.column}: ${error.text.trim()}`,
    `  ${before}${behind}`,
    `  ${before.replaceAll(/./gu, " ")}^`,
    `  A bus answers it with org.freedesktop.DBus.Error.${error.code}.`,
  ].join("\n");
}
