/** Rules about what may be received that open or close more than it seems. */

import type { ReceiveRule } from "../../../bus/index.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { type Finding, findingOf, rewritten } from "./finding.ts";
import { exampleOf, isRoot, type LintedPolicy, subjectOf } from "./linted-policy.ts";

export function lintReceiving(policy: LintedPolicy): Finding[] {
  return policy.receiveRules.flatMap((rule) => [
    ...eavesdropping(policy, rule),
    ...deniedFromEverybody(policy, rule),
    ...trustedNames(policy, rule),
  ]);
}

function eavesdropping(policy: LintedPolicy, rule: ReceiveRule): Finding[] {
  const { allows, eavesdrop, context } = rule;
  if (policy.isSessionBus || !allows || !eavesdrop || isRoot(context)) return [];
  const overheard = { ...exampleOf(rule), isOverheard: true };
  if (policy.received(overheard, context, rule.sender).decidedBy !== rule) return [];
  return [
    findingOf(
      rule,
      "warning",
      "eavesdropping",
      `${subjectOf(context)} may read messages that are for others, as far as they may be sent to it`,
      `${rewritten(rule, {}, ["eavesdrop"]) ?? "no such rule"}: to debug there are monitors, which root may become`,
    ),
  ];
}

/** A rule that denies an interface fits calls that have none, whoever sends them. */
function deniedFromEverybody(policy: LintedPolicy, rule: ReceiveRule): Finding[] {
  const { allows, sender, context, type, eavesdrop } = rule;
  if (allows || eavesdrop || sender !== null || rule.interface === null) return [];
  if (type !== null && type !== MessageType.MethodCall) return [];
  const withoutInterface = { ...exampleOf(rule), interface: null };
  if (policy.received(withoutInterface, context).decidedBy !== rule) return [];
  return [
    findingOf(
      rule,
      "warning",
      "deny-without-sender",
      `${subjectOf(context)} gets no calls without an interface, which is optional, whoever sends them`,
      "deny sending instead, which names the service: <deny send_destination=… send_interface=…/>",
    ),
  ];
}

/** Who trusts a name trusts everybody who may take it. */
function trustedNames(policy: LintedPolicy, rule: ReceiveRule): Finding[] {
  const { allows, sender, context } = rule;
  if (policy.isSessionBus || !allows || sender === null || sender.startsWith(":")) return [];
  if (!policy.owns(sender).isAllowed) return [];
  const { decidedBy, fitting } = policy.received(exampleOf(rule), context, sender);
  if (decidedBy !== rule || fitting.at(-2)?.allows === true) return [];
  return [
    findingOf(
      rule,
      "warning",
      "sender-may-be-anybody",
      `it protects nobody: everybody may own ${sender}`,
      `<policy user="USER"><allow own="${sender}"/></policy>, and nobody else`,
    ),
  ];
}
