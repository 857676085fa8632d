/**
 * Who pays: the router's ledger, and what each connection costs its user.
 *
 * dbus-daemon limits connections, and a user may have many of them; so beside its limits, which are the same
 * here, users have fair shares of what there is (supplies.ts) and of each other's queues (waiting-bytes.ts).
 */

import type { Endpoint } from "../routing/endpoint.ts";
import { type Ledger, type Payer, Verdict } from "../routing/ledger.ts";
import { WaitingDescriptors } from "../routing/waiting-descriptors.ts";
import type { Stage } from "../transport/stage.ts";
import { Variant } from "../wire/variant.ts";
import type { Complaints } from "./complaints.ts";
import { isWithinShare } from "./fair-share.ts";
import type { Limits } from "./limits.ts";
import { Supplies } from "./supplies.ts";
import { RESOURCE_NAMES, RESOURCES, Resource, type User } from "./user.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

/** Replies that are allowed, and charged, at a time. */
const REPLY_CHUNK = 256;

export class Accounting implements Ledger {
  readonly supplies: Supplies;
  readonly #limits: Limits;
  readonly #stage: Stage;
  readonly #bytes: WaitingBytes;
  readonly #replyCountOf: (endpoint: Endpoint) => number;
  /** Receivers with waiting descriptors. */
  readonly #slowForDescriptors: Set<Endpoint> = new Set();
  #descriptorsSweptTurn = 0;

  constructor(
    limits: Limits,
    stage: Stage,
    complaints: Complaints,
    replyCountOf: (endpoint: Endpoint) => number,
  ) {
    this.#limits = limits;
    this.#stage = stage;
    this.supplies = new Supplies(limits, complaints);
    this.#bytes = new WaitingBytes(limits, this.supplies, (user) => this.#sweep(user));
    this.#replyCountOf = replyCountOf;
  }

  // Connections

  /** A connection begins its handshake. */
  entered(endpoint: Endpoint): void {
    const user = this.supplies.payerOf(endpoint);
    user.add(endpoint);
    endpoint.freeBytes = this.#bytes.freeBytes;
    endpoint.replyAllowance = REPLY_CHUNK;
    this.supplies.charge(user, Resource.Handshakes, 1);
  }

  /** Another user pays for it, before it has anything but its handshake. */
  assign(endpoint: Endpoint, userId: number | null): void {
    const before = this.supplies.payerOf(endpoint);
    const user = this.supplies.userOf(userId);
    if (user === before) return;
    before.remove(endpoint);
    endpoint.payer = user;
    user.add(endpoint);
    this.supplies.charge(user, Resource.Handshakes, 1);
    this.supplies.refund(before, Resource.Handshakes, 1);
  }

  /** It has said Hello. */
  registered(endpoint: Endpoint): void {
    const user = this.supplies.payerOf(endpoint);
    this.supplies.refund(user, Resource.Handshakes, 1);
    this.supplies.charge(user, Resource.Connections, 1);
    endpoint.isCompleted = true;
  }

