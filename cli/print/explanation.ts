/** Why a message matches a rule or not, for people and as JSON. */

import { canonicalText } from "../../matchrules/canonical.ts";
import type { Explanation, KeyVerdict } from "../../matchrules/explain.ts";
import { type OwnerOf, verdictText } from "../../matchrules/explain-text.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import type { Paint } from "./colour.ts";
import { formatTable, oneLine } from "./table.ts";

/** Texts of messages may be long; `--json` has all of them. */
const VALUE_CHARACTERS = 48;

/**
 * `undecided`: only names are in question whose owner at that moment nobody said, so that a bus might have found
 * that the rule matches.
 */
export type Outcome = "match" | "undecided" | "no match";

export function outcomeOf(explanation: Explanation, ownerOf: OwnerOf): Outcome {
  if (explanation.isMatch) return "match";
  const unmet = explanation.keys.filter(({ verdict }) => verdict.kind !== "met");
  return unmet.every((key) => isUndecided(key, ownerOf)) ? "undecided" : "no match";
}

function isUndecided({ wanted, saw, verdict }: KeyVerdict, ownerOf: OwnerOf): boolean {
  if (saw === null || saw === DRIVER_NAME) return false;
  if (verdict.kind === "otherSender") return ownerOf(wanted) === undefined;
  if (verdict.kind !== "otherDestination") return false;
  return ownerOf(wanted) === undefined || ownerOf(saw) === undefined;
}

/** A row for each key. */
export function formatExplanation(
  explanation: Explanation,
  ownerOf: OwnerOf,
  paint: Paint,
): string {
  const { keys } = explanation;
  if (keys.length === 0) return "The rule has no keys: it matches every broadcast.\n";
  const rows = keys.map((key) => {
    const isMet = key.verdict.kind === "met";
    const why = oneLine(verdictText(key, ownerOf));
    return [
      key.key,
      formatValue(key.wanted),
      formatValue(key.saw),
      paint(isMet ? "yes" : "no", isMet ? "green" : "red"),
      why,
    ];
  });
  return formatTable(["KEY", "WANTED", "SAW", "MET", "WHY NOT"], rows, paint);
}

/** What a message has: nothing is a dash, and no text a pair of quotes. */
export function formatValue(value: string | null): string {
  if (value === null) return "-";
  const line = oneLine(value, VALUE_CHARACTERS);
  return line === "" || line !== line.trim() || line === "-" ? `"${line}"` : line;
}

/** The same for programs: texts in full. */
export function explanationJson(explanation: Explanation, ownerOf: OwnerOf): object {
  return {
    rule: canonicalText(explanation.rule),
    keys: explanation.keys.map((key) => ({
      key: key.key,
      wanted: key.wanted,
      saw: key.saw,
      isMet: key.verdict.kind === "met",
      verdict: key.verdict,
      text: verdictText(key, ownerOf),
    })),
  };
}
