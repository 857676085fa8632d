/** Holes in what may be sent, and rules about it that hit others than they mean. */

import type { SendRule } from "../../../bus/index.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { type Finding, findingOf, rewritten } from "./finding.ts";
import { callOf, exampleOf, isRoot, type LintedPolicy, subjectOf } from "./linted-policy.ts";

const REPLIES: readonly (number | null)[] = [MessageType.MethodReturn, MessageType.Error];

export function lintSending(policy: LintedPolicy): Finding[] {
  return [
    ...everythingAllowed(policy),
    ...policy.sendRules.flatMap((rule) => [
      ...allowedToEveryName(policy, rule),
      ...deniedToEveryName(policy, rule),
      ...unrequestedReplies(policy, rule),
      ...deniedRequestedReplies(rule),
    ]),
  ];
}

function everythingAllowed(policy: LintedPolicy): Finding[] {
  if (policy.isSessionBus || !policy.isOpen) return [];
  const { decidedBy } = policy.sent(callOf({}));
  if (decidedBy === null) return [];
  return [
    findingOf(
      decidedBy,
      "error",
      "everything-allowed",
      "everybody may call every method of every service",
      `<deny send_type="method_call"/> first, and then for each service <allow send_destination="NAME"/>`,
    ),
  ];
}

/** The classic mistake: a rule that is meant for one service opens a hole to all of them. */
function allowedToEveryName(policy: LintedPolicy, rule: SendRule): Finding[] {
  const { allows, destination, context, type } = rule;
  const saysWhat = [rule.path, rule.interface, rule.member].some((field) => field !== null);
  if (!allows || destination !== null || !saysWhat) return [];
  // Most signals have no destination, and replies go to who has asked.
  if (type !== null && type !== MessageType.MethodCall) return [];
  // Services call their agents, which have no names, on an interface of their own.
  if (isRoot(context) || (context.kind === "user" && policy.isOfService(context))) return [];
  const { decidedBy, fitting } = policy.sent(exampleOf(rule), context);
  if (decidedBy !== rule || fitting.at(-2)?.allows === true) return [];
  return [
    findingOf(
      rule,
      "warning",
      "send-without-destination",
      `${subjectOf(context)} may send this to every service, not only to the one that it is meant for`,
      rewritten(rule, { send_destination: policy.serviceOf(rule) ?? "NAME" }),
    ),
  ];
}

/** A rule that denies an interface fits calls that have none, wherever they go. */
function deniedToEveryName(policy: LintedPolicy, rule: SendRule): Finding[] {
  const { allows, destination, context, type } = rule;
  if (allows || destination !== null || rule.interface === null) return [];
  if (type !== null && type !== MessageType.MethodCall) return [];
  const { decidedBy } = policy.sent({ ...exampleOf(rule), interface: null }, context);
  if (decidedBy !== rule) return [];
  return [
    findingOf(
      rule,
      "warning",
      "deny-without-destination",
      `it also denies calls without an interface, which is optional, to every service that rules before it allow`,
      rewritten(rule, { send_destination: policy.serviceOf(rule) ?? "NAME" }),
    ),
  ];
}

function unrequestedReplies(policy: LintedPolicy, rule: SendRule): Finding[] {
  if (policy.isSessionBus || policy.isOpen || !rule.allows || isRoot(rule.context)) return [];
  if (rule.requestedReply && !rule.eavesdrop) return [];
  const types = [MessageType.MethodReturn, MessageType.Error].filter(
    (type) => rule.type === null || rule.type === type,
  );
  const decides = types.some(
    (type) =>
      policy.sent(
        { ...exampleOf(rule), ...callOf({ type }) },
        rule.context,
        rule.destination?.name ?? null,
      ).decidedBy === rule,
  );
  if (!decides) return [];
  const attribute = rule.requestedReply ? "eavesdrop" : "send_requested_reply";
  return [
    findingOf(
      rule,
      "warning",
      "unrequested-replies",
      `${subjectOf(rule.context)} may send replies that nobody has asked for, which some programs believe`,
      rewritten(rule, {}, [attribute]),
    ),
  ];
}

function deniedRequestedReplies(rule: SendRule): Finding[] {
  if (rule.allows || !rule.requestedReply) return [];
  if (rule.type !== null && !REPLIES.includes(rule.type)) return [];
  return [
    findingOf(
      rule,
      "warning",
      "deny-requested-replies",
      `${subjectOf(rule.context)} may not answer calls: callers get an error instead of the reply`,
      rewritten(rule, {}, ["send_requested_reply"]),
    ),
  ];
}
