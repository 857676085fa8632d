/** Does one rule fit everything that another one fits? */

import type { NamePattern, PolicyRule, ReceiveRule, SendRule } from "../../../bus/index.ts";
import { MessageType } from "../../../wire/protocol.ts";

/**
 * True only if it does, for messages as programs send them: eavesdropping is left aside, and replies are, unless
 * `inner` is about nothing else.
 */
export function covers(outer: PolicyRule, inner: PolicyRule): boolean {
  if (outer.subject === "own" && inner.subject === "own") {
    return coversName(outer.name, inner.name);
  }
  if (outer.subject === "send" && inner.subject === "send") {
    const isSameCast = outer.broadcast === null || outer.broadcast === inner.broadcast;
    return (
      isSameCast && coversName(outer.destination, inner.destination) && coversMessages(outer, inner)
    );
  }
  if (outer.subject === "receive" && inner.subject === "receive") {
    if (onlyOverheard(outer) || onlyOverheard(inner)) return false;
    const isSameSender = outer.sender === null || outer.sender === inner.sender;
    return isSameSender && coversMessages(outer, inner);
  }
  return false;
}

function onlyOverheard({ allows, eavesdrop }: ReceiveRule): boolean {
  return !allows && eavesdrop;
}

function coversName(outer: NamePattern | null, inner: NamePattern | null): boolean {
  if (outer === null) return true;
  if (inner === null || (inner.isPrefix && !outer.isPrefix)) return false;
  if (inner.name === outer.name) return true;
  return outer.isPrefix && inner.name.startsWith(`${outer.name}.`);
}

function coversMessages(outer: SendRule | ReceiveRule, inner: SendRule | ReceiveRule): boolean {
  const isWider = (one: unknown, other: unknown): boolean => one === null || one === other;
  // A rule that denies an interface fits messages without one, and a rule that allows it does not.
  const missesInterface = outer.interface !== null && outer.allows && !inner.allows;
  return (
    !missesInterface &&
    isWider(outer.type, inner.type) &&
    isWider(outer.path, inner.path) &&
    isWider(outer.interface, inner.interface) &&
    isWider(outer.member, inner.member) &&
    isWider(outer.errorName, inner.errorName) &&
    outer.minUnixFds <= inner.minUnixFds &&
    outer.maxUnixFds >= inner.maxUnixFds &&
    (!isAboutReplies(inner) || coversReplies(outer, inner))
  );
}

function isAboutReplies({ type, errorName }: SendRule | ReceiveRule): boolean {
  return type === MessageType.MethodReturn || type === MessageType.Error || errorName !== null;
}

/** Each kind of rule fits the replies that it is about by default, and with an attribute the others, too. */
function coversReplies(outer: SendRule | ReceiveRule, inner: SendRule | ReceiveRule): boolean {
  const [ours, theirs] = [repliesOf(outer), repliesOf(inner)];
  return (ours.requested || !theirs.requested) && (ours.others || !theirs.others);
}

function repliesOf({ allows, requestedReply, eavesdrop }: SendRule | ReceiveRule): {
  readonly requested: boolean;
  readonly others: boolean;
} {
  return allows
    ? { requested: true, others: !requestedReply || eavesdrop }
    : { requested: requestedReply, others: true };
}
