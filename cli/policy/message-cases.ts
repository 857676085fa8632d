/** Which messages rules tell apart, of all that a question leaves open. */

import type {
  PolicyExplainer,
  PolicyExplanation,
  PolicyMessage,
  PolicyPeer,
  PolicyReceiver,
  PolicyRule,
} from "../../bus/index.ts";
import { MessageType } from "../../wire/protocol.ts";
import { ANYTHING_ELSE } from "./asked-message.ts";

export interface JudgedCase {
  readonly message: PolicyMessage;
  readonly explanation: PolicyExplanation;
}

const OPEN_FIELDS = ["path", "interface", "member", "errorName"] as const;

/**
 * `asked` itself first, whose open fields are what no rule mentions; then what rules mention for these fields, in their
 * order, where other rules decide because of it.
 */
export function judgedCases(
  asked: PolicyMessage,
  rules: readonly PolicyRule[],
  policy: PolicyExplainer,
  sender: PolicyPeer | null,
  receiver: PolicyReceiver,
): readonly [JudgedCase, ...JudgedCase[]] {
  const judged = (message: PolicyMessage): JudgedCase => ({
    message,
    explanation: policy.message(sender, receiver, message),
  });
  const others = casesOf(asked, rules)
    .map(judged)
    .filter(({ message, explanation }) =>
      // Of what is decided in the same way whatever one of its fields is, nothing has to be told.
      OPEN_FIELDS.filter((field) => message[field] !== asked[field]).every((field) => {
        const wider = judged({ ...message, [field]: asked[field] });
        return !isDecidedAlike(explanation, wider.explanation);
      }),
    );
  return [judged(asked), ...others];
}

function casesOf(asked: PolicyMessage, rules: readonly PolicyRule[]): PolicyMessage[] {
  const found = new Map<string, PolicyMessage>();
  const add = (message: PolicyMessage): void => {
    const key = JSON.stringify(OPEN_FIELDS.map((field) => message[field]));
    if (!found.has(key)) found.set(key, message);
  };
  add(asked);
  // Rules that deny an interface fit calls without one.
  if (asked.type === MessageType.MethodCall && asked.interface === ANYTHING_ELSE) {
    add({ ...asked, interface: null });
  }
  for (const rule of rules) {
    if (rule.subject !== "send" && rule.subject !== "receive") continue;
    const fill = (field: (typeof OPEN_FIELDS)[number]): string | null =>
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

function isDecidedAlike(one: PolicyExplanation, other: PolicyExplanation): boolean {
  const decidedBy = ({ steps }: PolicyExplanation, at: number) => steps[at]?.decidedBy ?? null;
  return (
    one.steps.length === other.steps.length &&
    one.steps.every((_step, at) => decidedBy(one, at) === decidedBy(other, at))
  );
}
