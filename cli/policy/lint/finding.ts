/** What `onehop policy lint` has to say about one place of a configuration. */

import type { PolicyRule, RuleOrigin } from "../../../bus/index.ts";

/** `error`: it cannot work, or everybody may do everything; `warning`: it protects less, or more, than it seems to. */
export type Level = "error" | "warning" | "note";

export interface Finding {
  readonly level: Level;
  /** For people who want to look it up: docs/policy.md has them all. */
  readonly code: string;
  readonly origin: RuleOrigin;
  /** What follows from it. */
  readonly text: string;
  /** What to write instead, or null. */
  readonly advice: string | null;
}

/** One about a rule. */
export function findingOf(
  rule: PolicyRule,
  level: Level,
  code: string,
  text: string,
  advice: string | null = null,
): Finding {
  return { level, code, origin: rule.origin, text, advice };
}

/** `<deny own="x">` with other attributes in front, as one would write it instead; nothing if none are left. */
export function rewritten(
  { origin: { element }, allows }: PolicyRule,
  added: Readonly<Record<string, string>>,
  removed: readonly string[] = [],
): string | null {
  const verb = allows ? "allow" : "deny";
  const kept = removed.reduce(
    (text, name) => text.replace(new RegExp(` ${name}="[^"]*"`), ""),
    element.replace(/^<\w+/, "").replace(/\s*\/?>$/, ""),
  );
  const written = Object.entries(added).map(([name, value]) => ` ${name}="${value}"`);
  const attributes = `${written.join("")}${kept}`;
  return attributes === "" ? null : `<${verb}${attributes}/>`;
}
