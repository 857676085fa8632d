/** What one kind of peer may do: the rules that hold for it, ready to be asked. */

import type { MessageRule } from "./message-rule.ts";
import type { OwnIndex } from "./own-index.ts";
import type { Question } from "./question.ts";
import type { RuleIndex } from "./rule-index.ts";
import type { OwnRule, ReceiveRule, SendRule } from "./rules.ts";

/** A verdict with the rules that fitted, in the order of application. */
export interface Judgement<Rule> {
  readonly isAllowed: boolean;
  /** The last rule that fits; null if none does, which denies. */
  readonly decidedBy: Rule | null;
  readonly fitting: readonly Rule[];
}

/**
 * Made once for all peers with the same rules. Where names of the other side are asked for, they are numbers that
 * `NameMentions.fitting` gave.
 */
export class Snapshot {
  readonly #send: RuleIndex;
  readonly #receive: RuleIndex;
  readonly #own: OwnIndex;

  constructor(send: RuleIndex, receive: RuleIndex, own: OwnIndex) {
    this.#send = send;
    this.#receive = receive;
    this.#own = own;
  }

  /** The rule that decides whether the message may be sent, or null: then it may not. */
  sendRule(question: Question, receiverNames: readonly number[]): MessageRule | null {
    return this.#send.deciding(question, receiverNames);
  }

  /** The rule that decides whether the message may be received, or null: then it may not. */
  receiveRule(question: Question, senderNames: readonly number[]): MessageRule | null {
    return this.#receive.deciding(question, senderNames);
  }

  maySend(question: Question, receiverNames: readonly number[]): Judgement<SendRule | ReceiveRule> {
    return judgementOf(this.#send.fitting(question, receiverNames).map(sourceOf));
  }

  mayReceive(
    question: Question,
    senderNames: readonly number[],
  ): Judgement<SendRule | ReceiveRule> {
    return judgementOf(this.#receive.fitting(question, senderNames).map(sourceOf));
  }

  mayOwn(name: string): Judgement<OwnRule> {
    return judgementOf(this.#own.fitting(name));
  }
}

function sourceOf(rule: MessageRule): SendRule | ReceiveRule {
  return rule.source;
}

export function judgementOf<Rule extends { readonly allows: boolean }>(
  fitting: readonly Rule[],
): Judgement<Rule> {
  const decidedBy = fitting.at(-1) ?? null;
  return { isAllowed: decidedBy?.allows ?? false, decidedBy, fitting };
}
