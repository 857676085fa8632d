/** Whom policies are for, and whether they count at all. */

import type { PolicyRule } from "../../../bus/index.ts";
import { filesLeftOut, rulesForNobody } from "../policy-source.ts";
import { type Finding, findingOf } from "./finding.ts";
import type { LintedPolicy } from "./linted-policy.ts";

export function lintContexts(policy: LintedPolicy): Finding[] {
  return [
    ...leftOut(policy),
    ...forNobody(policy),
    ...atConsole(policy),
    ...anonymous(policy),
    ...policy.rules.flatMap((rule) => [...mandatoryAllow(policy, rule), ...logWithoutEffect(rule)]),
  ];
}

function leftOut({ subject: { configuration } }: LintedPolicy): Finding[] {
  return filesLeftOut(configuration).map(({ file, line, element, text }) => ({
    level: "error",
    code: "file-left-out",
    origin: { file, line, element },
    text,
    advice: null,
  }));
}

function forNobody({ subject: { configuration } }: LintedPolicy): Finding[] {
  return rulesForNobody(configuration).map(({ file, line, element, text }) => ({
    // Who is not in a group has fewer rights; without its user a service does not work.
    level: /\bgroup="/.test(element) ? "note" : "warning",
    code: "unknown-account",
    origin: { file, line, element },
    text: `${text} on this machine: ${element.startsWith("<policy") ? "its rules hold" : "it holds"} for nobody`,
    advice: "create the account before the bus reads its configuration, or take it out",
  }));
}

function atConsole({ rules }: LintedPolicy): Finding[] {
  const told = new Set<string>();
  return rules.flatMap((rule) => {
    if (rule.context.kind !== "console" || told.has(rule.origin.file)) return [];
    told.add(rule.origin.file);
    return [
      findingOf(
        rule,
        "warning",
        "at-console",
        "at_console is deprecated, and where logins are not tracked nobody is at the console",
        `<policy context="default">, and the service asks polkit who the caller is`,
      ),
    ];
  });
}

function anonymous({ subject: { path, configuration }, isSessionBus }: LintedPolicy): Finding[] {
  if (!configuration.allowsAnonymous || isSessionBus) return [];
  return [
    {
      level: "warning",
      code: "anonymous-peers",
      origin: { file: path, line: 0, element: "<allow_anonymous>" },
      text: "whoever reaches an address of this bus may connect, and rules for users and groups do not hold for it",
      advice: "<auth>EXTERNAL</auth> without <allow_anonymous/>",
    },
  ];
}

function mandatoryAllow({ isSessionBus }: LintedPolicy, rule: PolicyRule): Finding[] {
  const { allows, context, subject } = rule;
  if (isSessionBus || !allows || context.kind !== "mandatory" || subject === "connect") return [];
  return [
    findingOf(
      rule,
      "warning",
      "mandatory-allow",
      "no policy for a user or a group can take back what it allows: mandatory ones count more",
      `<policy context="default">: mandatory policies are there to deny`,
    ),
  ];
}

function logWithoutEffect(rule: PolicyRule): Finding[] {
  if (rule.subject !== "send" || rule.allows || !rule.logs) return [];
  const text = "log only tells of what a rule allows: what is denied is logged anyway";
  return [findingOf(rule, "note", "log-without-effect", text)];
}
