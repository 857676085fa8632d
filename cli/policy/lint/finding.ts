/** What `onehop policy lint` has to say about one place of a configuration. */

import type { PolicyRule, RuleOrigin } from "../../../bus/index.ts";

/** `error`: it cannot work, or everybody may do everything; `warning`: it protects less, or more, than it seems to. */
export type Level = "error" | "warning" | "note";

/** What can be wrong; docs/policy.md says what each of them is about. */
export const FINDING_CODES = [
  "everything-allowed",
  "everything-owned",
  "forgets-others",
  "never-fits",
  "contradicts-itself",
  "service-without-owner",
  "file-left-out",
  "send-without-destination",
  "deny-without-destination",
  "deny-without-sender",
  "deny-requested-replies",
  "unrequested-replies",
  "eavesdropping",
  "sender-may-be-anybody",
  "owned-by-everybody",
  "own-too-wide",
  "owned-twice",
  "never-decides",
  "mandatory-allow",
  "unique-name",
  "at-console",
  "anonymous-peers",
  "unknown-account",
  "name-without-owner",
  "owner-without-caller",
  "log-without-effect",
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

export interface Finding {
  readonly level: Level;
  readonly code: FindingCode;
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
  code: FindingCode,
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
