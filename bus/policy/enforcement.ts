/** Hot path: the policy of a bus, asked about every message; what it refuses is told in words only then. */

import type { Endpoint } from "../../routing/endpoint.ts";
import type { Gatekeeper } from "../../routing/gatekeeper.ts";
import type { Header } from "../../wire/header.ts";
import type { Strings } from "../../wire/intern.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import type { Log } from "../log.ts";
import type { PeerProcesses } from "../peer-process.ts";
import { CompiledPolicy } from "./compile.ts";
import { complaintText, type Refused } from "./complaint.ts";
import { LimitedLog } from "./limited-log.ts";
import type { Policy } from "./policy.ts";
import { Question } from "./question.ts";
import { describeOrigin, type PolicyRule } from "./rules.ts";
import type { Judgement } from "./snapshot.ts";
import { type Standing, Standings } from "./standing.ts";
import { Verdict, VerdictCache } from "./verdict-cache.ts";

/** Ids of standings have to fit in the cache. */
const LAST_STANDING_ID = 0x3fff_ffff;

/** What it has to know from the bus. */
export interface EnforcementHost {
  readonly strings: Strings;
  readonly processes: PeerProcesses;
  readonly log: Log;
  /** Only tell in the log what would be refused, and let it pass. */
  readonly isComplaining: boolean;
  /** All names that a peer owns or waits for, the unique one among them. */
  namesOf(endpoint: Endpoint): Iterable<string>;
  /** The groups of its process when it connected; null if the kernel does not tell. */
  groupsOf(endpoint: Endpoint): readonly number[] | null;
}

export class Enforcement implements Gatekeeper {
  /** Why the last message that `mayPass` refused, or the last name, was refused: for its sender. */
  objection = "";
  readonly #host: EnforcementHost;
  readonly #log: LimitedLog;
  readonly #question: Question = new Question();
  readonly #cache: VerdictCache = new VerdictCache();
  #policy: CompiledPolicy;
  #standings: Standings = new Standings();
  /** By index of endpoint; null is not known, or not any more. */
  #peers: (Standing | null)[] = [];
  #driver: Standing;
  /** Of the message that `mayHear` is asked about: the sender, and the last one who was allowed to hear it. */
  #copyFrom: Standing | null = null;
  #lastHearer: Standing | null = null;

  constructor(policy: Policy, host: EnforcementHost) {
    this.#host = host;
    this.#log = new LimitedLog(host.log);
    this.#policy = new CompiledPolicy(policy, host.strings);
    this.#driver = this.#driverStanding();
  }

  /** Judges everybody by another policy from now on. */
  use(policy: Policy): void {
    const before = this.#policy;
    this.#policy = new CompiledPolicy(policy, this.#host.strings);
    before.release();
    this.#beginAnew();
  }

  /** Whom to ask about messages; null if every message is allowed. */
  get gatekeeper(): Gatekeeper | null {
    return this.#policy.allowsAllMessages ? null : this;
  }

  /** How many snapshots are in use. */
  get snapshotCount(): number {
    return this.#policy.snapshotCount;
  }

  mayPass(
    sender: Endpoint,
    receiver: Endpoint | null,
    header: Header,
    isRequested: boolean,
  ): boolean {
    this.#question.ask(this.#policy.strings, header, isRequested, false);
    const from = this.#standingOf(sender);
    const to = receiver === null ? this.#driver : this.#standingOf(receiver);
    const verdict = this.#verdict(from, to);
    if (verdict === Verdict.Allowed) return true;
    return this.#tell(from, to, { sender, receiver, header, isRequested });
  }

  beginCopies(header: Header): void {
    this.#question.ask(this.#policy.strings, header, false, header.destination !== 0);
    this.#copyFrom = null;
    this.#lastHearer = null;
  }

