/** Rules that fit nothing: names that there cannot be, and demands that contradict each other. */

import type { NamePattern, PolicyRule, ReceiveRule, SendRule } from "../../../bus/index.ts";
import {
  isBusName,
  isBusNamespace,
  isErrorName,
  isInterfaceName,
  isMemberName,
  isUniqueName,
  isWellKnownName,
} from "../../../wire/names.ts";
import { isObjectPath } from "../../../wire/object-path.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { type Finding, findingOf, rewritten } from "./finding.ts";
import type { LintedPolicy } from "./linted-policy.ts";

export function lintWhatNeverFits(policy: LintedPolicy): Finding[] {
  return policy.rules.flatMap(neverFitting);
}

function neverFitting(rule: PolicyRule): Finding[] {
  switch (rule.subject) {
    case "connect":
      return [];
    case "own":
      return ownedName(rule, rule.name);
    case "send":
      return [
        ...(rule.destination === null ? [] : destinationName(rule, rule.destination)),
        ...fields(rule),
        ...contradictions(rule),
      ];
    case "receive":
      return [
        ...(rule.sender === null ? [] : senderName(rule, rule.sender)),
        ...fields(rule),
        ...contradictions(rule),
      ];
  }
}

function ownedName(rule: PolicyRule, pattern: NamePattern | null): Finding[] {
  if (pattern === null) return [];
  const { name, isPrefix } = pattern;
  if (isPrefix ? isBusNamespace(name) : isWellKnownName(name)) return [];
  return [never(rule, name, "a well-known name", insteadOfWildcard(rule, "own", name))];
}

function destinationName(rule: SendRule, { name, isPrefix }: NamePattern): Finding[] {
  const attribute = isPrefix ? "send_destination_prefix" : "send_destination";
  if (!isPrefix && isUniqueName(name)) return [uniqueName(rule, name)];
  // Everything below a unique name is a unique name, too.
  if (isPrefix ? isBusNamespace(name) || /^:\d+$/.test(name) : isBusName(name)) return [];
  return [never(rule, name, "a bus name", insteadOfWildcard(rule, attribute, name))];
}

function senderName(rule: ReceiveRule, name: string): Finding[] {
  if (isUniqueName(name)) return [uniqueName(rule, name)];
  return isBusName(name) ? [] : [never(rule, name, "a bus name", null)];
}

function uniqueName(rule: PolicyRule, name: string): Finding {
  return findingOf(
    rule,
    "warning",
    "unique-name",
    `${name} is a unique name: nobody knows who has it before somebody has connected`,
    "a well-known name",
  );
}

/** `org.example.*` is no pattern here. */
function insteadOfWildcard(rule: PolicyRule, attribute: string, name: string): string | null {
  const prefix = name.replace(/\.?\*$/, "");
  if (prefix === name || !isBusNamespace(prefix)) return null;
  const plain = attribute.replace(/_prefix$/, "");
  return rewritten(rule, { [`${plain}_prefix`]: prefix }, [plain, `${plain}_prefix`]);
}

const GRAMMARS = [
  ["path", isObjectPath, "an object path"],
  ["interface", isInterfaceName, "an interface"],
  ["member", isMemberName, "the name of a method or signal"],
  ["errorName", isErrorName, "the name of an error"],
] as const;

function fields(rule: SendRule | ReceiveRule): Finding[] {
  return GRAMMARS.flatMap(([field, isValid, what]) => {
    const text = rule[field];
    return text === null || isValid(text) ? [] : [never(rule, text, what, null)];
  });
}

function never(rule: PolicyRule, text: string, what: string, advice: string | null): Finding {
  return findingOf(
    rule,
    "error",
    "never-fits",
    `it fits nothing: ${JSON.stringify(text)} cannot be ${what}`,
    advice,
  );
}

function contradictions(rule: SendRule | ReceiveRule): Finding[] {
  const { type, errorName, minUnixFds, maxUnixFds } = rule;
  const found: Finding[] = [];
  const contradicts = (text: string): void => {
    found.push(findingOf(rule, "error", "contradicts-itself", text));
  };
  if (minUnixFds > maxUnixFds) {
    contradicts(
      `it fits nothing: no message has ${minUnixFds} descriptors and at most ${maxUnixFds}`,
    );
  }
  if (errorName !== null && type !== null && type !== MessageType.Error) {
    contradicts(
      "it does not look at the error name: only errors have one, and it is about another type",
    );
  }
  const isForBroadcasts = rule.subject === "send" && rule.broadcast === true;
  if (isForBroadcasts && type !== null && type !== MessageType.Signal) {
    contradicts("it fits nothing: only signals are broadcast");
  }
  return found;
}
