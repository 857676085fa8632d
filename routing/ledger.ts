/** Who pays for what waits: routing asks before it lets a message wait, the bus knows users and their shares. */

import type { Endpoint } from "./endpoint.ts";

/** May something wait? */
export const Verdict = {
  Admitted: 0,
  /** The receiver has as much waiting as it may: it does not read. */
  QueueFull: 1,
  /** There is room, but the sending user has its fair share of it. */
  ShareSpent: 2,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** The user at the other end of a connection, as routing sees it: somebody who pays. */
export interface Payer {
  readonly userId: number;
}

/**
 * What is admitted is charged at once. What waits in a queue is paid back by itself when it has left the
 * queue; what the router holds, when it says so.
 */
export interface Ledger {
  /**
   * The message in hand, `byteLength` long, is to wait behind `queued` bytes for `receiver`. `sender` is
   * null for what the bus itself says. Asked only if more than `receiver.freeBytes` would wait then.
   */
  chargeBytes(
    receiver: Endpoint,
    sender: Endpoint | null,
    byteLength: number,
    queued: number,
  ): Verdict;
  /** The same for the descriptors of the message in hand, number `sequence`, in the stage's `turn`. */
  chargeDescriptors(
    receiver: Endpoint,
    sender: Endpoint | null,
    count: number,
    sequence: number,
    turn: number,
  ): Verdict;
  /** `sender` waits for `waiting` replies, all that its allowance covers; raises the allowance, or false. */
  raiseReplyAllowance(sender: Endpoint, waiting: number): boolean;
  /** A message of `sender` is to be held until its destination is found. */
  chargeHeld(sender: Endpoint, byteLength: number, unixFds: number): boolean;
  refundHeld(sender: Endpoint, byteLength: number, unixFds: number): void;
}
