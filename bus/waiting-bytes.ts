/** Whose bytes wait for which receivers, and how many may. */

import { Backlog } from "../routing/backlog.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import { type Payer, Verdict } from "../routing/ledger.ts";
import { isWithinShare } from "./fair-share.ts";
import type { Limits } from "./limits.ts";
import type { Supplies } from "./supplies.ts";
import type { User } from "./user.ts";

/** So much may wait for a receiver before anybody looks whose it is: about what a socket holds anyway. */
const FREE_BYTES = 256 << 10;

/**
 * What waits for a receiver is its user's matter: of its queue, and of what may wait for all connections of
 * this user together, each other user has a share. So a queue that is full of one sender's messages is full
 * for this sender alone. What the bus itself, root and the user that runs the bus say counts as the receiver's
 * own.
 *
 * Only what leaves a queue slowly is looked at: up to `freeBytes` anything may wait, and nobody counts it.
 */
export class WaitingBytes {
  readonly #limits: Limits;
  readonly #supplies: Supplies;
  /** Looks what has left the queues of a user; once in a turn. */
  readonly #sweep: (user: User) => void;

  constructor(limits: Limits, supplies: Supplies, sweep: (user: User) => void) {
    this.#limits = limits;
    this.#supplies = supplies;
    this.#sweep = sweep;
  }

  /** What may wait for a receiver that nobody looks at. */
  get freeBytes(): number {
    return Math.min(FREE_BYTES, Math.floor(this.#limits.maxOutgoingBytes / 16));
  }

  /** See Ledger. */
  charge(receiver: Endpoint, sender: Endpoint | null, byteLength: number, queued: number): Verdict {
    const user = this.#supplies.payerOf(receiver);
    const payer = sender !== null && this.isForeign(receiver, sender) ? sender.payer : user;
    if (receiver.backlog !== null) this.#settleBytes(user, receiver, receiver.backlog, queued);
    // One message, however long, may always come to a receiver for whom nothing waits.
    const verdict =
      queued === 0 ? Verdict.Admitted : this.#judge(receiver, user, payer, byteLength, queued);
    if (verdict !== Verdict.Admitted) return verdict;
    if (queued + byteLength <= this.freeBytes) return verdict;
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

  /** `queued` bytes are left for `receiver`. */
  settle(receiver: Endpoint, queued: number): void {
    if (receiver.backlog === null) return;
    this.#settleBytes(this.#supplies.payerOf(receiver), receiver, receiver.backlog, queued);
  }

  #judge(
    receiver: Endpoint,
    user: User,
    payer: Payer,
    byteLength: number,
    queued: number,
  ): Verdict {
    const free = this.#limits.maxOutgoingBytes - queued;
    if (payer === user) {
      if (byteLength > free) return Verdict.QueueFull;
      return user.isPrivileged ? Verdict.Admitted : this.#judgeOwn(receiver, user, byteLength);
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

  #isWithinShareOfUser(user: User, payer: Payer, byteLength: number): boolean {
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

  /** Is `sender` somebody who has only a share of what may wait for `receiver`? */
  isForeign(receiver: Endpoint, sender: Endpoint): boolean {
    return sender.payer !== receiver.payer && !this.#supplies.payerOf(sender).isPrivileged;
  }

  #settleBytes(user: User, receiver: Endpoint, backlog: Backlog, queued: number): void {
    const isOver = queued <= this.freeBytes;
    backlog.settle(isOver ? 0 : queued, (payer, byteLength) => {
      const left = (user.waitingFrom.get(payer) ?? 0) - byteLength;
      if (left > 0) user.waitingFrom.set(payer, left);
      else user.waitingFrom.delete(payer);
      if (payer !== user) user.foreignBytes -= byteLength;
    });
    if (!isOver) return;
    receiver.backlog = null;
    user.meteredCount--;
    receiver.freeBytes = this.freeBytes;
  }
}
