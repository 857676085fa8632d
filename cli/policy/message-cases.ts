/** Which messages rules tell apart, of all that a question leaves open. */

import {
  ANYTHING_ELSE,
  type AskedField,
  type AskedMessage,
  type AskedPeer,
  type MessageJudgement,
  type PolicyJudge,
  type PolicyRule,
} from "../../bus/index.ts";
import { MessageType } from "../../wire/protocol.ts";

export interface JudgedCase {
  readonly message: AskedMessage;
  readonly judgement: MessageJudgement;
}

const OPEN_FIELDS = ["path", "interface", "member", "errorName"] as const;

/**
 * `asked` itself first, whose open fields are what no rule mentions; then what rules mention for these fields, in their
 * order, where another rule decides.
 */
export function judgedCases(
  asked: AskedMessage,
  rules: readonly PolicyRule[],
  judge: PolicyJudge,
  sender: AskedPeer,
  receiver: AskedPeer,
): readonly [JudgedCase, ...JudgedCase[]] {
  const judged = (message: AskedMessage): JudgedCase => ({
    message,
    judgement: judge.mayPass(message, sender, receiver),
  });
  const first = judged(asked);
  const others = casesOf(asked, rules)
    .map(judged)
    .filter(({ judgement }) => !isDecidedAlike(judgement, first.judgement));
  return [first, ...others];
}

function casesOf(asked: AskedMessage, rules: readonly PolicyRule[]): AskedMessage[] {
  const found = new Map<string, AskedMessage>();
  const add = (message: AskedMessage): void => {
    const key = JSON.stringify(OPEN_FIELDS.map((field) => keyOf(message[field])));
    if (!found.has(key)) found.set(key, message);
  };
  add(asked);
  // Rules that deny an interface fit calls without one.
  if (asked.type === MessageType.MethodCall && asked.interface === ANYTHING_ELSE) {
    add({ ...asked, interface: null });
  }
  for (const rule of rules) {
    if (rule.subject !== "send" && rule.subject !== "receive") continue;
    const fill = (field: (typeof OPEN_FIELDS)[number]): AskedField =>
      asked[field] === ANYTHING_ELSE ? (rule[field] ?? ANYTHING_ELSE) : asked[field];
    add({
      ...asked,
      path: fill("path"),
      interface: fill("interface"),
      member: fill("member"),
      errorName: fill("errorName"),
    });
  }
  return [...found.values()].slice(1);
}

function keyOf(field: AskedField): string | number | null {
  return field === ANYTHING_ELSE ? 0 : field;
}

function isDecidedAlike(one: MessageJudgement, other: MessageJudgement): boolean {
  return (
    one.sent?.decidedBy === other.sent?.decidedBy &&
    one.received?.decidedBy === other.received?.decidedBy
  );
}