  /** It is gone, and so is everything that waited for it. */
  left(endpoint: Endpoint): void {
    const user = this.supplies.payerOf(endpoint);
    this.#bytes.settle(endpoint, 0);
    endpoint.descriptors?.settle(0, -1, this.#descriptorsGone);
    this.#slowForDescriptors.delete(endpoint);
    this.settle(endpoint, Resource.Names, 0);
    this.settle(endpoint, Resource.MatchRules, 0);
    this.supplies.refund(user, Resource.Replies, endpoint.replyAllowance - REPLY_CHUNK);
    const kind = endpoint.isCompleted ? Resource.Connections : Resource.Handshakes;
    this.supplies.refund(user, kind, 1);
    user.remove(endpoint);
    this.supplies.forgetIdle(user);
  }

  /** A reload may have brought other limits. */
  limitsChanged(): void {
    for (const user of this.supplies.users()) {
      for (const endpoint of user.endpoints) {
        if (endpoint.backlog === null) endpoint.freeBytes = this.#bytes.freeBytes;
      }
    }
  }

  /** A peer has so many names or match rules now. */
  settle(endpoint: Endpoint, resource: 2 | 3, count: number): void {
    const isNames = resource === Resource.Names;
    const before = isNames ? endpoint.chargedNames : endpoint.chargedRules;
    if (count === before) return;
    if (isNames) endpoint.chargedNames = count;
    else endpoint.chargedRules = count;
    const user = this.supplies.payerOf(endpoint);
    if (count > before) this.supplies.charge(user, resource, count - before);
    else this.supplies.refund(user, resource, before - count);
  }

  /**
   * For Debug.Stats: by user id and resource, what it uses and what it could have, the greatest number for no limit:
   * `a{ua{s(tt)}}`. Of what waits for receivers there is what waits for this user's connections, from itself and from
   * others.
   */
  figures(): [string, Variant][] {
    const users = new Map<number, ReadonlyMap<string, readonly [bigint, bigint]>>();
    for (const user of this.supplies.users()) {
      this.#sweep(user);
      const figures = new Map<string, readonly [bigint, bigint]>();
      for (const resource of RESOURCES) {
        const share = this.supplies.shareOf(user, resource);
        figures.set(RESOURCE_NAMES[resource], pairOf(this.#usedBy(user, resource), share));
      }
      const most = this.#limits.maxWaitingBytesPerUser;
      const ofOwn = user.isPrivileged ? Number.POSITIVE_INFINITY : most;
      figures.set("OutgoingBytes", pairOf(user.waitingFrom.get(user) ?? 0, ofOwn));
      figures.set("OutgoingBytesOfOthers", pairOf(user.foreignBytes, most));
      users.set(user.userId >>> 0, figures);
    }
    return [["org.onehop.Users", new Variant("a{ua{s(tt)}}", users)]];
  }

  /** Replies are charged in portions, and told one by one. */
  #usedBy(user: User, resource: Resource): number {
    if (resource !== Resource.Replies) return this.supplies.usedBy(user, resource);
    let count = 0;
    for (const endpoint of user.endpoints) count += this.#replyCountOf(endpoint);
    return count;
  }

  // The router's ledger

  chargeBytes(
    receiver: Endpoint,
    sender: Endpoint | null,
    byteLength: number,
    queued: number,
  ): Verdict {
    return this.#bytes.charge(receiver, sender, byteLength, queued);
  }

  chargeDescriptors(
    receiver: Endpoint,
    sender: Endpoint | null,
    count: number,
    sequence: number,
    turn: number,
  ): Verdict {
    const payer = this.supplies.payerOf(sender ?? receiver);
    const from = receiver.connection.unsentFrom();
    receiver.descriptors ??= new WaitingDescriptors();
    const { descriptors } = receiver;
    descriptors.settle(from, turn, this.#descriptorsGone);
    const waiting = descriptors.total;
    // While it reads nothing waits, and everything may come.
    if (from !== 0 && waiting > 0) {
      const limit = this.#limits.maxOutgoingUnixFds;
      const isForeign = sender !== null && this.#bytes.isForeign(receiver, sender);
      if (waiting + count > limit) return isForeign ? Verdict.ShareSpent : Verdict.QueueFull;
      const own = descriptors.countOf(payer);
      const users = descriptors.payerCount + (own === 0 ? 1 : 0);
      const isFree = !isForeign || own + count <= limit / 4;
      if (!isFree && !isWithinShare(own, count, limit - waiting, users)) return Verdict.ShareSpent;
    }
    if (!this.supplies.mayHave(payer, Resource.Descriptors, count)) {
      this.#sweepDescriptors(turn);
      if (this.supplies.refusalOf(payer, Resource.Descriptors, count) !== null)
        return Verdict.ShareSpent;
    }
    this.supplies.charge(payer, Resource.Descriptors, count);
    descriptors.push(payer, count, sequence, turn);
    this.#slowForDescriptors.add(receiver);
    receiver.peakQueuedUnixFds = Math.max(receiver.peakQueuedUnixFds, waiting + count);
    return Verdict.Admitted;
  }

  raiseReplyAllowance(sender: Endpoint, waiting: number): boolean {
    const user = this.supplies.payerOf(sender);
    if (!this.supplies.mayHave(user, Resource.Replies, REPLY_CHUNK)) this.#sweep(user);
    if (this.supplies.refusalOf(user, Resource.Replies, REPLY_CHUNK) !== null) return false;
    this.supplies.charge(user, Resource.Replies, REPLY_CHUNK);
    sender.replyAllowance = Math.max(waiting, sender.replyAllowance) + REPLY_CHUNK;
    return true;
  }

  chargeHeld(sender: Endpoint, byteLength: number, unixFds: number): boolean {
    const user = this.supplies.payerOf(sender);
    if (this.supplies.refusalOf(user, Resource.HeldBytes, byteLength) !== null) return false;
    if (unixFds > 0) {
      if (this.supplies.refusalOf(user, Resource.Descriptors, unixFds) !== null) return false;
      this.supplies.charge(user, Resource.Descriptors, unixFds);
    }
    this.supplies.charge(user, Resource.HeldBytes, byteLength);
    return true;
  }

  refundHeld(sender: Endpoint, byteLength: number, unixFds: number): void {
    const user = this.supplies.payerOf(sender);
    this.supplies.refund(user, Resource.HeldBytes, byteLength);
    this.supplies.refund(user, Resource.Descriptors, unixFds);
  }

  /** Looks what has left the queues of a user's connections since they were asked last; once in a turn. */
  #sweep(user: User): void {
    const { turn } = this.#stage;
    if (user.sweptTurn === turn) return;
    user.sweptTurn = turn;
    for (const endpoint of user.endpoints) {
      if (endpoint.backlog !== null) {
        this.#bytes.settle(endpoint, endpoint.connection.queuedBytes(turn));
      }
      const needed =
        REPLY_CHUNK * Math.max(1, Math.ceil(this.#replyCountOf(endpoint) / REPLY_CHUNK));
      if (needed >= endpoint.replyAllowance) continue;
      this.supplies.refund(user, Resource.Replies, endpoint.replyAllowance - needed);
      endpoint.replyAllowance = needed;
    }
  }

  #sweepDescriptors(turn: number): void {
    if (this.#descriptorsSweptTurn === turn) return;
    this.#descriptorsSweptTurn = turn;
    for (const receiver of this.#slowForDescriptors) {
      receiver.descriptors?.settle(receiver.connection.unsentFrom(), turn, this.#descriptorsGone);
      if ((receiver.descriptors?.total ?? 0) === 0) this.#slowForDescriptors.delete(receiver);
    }
  }

  readonly #descriptorsGone = (payer: Payer, count: number): void => {
    this.supplies.refund(this.supplies.ofPayer(payer), Resource.Descriptors, count);
  };
}

/** As `(tt)`. */
function pairOf(used: number, share: number): readonly [bigint, bigint] {
  return [BigInt(used), share === Number.POSITIVE_INFINITY ? NO_LIMIT : BigInt(Math.max(0, share))];
}

const NO_LIMIT = 2n ** 64n - 1n;
