/** `reply_timeout`: callers that wait too long hear so from the bus. */

import type { PendingReply, ReplyTable } from "../routing/replies.ts";
import type { Limits } from "./limits.ts";

/** The time of a call is over at most this part of the timeout late. */
const TICKS = 16;
const LEAST_TICK_MS = 5;

/** Who tells the callers. */
export interface ReplyTimeoutHost {
  replyIsLate(pending: PendingReply): void;
  endTurn(): void;
}

/**
 * All calls may take equally long, so those are due that were made before a certain moment. A clock that
 * ticks sixteen times in the timeout notes how many calls there had been by then; a call itself costs
 * nothing, and without a timeout nothing ticks.
 */
export class ReplyTimeouts {
  readonly #limits: Limits;
  readonly #replies: ReplyTable;
  readonly #host: ReplyTimeoutHost;
  /** How many calls had been made at each tick, the oldest first. */
  #madeBy: { readonly at: number; readonly count: number }[] = [];
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(limits: Limits, replies: ReplyTable, host: ReplyTimeoutHost) {
    this.#limits = limits;
    this.#replies = replies;
    this.#host = host;
    this.limitsChanged();
  }

  limitsChanged(): void {
    this.stop();
    const { replyTimeoutMs } = this.#limits;
    if (replyTimeoutMs === Number.POSITIVE_INFINITY) return;
    this.#madeBy = [{ at: performance.now(), count: this.#replies.madeCount }];
    const tickMs = Math.max(LEAST_TICK_MS, replyTimeoutMs / TICKS);
    this.#timer = setInterval(() => this.#tick(replyTimeoutMs), tickMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(timeoutMs: number): void {
    const now = performance.now();
    this.#madeBy.push({ at: now, count: this.#replies.madeCount });
    let due = 0;
    while ((this.#madeBy[0]?.at ?? now) <= now - timeoutMs)
      due = this.#madeBy.shift()?.count ?? due;
    if (due === 0 || this.#replies.size === 0) return;
    const pending = this.#replies.takeMadeBefore(due);
    for (const each of pending) this.#host.replyIsLate(each);
    if (pending.length > 0) this.#host.endTurn();
  }
}