  mayHear(sender: Endpoint | null, receiver: Endpoint, header: Header): boolean {
    const to = this.#standingOf(receiver);
    // Those who hear the same are mostly alike.
    if (to === this.#lastHearer) return true;
    const from = this.#copyFrom ?? (sender === null ? this.#driver : this.#standingOf(sender));
    this.#copyFrom = from;
    const verdict = this.#verdict(from, to);
    if (verdict === Verdict.Allowed) {
      this.#lastHearer = to;
      return true;
    }
    const isComplaining = this.#host.isComplaining;
    if (verdict === Verdict.Denied && !isComplaining) return false;
    // As with dbus-daemon, the log is not told who is kept from a copy.
    return this.#tell(from, to, { sender, receiver, header, isRequested: false }, isComplaining);
  }

  mayBeTold(receiver: Endpoint, header: Header): boolean {
    const isRequested = header.replySerial !== 0;
    this.#question.ask(this.#policy.strings, header, isRequested, false);
    const to = this.#standingOf(receiver);
    const verdict = this.#verdict(this.#driver, to);
    if (verdict === Verdict.Allowed) return true;
    return this.#tell(this.#driver, to, { sender: null, receiver, header, isRequested });
  }

  /** May `sender` send a message for `name`, whose owner is still to be started? */
  mayStart(sender: Endpoint, name: string, header: Header): boolean {
    this.#question.ask(this.#policy.strings, header, false, false);
    const from = this.#standingOf(sender);
    // It is taken for granted that the owner will have this name and no other.
    const to = { id: 0, snapshot: null, names: this.#policy.names.fitting([name]) };
    return this.#tell(from, to, { sender, receiver: null, header, isRequested: false });
  }

  mayOwn(endpoint: Endpoint, name: string): boolean {
    const judgement = this.#standingOf(endpoint).snapshot?.mayOwn(name) ?? null;
    if (judgement === null || judgement.isAllowed) return true;
    this.objection = `Connection "${endpoint.uniqueName}" is not allowed to own the service "${name}" due to security policies in the configuration file`;
    this.#warn(endpoint, judgement, () => {
      const process = this.#host.processes.describe(endpoint);
      return `${this.objection} (${process})`;
    });
    return this.#host.isComplaining;
  }

  /** Who may connect; also says in `objection` which rule decided. */
  mayConnect(userId: number, isOwner: boolean): boolean {
    const judgement = this.#policy.mayConnect(userId, isOwner);
    this.objection = reasonOf(judgement);
    return judgement.isAllowed;
  }

  /** Why `receiver` is not given a copy: what monitors see. */
  objectionToCopy(sender: Endpoint | null, receiver: Endpoint, header: Header): string {
    this.#question.ask(this.#policy.strings, header, false, header.destination !== 0);
    const refused = { sender, receiver, header, isRequested: false };
    const from = sender === null ? this.#driver : this.#standingOf(sender);
    return this.#refusal(from, this.#standingOf(receiver), refused).text;
  }

  /** `endpoint` has got a name, as its owner or waiting for it, or has lost it. */
  nameChanged(endpoint: Endpoint, name: string, isGained: boolean): void {
    const standing = this.#peers[endpoint.index] ?? null;
    if (standing === null) return;
    const mentions = this.#policy.names.fitting([name]);
    // A peer may have very many names: the others are only looked at if rules see a difference.
    const isSame = mentions.every((mention) => isGained && standing.names.includes(mention));
    if (!isSame) this.forget(endpoint);
  }

  /** `endpoint` is gone, or has to be looked at again. */
  forget(endpoint: Endpoint): void {
    const standing = this.#peers[endpoint.index] ?? null;
    if (standing === null) return;
    this.#peers[endpoint.index] = null;
    this.#standings.giveBack(standing);
    if (standing.snapshot !== null) this.#policy.giveBack(standing.snapshot);
  }

