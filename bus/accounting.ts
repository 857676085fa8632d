/**
 * Users, and who of them may have how much: the router's ledger, and the accounts of the bus itself.
 *
 * dbus-daemon limits connections. A user may have many of them, so beside its limits, which are the same
 * here, users share what there is: see fair-share.ts. What little anybody needs is never a question of
 * shares (FLOORS). For root and the user that runs the bus, which own everything on a session bus, a share is
 * all that is left.
 *
 * Bytes that wait for a receiver are the receiver's user's matter: of its queue, and of what may wait for all
 * its connections together, each other user has a share. So a queue that is full of one sender's messages is
 * full for this sender alone. Only what leaves a queue slowly is looked at: up to `freeBytes` anything may
 * wait, and nobody counts it.
 */

import { Backlog } from "../routing/backlog.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import { type Ledger, type Payer, Verdict } from "../routing/ledger.ts";
import { WaitingDescriptors } from "../routing/waiting-descriptors.ts";
import type { Stage } from "../transport/stage.ts";
import type { Complaints } from "./complaints.ts";
import { isWithinShare, shareOf } from "./fair-share.ts";
import type { Limits } from "./limits.ts";
import { RESOURCES, Resource, User } from "./user.ts";

/** By resource: who has no more than this is not asked about shares. */
const FLOORS: readonly number[] = [16, 8, 64, 256, 256, 16, 1 << 20, 16];
/** How the log and errors call what is shared, and which limit says how much there is. */
const SUPPLIES: readonly (readonly [noun: string, limit: string])[] = [
  ["connections", "max_completed_connections"],
  ["connections in the handshake", "max_incomplete_connections"],
  ["names", "names of all users"],
  ["match rules", "match rules of all users"],
  ["replies to wait for", "replies of all users"],
  ["messages waiting for services", "max_pending_service_starts"],
  ["bytes waiting for names", "waiting bytes of all users"],
  ["descriptors waiting", "waiting descriptors of all users"],
];
/** For these the configuration says how many there are in all; for the others privileged users do not count. */
const COUNTS_ALL: ReadonlySet<Resource> = new Set([
  Resource.Connections,
  Resource.Handshakes,
  Resource.ServiceStarts,
  Resource.Descriptors,
]);
/** So much may wait for a receiver before anybody looks whose it is: less than a socket holds anyway. */
const FREE_BYTES = 64 << 10;
/** Replies that are allowed, and charged, at a time. */
const REPLY_CHUNK = 256;

