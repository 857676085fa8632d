/** Who decides, and what else had a say: a policy's verdicts for people, from the snapshots that a bus judges by. */

import { Strings } from "../../wire/intern.ts";
import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { CompiledPolicy } from "./compile.ts";
import type { Policy } from "./policy.ts";
import { Question } from "./question.ts";
import type { PolicyRule } from "./rules.ts";
import type { Judgement, Snapshot } from "./snapshot.ts";

/** Somebody who is on the bus, or could be. */
export interface PolicyPeer {
  /** Null: not known, so that no rules about users hold for it. */
  readonly userId: number | null;
  /** All groups of its process; null: those of the user database. */
  readonly groups: readonly number[] | null;
  /** Every name that it owns or waits for, the unique one among them if rules are about that. */
  readonly names: readonly string[];
}

/**
 * Who gets a message: a peer; the bus itself; or the owner of a name who is still to be started, and of whom it is taken for
 * granted that it will have this name only.
 */
export type PolicyReceiver = PolicyPeer | { readonly bus: true } | { readonly startedFor: string };

/** A message as policies see it; null is a field that it has not. */
export interface PolicyMessage {
  readonly type: MessageType;
  /** Null for a broadcast. */
  readonly destination: string | null;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly unixFds: number;
  /** For a message with a reply serial: does its receiver wait for it? Null for others. */
  readonly isRequestedReply: boolean | null;
  /** Does the receiver only overhear it, with `eavesdrop='true'` in a match rule? */
  readonly isOverheard: boolean;
}

/** One question that a policy was asked. */
export interface PolicyStep extends Judgement<PolicyRule> {
  readonly asked: "connect" | "own" | "send" | "receive";
}

/** All questions have to be answered by yes; the one that was answered by no is the last. */
export interface PolicyExplanation {
  readonly isAllowed: boolean;
  readonly steps: readonly PolicyStep[];
}

/** A policy to be asked without a bus. */
export class PolicyExplainer {
  readonly #strings: Strings = new Strings();
  readonly #policy: CompiledPolicy;

  constructor(policy: Policy) {
    this.#policy = new CompiledPolicy(policy, this.#strings);
  }

  /** May a user connect? `isOwner`: it runs the bus. */
  connect(userId: number, isOwner: boolean): PolicyExplanation {
    return explanationOf([{ asked: "connect", ...this.#policy.mayConnect(userId, isOwner) }]);
  }

  /** May a peer own a name? */
  own(peer: PolicyPeer, name: string): PolicyExplanation {
    return explanationOf([{ asked: "own", ...this.#snapshotOf(peer).mayOwn(name) }]);
  }

  /** May a message pass? A null sender is the bus itself. */
  message(
    sender: PolicyPeer | null,
    receiver: PolicyReceiver,
    message: PolicyMessage,
  ): PolicyExplanation {
    const question = this.#questionOf(message);
    const steps: PolicyStep[] = [];
    if (sender !== null) {
      const names = this.#policy.names.fitting(namesOf(receiver));
      steps.push({ asked: "send", ...this.#snapshotOf(sender).maySend(question, names) });
    }
    if ("names" in receiver && steps.every(({ isAllowed }) => isAllowed)) {
      steps.push(this.receive(receiver, sender?.names ?? [DRIVER_NAME], message));
    }
    return explanationOf(steps);
  }

  /** What the receiver's rules alone say, whether or not the sender may send it. */
  receive(
    receiver: PolicyPeer,
    senderNames: readonly string[],
    message: PolicyMessage,
  ): PolicyStep {
    const names = this.#policy.names.fitting(senderNames);
    const question = this.#questionOf(message);
    return { asked: "receive", ...this.#snapshotOf(receiver).mayReceive(question, names) };
  }

  #questionOf(message: PolicyMessage): Question {
    const id = (text: string | null): number => this.#policy.strings.reduceText(text);
    const question = new Question();
    question.type = message.type;
    question.path = id(message.path);
    question.interface = id(message.interface);
    question.member = id(message.member);
    question.errorName = id(message.errorName);
    question.unixFds = message.unixFds;
    question.isReply = message.isRequestedReply !== null;
    question.isRequested = message.isRequestedReply === true && !message.isOverheard;
    question.isBroadcast = message.destination === null && message.type === MessageType.Signal;
    question.isOverheard = message.isOverheard;
    return question;
  }

  /** Kept as long as this is, for the next question about the same peer. */
  #snapshotOf({ userId, groups }: PolicyPeer): Snapshot {
    return this.#policy.snapshotFor({ userId, groups: () => groups });
  }
}

function namesOf(receiver: PolicyReceiver): readonly string[] {
  if ("bus" in receiver) return [DRIVER_NAME];
  return "names" in receiver ? receiver.names : [receiver.startedFor];
}

function explanationOf(steps: readonly PolicyStep[]): PolicyExplanation {
  return { isAllowed: steps.every(({ isAllowed }) => isAllowed), steps };
}
