/** dbus-daemon(1)'s words about policies, one after the other: what compiled policies are compared with. */

import type { PolicyMessage, PolicyPeer } from "../../../bus/policy/explain.ts";
import {
  MOST_UNIX_FDS,
  type NamePattern,
  type OwnRule,
  type PolicyRule,
  type ReceiveRule,
  type SendRule,
} from "../../../bus/policy/rules.ts";

/** Rules of a kind that hold for a peer, in the order of application; nobody is at the console. */
export function rulesFor(rules: readonly PolicyRule[], peer: PolicyPeer): PolicyRule[] {
  const groups = [...(peer.groups ?? [])].sort((one, other) => one - other);
  return [
    ...rules.filter(({ context }) => context.kind === "default"),
    ...groups.flatMap((groupId) =>
      rules.filter(({ context }) => context.kind === "group" && context.groupId === groupId),
    ),
    ...rules.filter(({ context }) => context.kind === "user" && context.userId === peer.userId),
    ...rules.filter(({ context }) => context.kind === "console" && !context.isAtConsole),
    ...rules.filter(({ context }) => context.kind === "mandatory"),
  ];
}

export function fittingOwn(
  rules: readonly PolicyRule[],
  peer: PolicyPeer,
  name: string,
): OwnRule[] {
  const own = rulesFor(rules, peer).filter((rule): rule is OwnRule => rule.subject === "own");
  const kept = own.slice(
    Math.max(
      0,
      own.findLastIndex((rule) => rule.name === null),
    ),
  );
  return kept.filter((rule) => rule.name === null || fitsName(rule.name, name));
}

export function fittingSend(
  rules: readonly PolicyRule[],
  sender: PolicyPeer,
  receiverNames: readonly string[],
  message: PolicyMessage,
): SendRule[] {
  const send = rulesFor(rules, sender).filter((rule): rule is SendRule => rule.subject === "send");
  return afterBlanket(send, ({ destination }) => destination === null).filter((rule) => {
    const { destination } = rule;
    const isBroadcast = message.type === 4 && message.destination === null;
    return (
      fitsMessage(rule, message) &&
      (rule.broadcast === null || rule.broadcast === isBroadcast) &&
      (destination === null || receiverNames.some((name) => fitsName(destination, name)))
    );
  });
}

export function fittingReceive(
  rules: readonly PolicyRule[],
  receiver: PolicyPeer,
  senderNames: readonly string[],
  message: PolicyMessage,
): ReceiveRule[] {
  const receive = rulesFor(rules, receiver).filter(
    (rule): rule is ReceiveRule => rule.subject === "receive",
  );
  return afterBlanket(receive, ({ sender }) => sender === null).filter((rule) => {
    // A rule that denies with eavesdrop="true" is about nothing else; one that allows is about that, too.
    if (rule.allows && message.isOverheard && !rule.eavesdrop) return false;
    if (!rule.allows && !message.isOverheard && rule.eavesdrop) return false;
    return (
      fitsMessage(rule, message) && (rule.sender === null || senderNames.includes(rule.sender))
    );
  });
}

/** dbus-daemon forgets what stands before a rule that names nothing, though it may ask for something else. */
function afterBlanket<Rule extends SendRule | ReceiveRule>(
  rules: readonly Rule[],
  namesNobody: (rule: Rule) => boolean,
): Rule[] {
  const last = rules.findLastIndex(
    (rule) =>
      namesNobody(rule) &&
      [rule.type, rule.path, rule.interface, rule.member, rule.errorName].every(
        (each) => each === null,
      ),
  );
  return rules.slice(Math.max(0, last));
}

function fitsMessage(rule: SendRule | ReceiveRule, message: PolicyMessage): boolean {
  if (rule.type !== null && rule.type !== message.type) return false;
  for (const field of ["path", "member", "errorName"] as const) {
    if (rule[field] !== null && message[field] !== null && rule[field] !== message[field]) {
      return false;
    }
  }
  if (rule.interface !== null) {
    if (message.interface === null && rule.allows) return false;
    if (message.interface !== null && message.interface !== rule.interface) return false;
  }
  if (message.isRequestedReply !== null) {
    const isRequested = message.isRequestedReply && !message.isOverheard;
    if (rule.allows && !isRequested && rule.requestedReply && !rule.eavesdrop) return false;
    if (!rule.allows && isRequested && !rule.requestedReply) return false;
  }
  const asksForUnixFds = rule.minUnixFds > 0 || rule.maxUnixFds < MOST_UNIX_FDS;
  return (
    !asksForUnixFds || (message.unixFds >= rule.minUnixFds && message.unixFds <= rule.maxUnixFds)
  );
}

function fitsName(pattern: NamePattern, name: string): boolean {
  if (!pattern.isPrefix) return pattern.name === name;
  return name === pattern.name || name.startsWith(`${pattern.name}.`);
}
