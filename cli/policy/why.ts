/** Who decides what a policy is asked: the question, its judgements, and what had to be taken for granted. */

import {
  type Judgement,
  PolicyExplainer,
  type PolicyExplanation,
  type PolicyMessage,
  type PolicyPeer,
  type PolicyRule,
} from "../../bus/index.ts";
import type { Client } from "../../client/index.ts";
import { findUser } from "../../compat/dbus-daemon/accounts.ts";
import { isWellKnownName } from "../../wire/names.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { checkedBusName } from "../checked-names.ts";
import { failure, misuse } from "../command-problem.ts";
import { askedMessage, type MessageWords } from "./asked-message.ts";
import { type LivePeer, livePeer } from "./live-peer.ts";
import { type JudgedCase, judgedCases } from "./message-cases.ts";
import type { PolicySource } from "./policy-source.ts";
import { describeUser, parseSubject, parseUser, type Subject } from "./subject.ts";

export interface WhyWords extends MessageWords {
  readonly sender: string;
  readonly name: string | undefined;
  readonly own: string | undefined;
  readonly connect: boolean;
  readonly owns: readonly string[];
  readonly "destination-owns": readonly string[];
  readonly "receiver-user": string | undefined;
}

/** A peer as the question sees it. */
export interface KnownPeer {
  /** As it was typed. */
  readonly text: string;
  /** null: the bus itself, for which no rules hold. */
  readonly peer: PolicyPeer | null;
}

export type Answer =
  | {
      readonly about: "message";
      readonly sender: KnownPeer;
      readonly receiver: KnownPeer;
      readonly asked: PolicyMessage;
      /** More than one if the verdict depends on what the question leaves open. */
      readonly cases: readonly [JudgedCase, ...JudgedCase[]];
      /** If the sender may not even connect: who says so. */
      readonly refusedToConnect: Judgement<PolicyRule> | null;
      readonly notes: readonly string[];
    }
  | {
      readonly about: "own";
      readonly sender: KnownPeer;
      readonly name: string;
      readonly judgement: Judgement<PolicyRule>;
      readonly notes: readonly string[];
    }
  | {
      readonly about: "connect";
      readonly sender: KnownPeer;
      readonly judgement: Judgement<PolicyRule>;
      readonly isOwner: boolean;
      readonly notes: readonly string[];
    };

/** A running bus that can be asked about peers. */
export interface AskedBus {
  /** null: there is none to ask. @throws CommandProblem if it cannot be reached and `mustBe` */
  open(mustBe: boolean): Promise<Client | null>;
}

/** @throws CommandProblem if the question makes no sense, or is about a peer that there is not */
export async function answerWhy(
  words: WhyWords,
  source: PolicySource,
  bus: AskedBus,
): Promise<Answer> {
  const { name, own, connect } = words;
  if ([name !== undefined, own !== undefined, connect].filter(Boolean).length !== 1) {
    throw misuse("ask about a NAME to send to, or --own NAME, or --connect: one of them");
  }
  const policy = new PolicyExplainer(source.policy);
  const sender = await senderOf(words, bus);
  if (own !== undefined) return answerOwning(policy, sender, own);
  if (connect) return answerConnecting(policy, sender, source);
  const notes: string[] = [];
  const asked = askedMessage(words, checkedBusName(name ?? ""));
  const receiver = await receiverOf(words, asked, bus, notes);
  const to = receiver.peer ?? { bus: true as const };
  const cases = judgedCases(asked, source.policy.rules, policy, sender.peer, to);
  const refusedToConnect = connectionRefused(policy, source, sender);
  return { about: "message", sender, receiver, asked, cases, refusedToConnect, notes };
}

function answerOwning(policy: PolicyExplainer, sender: KnownPeer, name: string): Answer {
  if (!isWellKnownName(name) || name === DRIVER_NAME) {
    throw misuse(`nobody may own ${JSON.stringify(name)}: it is no name that can be asked for`);
  }
  const judgement = onlyStep(policy.own(ruled(sender), name));
  return { about: "own", sender, name, judgement, notes: [] };
}

function answerConnecting(
  policy: PolicyExplainer,
  sender: KnownPeer,
  source: PolicySource,
): Answer {
  const { userId } = ruled(sender);
  if (userId === null) throw misuse(`which user ${sender.text} is, is not known`);
  const isOwner = runsBus(userId, source);
  const isUnknown = !isOwner && !source.policy.accounts.isKnown(userId);
  const unknown =
    "this machine has no such user, and a bus lets in nobody whom the machine does not know";
  const judgement = onlyStep(policy.connect(userId, isOwner));
  return { about: "connect", sender, judgement, isOwner, notes: isUnknown ? [unknown] : [] };
}