export class Accounting implements Ledger {
  readonly #limits: Limits;
  readonly #stage: Stage;
  readonly #complaints: Complaints;
  readonly #users: Map<number, User> = new Map();
  /** By resource: what is used, and by how many users that are not privileged. */
  readonly #total: number[] = RESOURCES.map(() => 0);
  readonly #holders: number[] = RESOURCES.map(() => 0);
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
    this.#complaints = complaints;
    this.#replyCountOf = replyCountOf;
  }

  // Users and their connections

  /** The user with that id, who may have nothing yet. */
  userOf(userId: number | null): User {
    const id = userId ?? -1;
    const known = this.#users.get(id);
    if (known !== undefined) return known;
    const user = new User(id, id === 0 || id === process.geteuid?.());
    this.#users.set(id, user);
    return user;
  }

  *users(): Generator<User> {
    yield* this.#users.values();
  }

  /** A connection begins its handshake. */
  entered(endpoint: Endpoint): void {
    const user = this.#payerOf(endpoint);
    user.endpoints.add(endpoint);
    endpoint.freeBytes = this.#freeBytes;
    endpoint.replyAllowance = REPLY_CHUNK;
    this.charge(user, Resource.Handshakes, 1);
  }

  /** It has said Hello. */
  registered(endpoint: Endpoint): void {
    const user = this.#payerOf(endpoint);
    this.refund(user, Resource.Handshakes, 1);
    this.charge(user, Resource.Connections, 1);
    endpoint.isCompleted = true;
  }

  /** It is gone, and so is everything that waited for it. */
  left(endpoint: Endpoint): void {
    const user = this.#payerOf(endpoint);
    if (endpoint.backlog !== null) this.#settleBytes(user, endpoint, endpoint.backlog, 0);
    endpoint.descriptors?.settle(0, -1, this.#descriptorsGone);
    this.#slowForDescriptors.delete(endpoint);
    this.settle(endpoint, Resource.Names, 0);
    this.settle(endpoint, Resource.MatchRules, 0);
    this.refund(user, Resource.Replies, endpoint.replyAllowance - REPLY_CHUNK);
    const kind = endpoint.isCompleted ? Resource.Connections : Resource.Handshakes;
    this.refund(user, kind, 1);
    user.endpoints.delete(endpoint);
    this.#forgetIdle(user);
  }

  /** A reload may have brought other limits. */
  limitsChanged(): void {
    for (const user of this.#users.values()) {
      for (const endpoint of user.endpoints) {
        if (endpoint.backlog === null) endpoint.freeBytes = this.#freeBytes;
      }
    }
  }

  // What the bus itself counts

  /** Why the user of `endpoint` may not have `amount` more, or null; the log is told. */
  refusalFor(endpoint: Endpoint, resource: Resource, amount: number): string | null {
    return this.refusalOf(this.#payerOf(endpoint), resource, amount);
  }

  /** The same; if not refused, it is charged. */
  chargeFor(endpoint: Endpoint, resource: Resource, amount: number): string | null {
    const user = this.#payerOf(endpoint);
    const refusal = this.refusalOf(user, resource, amount);
    if (refusal === null) this.charge(user, resource, amount);
    return refusal;
  }

  refundTo(payer: Payer, resource: Resource, amount: number): void {
    this.refund(this.#user(payer), resource, amount);
  }

  /** Why `user` may not have `amount` more, or null; the log is told. */
  refusalOf(user: User, resource: Resource, amount: number): string | null {
    if (this.#mayHave(user, resource, amount)) return null;
    const [noun, limit] = SUPPLIES[resource] ?? ["", ""];
    const text = `user ${user.userId} has its fair share of ${noun}: ${user.used[resource]} (${limit}: ${this.capacityOf(resource)})`;
    this.#complaints.about(noun, user.userId, () => `refused: ${text}`);
    return text;
  }

  charge(user: User, resource: Resource, amount: number): void {
    const before = this.#used(user, resource);
    user.used[resource] = before + amount;
    if (!user.isPrivileged || COUNTS_ALL.has(resource)) this.#add(this.#total, resource, amount);
    if (!user.isPrivileged && before === 0 && amount > 0) this.#add(this.#holders, resource, 1);
  }

  refund(user: User, resource: Resource, amount: number): void {
    if (amount === 0) return;
    const left = this.#used(user, resource) - amount;
    user.used[resource] = left;
    if (!user.isPrivileged || COUNTS_ALL.has(resource)) this.#add(this.#total, resource, -amount);
    if (user.isPrivileged || left > 0) return;
    this.#add(this.#holders, resource, -1);
    this.#forgetIdle(user);
  }

  /** A peer has so many names or match rules now. */
  settle(endpoint: Endpoint, resource: 2 | 3, count: number): void {
    const isNames = resource === Resource.Names;
    const before = isNames ? endpoint.chargedNames : endpoint.chargedRules;
    if (count === before) return;
    if (isNames) endpoint.chargedNames = count;
    else endpoint.chargedRules = count;
    const user = this.#payerOf(endpoint);
    if (count > before) this.charge(user, resource, count - before);
    else this.refund(user, resource, before - count);
  }

  usedBy(user: User, resource: Resource): number {
    return this.#used(user, resource);
  }

  /** What all have together, those counted whom a share is asked of. */
  totalOf(resource: Resource): number {
    return this.#total[resource] ?? 0;
  }

  /** How much there is for all. */
  capacityOf(resource: Resource): number {
    const limits = this.#limits;
    switch (resource) {
      case Resource.Connections:
        return limits.maxCompletedConnections;
      case Resource.Handshakes:
        return limits.maxIncompleteConnections;
      case Resource.Names:
        return limits.maxNames;
      case Resource.MatchRules:
        return limits.maxMatchRules;
      case Resource.Replies:
        return limits.maxReplies;
      case Resource.ServiceStarts:
        return limits.maxPendingServiceStarts;
      case Resource.HeldBytes:
        return limits.maxHeldBytes;
      case Resource.Descriptors:
        return limits.maxDescriptors;
    }
  }

  /** For statistics: what `user` could have of it now. */
  shareOf(user: User, resource: Resource): number {
    const own = this.#used(user, resource);
    const free = this.capacityOf(resource) - (this.#total[resource] ?? 0);
    if (user.isPrivileged) return Math.max(own, own + free);
    const users = this.#usersOf(user, resource);
    return Math.max(FLOORS[resource] ?? 0, shareOf(own, free, users));
  }

  // The router's ledger

  chargeBytes(
    receiver: Endpoint,
    sender: Endpoint | null,
    byteLength: number,
    queued: number,
  ): Verdict {
    const user = this.#payerOf(receiver);
    const payer = sender === null ? user : this.#payerOf(sender);
    if (receiver.backlog !== null) this.#settleBytes(user, receiver, receiver.backlog, queued);
    // One message, however long, may always come to a receiver for whom nothing waits.
    const verdict =
      queued === 0 ? Verdict.Admitted : this.#judge(receiver, user, payer, byteLength, queued);
    if (verdict !== Verdict.Admitted) return verdict;
    if (queued + byteLength <= this.#freeBytes) return verdict;
    if (receiver.backlog === null) {
      receiver.backlog = new Backlog();
      user.meteredCount++;
      receiver.freeBytes = -1;
    }
    receiver.backlog.push(payer, byteLength);
    user.waitingFrom.set(payer, (user.waitingFrom.get(payer) ?? 0) + byteLength);
    if (payer !== user) user.foreignBytes += byteLength;
    return verdict;
  }

  chargeDescriptors(
    receiver: Endpoint,
    sender: Endpoint | null,
    count: number,
    sequence: number,
    turn: number,
  ): Verdict {
    const payer = this.#payerOf(sender ?? receiver);
    const from = receiver.connection.unsentFrom();
    receiver.descriptors ??= new WaitingDescriptors();
    const { descriptors } = receiver;
    descriptors.settle(from, turn, this.#descriptorsGone);
    const waiting = descriptors.total;
    // While it reads nothing waits, and everything may come.
    if (from !== 0 && waiting > 0) {
      const limit = this.#limits.maxOutgoingUnixFds;
      if (waiting + count > limit) return this.#blame(receiver, payer);
      const own = descriptors.countOf(payer);
      const users = descriptors.payerCount + (own === 0 ? 1 : 0);
      const isFree = !this.#isForeign(receiver, payer) || own + count <= limit / 4;
      if (!isFree && !isWithinShare(own, count, limit - waiting, users)) return Verdict.ShareSpent;
    }
    if (!this.#mayHave(payer, Resource.Descriptors, count)) {
      this.#sweepDescriptors(turn);
      if (this.refusalOf(payer, Resource.Descriptors, count) !== null) return Verdict.ShareSpent;
    }
    this.charge(payer, Resource.Descriptors, count);
    descriptors.push(payer, count, sequence, turn);
    this.#slowForDescriptors.add(receiver);
    receiver.peakQueuedUnixFds = Math.max(receiver.peakQueuedUnixFds, waiting + count);
    return Verdict.Admitted;
  }

  raiseReplyAllowance(sender: Endpoint, waiting: number): boolean {
    const user = this.#payerOf(sender);
    if (!this.#mayHave(user, Resource.Replies, REPLY_CHUNK)) this.#sweep(user);
    if (this.refusalOf(user, Resource.Replies, REPLY_CHUNK) !== null) return false;
    this.charge(user, Resource.Replies, REPLY_CHUNK);
    sender.replyAllowance = Math.max(waiting, sender.replyAllowance) + REPLY_CHUNK;
    return true;
  }

  chargeHeld(sender: Endpoint, byteLength: number, unixFds: number): boolean {
    const user = this.#payerOf(sender);
    if (this.refusalOf(user, Resource.HeldBytes, byteLength) !== null) return false;
    if (unixFds > 0) {
      if (this.refusalOf(user, Resource.Descriptors, unixFds) !== null) return false;
      this.charge(user, Resource.Descriptors, unixFds);
    }
    this.charge(user, Resource.HeldBytes, byteLength);
    return true;
  }

  refundHeld(sender: Endpoint, byteLength: number, unixFds: number): void {
    const user = this.#payerOf(sender);
    this.refund(user, Resource.HeldBytes, byteLength);
    this.refund(user, Resource.Descriptors, unixFds);
  }

  #judge(receiver: Endpoint, user: User, payer: User, byteLength: number, queued: number): Verdict {
    const free = this.#limits.maxOutgoingBytes - queued;
    if (!this.#isForeign(receiver, payer)) {
      if (byteLength > free) return Verdict.QueueFull;
      if (user.isPrivileged || payer.isPrivileged) return Verdict.Admitted;
      return this.#judgeOwn(receiver, user, byteLength);
    }
    const inQueue = receiver.backlog?.bytesOf(payer) ?? 0;
    const inQueueUsers = Math.max(1, this.#foreignUsersIn(receiver, user, inQueue));
    if (byteLength > free || !isWithinShare(inQueue, byteLength, free, inQueueUsers)) {
      return Verdict.ShareSpent;
    }
    if (this.#isWithinShareOfUser(user, payer, byteLength)) return Verdict.Admitted;
    this.#sweep(user);
    return this.#isWithinShareOfUser(user, payer, byteLength)
      ? Verdict.Admitted
      : Verdict.ShareSpent;
  }

  /**
   * All that waits for the connections of one user has a limit too. When it is reached, those are full that have
   * more than their part of it, so that who reads is not refused anything because of those who do not.
   */
  #judgeOwn(receiver: Endpoint, user: User, byteLength: number): Verdict {
    const isOver = (): boolean =>
      (user.waitingFrom.get(user) ?? 0) + byteLength > this.#limits.maxWaitingBytesPerUser;
    if (isOver()) this.#sweep(user);
    if (!isOver()) return Verdict.Admitted;
    const isNew = receiver.backlog === null ? 1 : 0;
    const part = this.#limits.maxWaitingBytesPerUser / (user.meteredCount + isNew);
    const isLight = (receiver.backlog?.totalBytes ?? 0) + byteLength <= part;
    return isLight ? Verdict.Admitted : Verdict.QueueFull;
  }

  #isWithinShareOfUser(user: User, payer: User, byteLength: number): boolean {
    const own = user.waitingFrom.get(payer) ?? 0;
    const others = user.waitingFrom.size - (user.waitingFrom.has(user) ? 1 : 0);
    const free = this.#limits.maxWaitingBytesPerUser - user.foreignBytes;
    return isWithinShare(own, byteLength, free, Math.max(1, others + (own === 0 ? 1 : 0)));
  }

  /** How many users have a share in the queue of `receiver`, the one that is to get `own` bytes more included. */
  #foreignUsersIn(receiver: Endpoint, user: User, own: number): number {
    const { backlog } = receiver;
    if (backlog === null) return 1;
    const others = backlog.payerCount - (backlog.bytesOf(user) > 0 ? 1 : 0);
    return others + (own === 0 ? 1 : 0);
  }

  /** Is this somebody who has only a share of what may wait for `receiver`? */
  #isForeign(receiver: Endpoint, payer: User): boolean {
    return payer !== receiver.payer && !payer.isPrivileged;
  }

  /** The queue is full: of whom does it depend whether that is the receiver's fault. */
  #blame(receiver: Endpoint, payer: User): Verdict {
    return this.#isForeign(receiver, payer) ? Verdict.ShareSpent : Verdict.QueueFull;
  }

  #settleBytes(user: User, receiver: Endpoint, backlog: Backlog, queued: number): void {
    const isOver = queued <= this.#freeBytes;
    backlog.settle(isOver ? 0 : queued, (payer, byteLength) => {
      const left = (user.waitingFrom.get(payer) ?? 0) - byteLength;
      if (left > 0) user.waitingFrom.set(payer, left);
      else user.waitingFrom.delete(payer);
      if (payer !== user) user.foreignBytes -= byteLength;
    });
    if (!isOver) return;
    receiver.backlog = null;
    user.meteredCount--;
    receiver.freeBytes = this.#freeBytes;
  }

  /** Looks what has left the queues of a user's connections since they were asked last; once in a turn. */
  #sweep(user: User): void {
    const { turn } = this.#stage;
    if (user.sweptTurn === turn) return;
    user.sweptTurn = turn;
    for (const endpoint of user.endpoints) {
      if (endpoint.backlog !== null) {
        const queued = endpoint.connection.queuedBytes(turn);
        this.#settleBytes(user, endpoint, endpoint.backlog, queued);
      }
      const needed =
        REPLY_CHUNK * Math.max(1, Math.ceil(this.#replyCountOf(endpoint) / REPLY_CHUNK));
      if (needed >= endpoint.replyAllowance) continue;
      this.refund(user, Resource.Replies, endpoint.replyAllowance - needed);
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
    this.refund(this.#user(payer), Resource.Descriptors, count);
  };

  #mayHave(user: User, resource: Resource, amount: number): boolean {
    const own = this.#used(user, resource);
    const free = this.capacityOf(resource) - (this.#total[resource] ?? 0);
    if (user.isPrivileged) return resource !== Resource.Descriptors || amount <= free;
    if (own + amount <= (FLOORS[resource] ?? 0)) return true;
    return isWithinShare(own, amount, free, this.#usersOf(user, resource));
  }

  /** How many users share it, `user` included. */
  #usersOf(user: User, resource: Resource): number {
    return (this.#holders[resource] ?? 0) + (this.#used(user, resource) === 0 ? 1 : 0);
  }

  #used(user: User, resource: Resource): number {
    return user.used[resource] ?? 0;
  }

  #add(counts: number[], resource: Resource, amount: number): void {
    counts[resource] = (counts[resource] ?? 0) + amount;
  }

  get #freeBytes(): number {
    return Math.min(FREE_BYTES, this.#limits.maxOutgoingBytes >> 4);
  }

  #payerOf(endpoint: Endpoint): User {
    return this.#user(endpoint.payer);
  }

  #user(payer: Payer): User {
    return payer as User; // the bus gives every endpoint a payer of `userOf`
  }

  #forgetIdle(user: User): void {
    if (user.isIdle) this.#users.delete(user.userId);
  }
}
