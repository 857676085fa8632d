/** A policy that is asked without a bus: what tools say about it comes from the structures that a bus asks. */

import { Strings } from "../wire/intern.ts";
import { DRIVER_NAME, type MessageType } from "../wire/protocol.ts";
import { CompiledPolicy, type Identity } from "./policy/compile.ts";
import type { Policy } from "./policy/policy.ts";
import { Question } from "./policy/question.ts";
import type { ConnectRule, OwnRule, ReceiveRule, SendRule } from "./policy/rules.ts";
import type { Judgement, Snapshot } from "./policy/snapshot.ts";

/** Stands for every string that no rule mentions. */
export const ANYTHING_ELSE: unique symbol = Symbol("anything else");

/** A header field: null is a message without it. */
export type AskedField = string | null | typeof ANYTHING_ELSE;

/** A message, as far as policies ask. */
export interface AskedMessage {
  readonly type: MessageType;
  readonly path: AskedField;
  readonly interface: AskedField;
  readonly member: AskedField;
  readonly errorName: AskedField;
  readonly unixFds: number;
  /** Has it a destination? A signal without one is a broadcast. */
  readonly isBroadcast: boolean;
  /** Has it a reply serial? Returns and errors always have. */
  readonly isReply: boolean;
  /** A reply: does its receiver wait for it? */
  readonly isRequested: boolean;
  /** Is it for somebody else, and the receiver only listens? */
  readonly isOverheard: boolean;
}

/** Who sends or receives. */
export interface AskedPeer {
  /** Null: no rules hold for it, as for the bus itself or an owner that is still to be started. */
  readonly identity: Identity | null;
  /** All names that it owns or waits for, the unique one among them. */
  readonly names: readonly string[];
}

/** What the two sides say about a message; null where no rules hold. */
export interface MessageJudgement {
  readonly isAllowed: boolean;
  readonly sent: Judgement<SendRule | ReceiveRule> | null;
  readonly received: Judgement<SendRule | ReceiveRule> | null;
}

/** The bus itself. */
export const BUS_ITSELF: AskedPeer = { identity: null, names: [DRIVER_NAME] };

/**
 * Judges as a bus with this policy would.
 *
 * ```ts
 * const judge = new PolicyJudge({ rules });
 * const { isAllowed, decidedBy } = judge.mayOwn({ userId: 1000, groups: () => [1000] }, "org.example.Name");
 * ```
 */
export class PolicyJudge {
  readonly #strings: Strings = new Strings();
  readonly #policy: CompiledPolicy;
  readonly #question: Question = new Question();

  constructor(policy: Policy) {
    this.#policy = new CompiledPolicy(policy, this.#strings);
  }

  /** `isOwner`: is it the user that runs the bus? */
  mayConnect(userId: number, isOwner: boolean): Judgement<ConnectRule> {
    return this.#policy.mayConnect(userId, isOwner);
  }

  mayOwn(identity: Identity, name: string): Judgement<OwnRule> {
    return this.#policy.snapshotFor(identity).mayOwn(name);
  }

  /** What the receiver's rules say is told even where those of the sender deny, when a bus does not ask them. */
  mayPass(message: AskedMessage, sender: AskedPeer, receiver: AskedPeer): MessageJudgement {
    this.#ask(message);
    const { names } = this.#policy;
    const sent =
      this.#snapshotOf(sender)?.maySend(this.#question, names.fitting(receiver.names)) ?? null;
    const received =
      this.#snapshotOf(receiver)?.mayReceive(this.#question, names.fitting(sender.names)) ?? null;
    const isAllowed = [sent, received].every((judgement) => judgement?.isAllowed !== false);
    return { isAllowed, sent, received };
  }

  /** Kept as long as the judge, for whoever is asked about next. */
  #snapshotOf({ identity }: AskedPeer): Snapshot | null {
    return identity === null ? null : this.#policy.snapshotFor(identity);
  }

  #ask(message: AskedMessage): void {
    const { strings } = this.#policy;
    this.#question.ask(
      strings,
      {
        type: message.type,
        path: this.#idOf(message.path),
        interface: this.#idOf(message.interface),
        member: this.#idOf(message.member),
        errorName: this.#idOf(message.errorName),
        unixFds: message.unixFds,
        replySerial: message.isReply ? 1 : 0,
        destination: message.isBroadcast ? 0 : SOME_ID,
      },
      message.isRequested,
      message.isOverheard,
    );
  }

  /** Rules hold the strings that they mention: every other one may be forgotten at once. */
  #idOf(field: AskedField): number {
    if (field === null) return 0;
    if (field === ANYTHING_ELSE) return UNKNOWN_ID;
    return this.#strings.findText(field) || UNKNOWN_ID;
  }
}

/** Of no string. */
const UNKNOWN_ID = -1;
/** Of a destination, of which only is asked whether there is one. */
const SOME_ID = 1;