interface Sender extends KnownPeer {
  readonly kind: Subject["kind"];
}

async function senderOf({ sender: text, owns }: WhyWords, bus: AskedBus): Promise<Sender> {
  const subject = parseSubject(text);
  const names = owns.map(checkedBusName);
  switch (subject.kind) {
    case "bus":
      return { kind: "bus", text, peer: null };
    case "user":
      return { kind: "user", ...ofUser(text, subject.userId, subject.groups, names) };
    case "peer": {
      const client = await bus.open(true);
      const peer = client === null ? null : await livePeer(client, subject.name);
      if (peer === null) {
        throw failure(`nobody owns ${subject.name}`, "names that there are: onehop list");
      }
      return { kind: "peer", ...ofPeer(text, peer, names) };
    }
  }
}

async function receiverOf(
  words: WhyWords,
  { destination }: PolicyMessage,
  bus: AskedBus,
  notes: string[],
): Promise<KnownPeer> {
  const name = checkedBusName(words.name ?? "");
  const names = [name, ...words["destination-owns"].map(checkedBusName)];
  if (name === DRIVER_NAME) {
    if (destination === null)
      throw misuse("the bus itself hears no broadcasts: NAME is a peer that does");
    return { text: name, peer: null };
  }
  const user = words["receiver-user"];
  if (user !== undefined) {
    const known = parseUser(user);
    if (known === null) throw misuse(`there is no user ${JSON.stringify(user)}`);
    return ofUser(name, known.userId, known.groups, names);
  }
  const client = await bus.open(name.startsWith(":"));
  const peer = client === null ? null : await livePeer(client, name);
  if (peer !== null) return ofPeer(name, peer, names);
  if (name.startsWith(":")) throw failure(`nobody owns ${name}`);
  notes.push(
    `who owns ${name} is not known${client === null ? "" : ": nobody does now"}; its rules for users and groups are not looked at (--receiver-user USER)`,
  );
  return { text: name, peer: { userId: null, groups: [], names } };
}

function ofUser(
  text: string,
  userId: number,
  groups: readonly number[],
  names: readonly string[],
): KnownPeer {
  return { text, peer: { userId, groups, names } };
}

function ofPeer(text: string, peer: LivePeer, more: readonly string[]): KnownPeer {
  const { userId, groups } = peer;
  return { text, peer: { userId, groups, names: [...new Set([...peer.names, ...more])] } };
}

/** @throws CommandProblem if it is the bus itself */
function ruled({ peer, text }: KnownPeer): PolicyPeer {
  if (peer === null) throw misuse(`${text} is the bus itself: no rules hold for it`);
  return peer;
}

/** The question was one only. */
function onlyStep({ steps: [step] }: PolicyExplanation): Judgement<PolicyRule> {
  if (step === undefined) throw new Error("nothing was asked");
  return step;
}

/** Who refuses the sender, unless it is a peer, who has connected. Everybody has a session bus of his own. */
function connectionRefused(
  policy: PolicyExplainer,
  source: PolicySource,
  { kind, peer }: Sender,
): Judgement<PolicyRule> | null {
  if (kind !== "user" || peer === null || peer.userId === null) return null;
  if (source.configuration.type === "session") return null;
  const { userId } = peer;
  const judgement = onlyStep(policy.connect(userId, runsBus(userId, source)));
  return judgement.isAllowed ? null : judgement;
}

function runsBus(userId: number, { configuration: { user } }: PolicySource): boolean {
  return userId === (user === null ? process.geteuid?.() : findUser(user)?.userId);
}

/** `alice (1000)`; the peer itself where no user is known. */
export function describePeer({ text, peer }: KnownPeer): string {
  const userId = peer?.userId ?? null;
  if (userId === null) return text;
  const user = describeUser(userId);
  return text === String(userId) || user.startsWith(`${text} (`) ? user : `${text}, ${user}`;
}

/** A question that leaves something open is answered with yes if nothing of it is denied. */
export function isAllowed(answer: Answer): boolean {
  if (answer.about !== "message") return answer.judgement.isAllowed;
  return answer.cases.every(({ explanation }) => explanation.isAllowed);
}
