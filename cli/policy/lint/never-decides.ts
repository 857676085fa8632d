/** Rules that fit, and never count: a later one says the contrary, or makes the bus forget them. */

import {
  forgetsOthers,
  MOST_UNIX_FDS,
  type PolicyContext,
  type PolicyRule,
  type ReceiveRule,
  type SendRule,
} from "../../../bus/index.ts";
import { covers } from "./covers.ts";
import { type Finding, findingOf } from "./finding.ts";
import type { LintedPolicy } from "./linted-policy.ts";

export function lintWhatNeverDecides(policy: LintedPolicy): Finding[] {
  const { rules } = policy;
  return rules.flatMap((rule, at) => {
    if (rule.subject === "connect") return [];
    const forgotten = forgottenBy(rule, at, rules);
    return [...forgotten, ...overridden(rule, at, rules)];
  });
}

function overridden(rule: PolicyRule, at: number, rules: readonly PolicyRule[]): Finding[] {
  const later = rules.find(
    (other, otherAt) =>
      other.allows !== rule.allows &&
      isAppliedLater(other, otherAt, rule, at) &&
      covers(other, rule),
  );
  if (later === undefined) return [];
  const { file, line, element } = later.origin;
  return [
    findingOf(
      rule,
      "warning",
      "never-decides",
      `it never decides: ${element} in ${file}:${line} comes later and says the contrary`,
      later.context.kind === "mandatory"
        ? "a mandatory policy cannot be overridden: take one of the two out"
        : "the last rule that fits decides: what is general comes first, what is special after it",
    ),
  ];
}

/** Does `other` come after `rule` for everybody whom `rule` is about? */
function isAppliedLater(other: PolicyRule, otherAt: number, rule: PolicyRule, at: number): boolean {
  if (other.context.kind === "mandatory" && rule.context.kind !== "mandatory") return true;
  return otherAt > at && isSameContext(other.context, rule.context);
}

function isSameContext(one: PolicyContext, other: PolicyContext): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Does a rule that looks narrow make the bus forget wider ones before it? */
function forgottenBy(rule: PolicyRule, at: number, rules: readonly PolicyRule[]): Finding[] {
  if (rule.subject !== "send" && rule.subject !== "receive") return [];
  const narrowing = narrowingOf(rule);
  if (!forgetsOthers(rule) || narrowing === null) return [];
  const before = rules.filter(
    (other, otherAt) =>
      other.subject === rule.subject &&
      (otherAt < at && isSameContext(other.context, rule.context)
        ? true
        : other.context.kind === "default" && rule.context.kind !== "default"),
  );
  if (before.length === 0) return [];
  const type = `${rule.subject}_type`;
  const side = rule.subject === "send" ? "sending" : "receiving";
  return [
    findingOf(
      rule,
      "error",
      "forgets-others",
      `it is only about ${narrowing}, but all rules about ${side} before it are forgotten (${before.length}), for other messages too`,
      `one rule for each ${type}, or with another attribute such as ${rule.subject === "send" ? "send_destination" : "receive_sender"}: then none is forgotten`,
    ),
  ];
}

function narrowingOf(rule: SendRule | ReceiveRule): string | null {
  const { allows, minUnixFds, maxUnixFds, eavesdrop } = rule;
  if (rule.subject === "send" && rule.broadcast !== null) {
    return rule.broadcast ? "broadcast signals" : "what is no broadcast";
  }
  if (minUnixFds > 0) return `messages with ${minUnixFds} descriptors and more`;
  if (maxUnixFds < MOST_UNIX_FDS) return `messages with at most ${maxUnixFds} descriptors`;
  return rule.subject === "receive" && !allows && eavesdrop ? "eavesdropping" : null;
}