  #verdict(from: Standing, to: Standing): Verdict {
    const question = this.#question;
    const known = this.#cache.find(from.id, to.id, question);
    if (known !== Verdict.Unknown) return known;
    const verdict = judge(from, to, question);
    this.#cache.keep(from.id, to.id, question, verdict);
    return verdict;
  }

  #standingOf(endpoint: Endpoint): Standing {
    const known = this.#peers[endpoint.index] ?? null;
    if (known !== null) return known;
    if (this.#standings.lastId >= LAST_STANDING_ID) this.#beginAnew();
    const snapshot = this.#policy.snapshotFor({
      userId: endpoint.connection.credentials.userId,
      groups: () => this.#host.groupsOf(endpoint),
    });
    const names = this.#policy.names.fitting(this.#host.namesOf(endpoint));
    const standing = this.#standings.take(snapshot, names);
    while (this.#peers.length <= endpoint.index) this.#peers.push(null);
    this.#peers[endpoint.index] = standing;
    return standing;
  }

  #driverStanding(): Standing {
    return this.#standings.take(null, this.#policy.names.fitting([DRIVER_NAME]));
  }

  #beginAnew(): void {
    for (const standing of this.#peers) {
      if (standing?.snapshot != null) this.#policy.giveBack(standing.snapshot);
    }
    this.#peers = [];
    this.#standings = new Standings();
    this.#cache.clear();
    this.#copyFrom = null;
    this.#lastHearer = null;
    this.#driver = this.#driverStanding();
  }

  /** The same again, in words: for what is refused or to be told. Returns whether it may pass. */
  #tell(from: Standing, to: Standing, refused: Refused, isRefusalLogged = true): boolean {
    const payer = refused.sender ?? refused.receiver;
    const sent = from.snapshot?.maySend(this.#question, to.names) ?? null;
    if (sent?.isAllowed && sent.decidedBy?.subject === "send" && sent.decidedBy.logs) {
      this.#warn(payer, sent, () => this.#text("Would reject message", sent, refused));
    }
    const { text, judgement } = this.#refusal(from, to, refused);
    if (judgement === null) return true;
    this.objection = text;
    if (isRefusalLogged) this.#warn(payer, judgement, () => text);
    return this.#host.isComplaining;
  }

  /** Who refuses, if anybody does, and in which words. */
  #refusal(
    from: Standing,
    to: Standing,
    refused: Refused,
  ): { text: string; judgement: Judgement<PolicyRule> | null } {
    const sent = from.snapshot?.maySend(this.#question, to.names) ?? null;
    if (sent !== null && !sent.isAllowed) {
      return { text: this.#text("Rejected send message", sent, refused), judgement: sent };
    }
    const received = to.snapshot?.mayReceive(this.#question, from.names) ?? null;
    if (received !== null && !received.isAllowed) {
      return {
        text: this.#text("Rejected receive message", received, refused),
        judgement: received,
      };
    }
    return { text: "", judgement: null };
  }

  #text(what: string, judgement: Judgement<PolicyRule>, refused: Refused): string {
    const { strings, processes } = this.#host;
    return complaintText(what, judgement.fitting.length, refused, strings, processes);
  }

  /** The log gets what dbus-daemon would say, and who decided. */
  #warn(payer: Endpoint | null, judgement: Judgement<PolicyRule>, text: () => string): void {
    const userId = payer?.connection.credentials.userId ?? null;
    const complaining = this.#host.isComplaining && !judgement.isAllowed ? "Not enforced: " : "";
    this.#log.warn(userId, () => `${complaining}${text()}; ${reasonOf(judgement)}`);
  }
}

function judge(from: Standing, to: Standing, question: Question): Verdict {
  if (from.snapshot !== null) {
    const rule = from.snapshot.sendRule(question, to.names);
    if (rule === null || !rule.allows) return Verdict.Denied;
    if (rule.source.subject === "send" && rule.source.logs) return Verdict.Told;
  }
  if (to.snapshot !== null) {
    const rule = to.snapshot.receiveRule(question, from.names);
    if (rule === null || !rule.allows) return Verdict.Denied;
  }
  return Verdict.Allowed;
}

function reasonOf({ decidedBy }: Judgement<PolicyRule>): string {
  if (decidedBy === null) return "no rule allows it";
  return `decided by ${describeOrigin(decidedBy.origin)}`;
}
