/** Calls that wait for their replies, each until its deadline. */

import type { Failure } from "./errors.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** As in libdbus. */
export const DEFAULT_TIMEOUT_MS = 25_000;
/** What setTimeout can count to. */
const MAX_TIMEOUT_MS = 0x7fffffff;

export interface CallOptions {
  /** Milliseconds until the call fails with ONEHOP_TIMEOUT; default: the client's (25 s); Infinity: never. */
  readonly timeoutMs?: number;
  /** Aborting it fails the call with ONEHOP_ABORTED at once; the other side is not told. */
  readonly signal?: AbortSignal;
}

/** A reply (which may be an error), or why there is none. */
export type Outcome =
  | { readonly reply: ReceivedMessage; readonly failure: null }
  | { readonly reply: null; readonly failure: Failure };

interface PendingCall {
  readonly settle: (outcome: Outcome) => void;
  readonly onReply: ((reply: ReceivedMessage) => void) | null;
  readonly timeoutMs: number;
  /** On the clock of `performance.now()`; infinite if there is none. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | null;
  readonly onAbort: (() => void) | null;
}

/** One timer serves all calls: it is set for the earliest deadline, and most calls are gone long before theirs. */
export class PendingCalls {
  readonly #calls: Map<number, PendingCall> = new Map();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer is due; infinite if there is none. */
  #timerMs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#calls.size;
  }

  /**
   * Resolves with what becomes of the call with this serial. `onReply` is called while the reply is being
   * received, before anything that came after it.
   */
  wait(
    serial: number,
    timeoutMs: number,
    signal: AbortSignal | null,
    onReply: ((reply: ReceivedMessage) => void) | null,
  ): Promise<Outcome> {
    return new Promise((settle) => {
      const isTimed = timeoutMs <= MAX_TIMEOUT_MS;
      const deadlineMs = isTimed ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
      const onAbort =
        signal === null
          ? null
          : () => this.#settle(serial, { reply: null, failure: abortion(signal) });
      if (onAbort !== null) signal?.addEventListener("abort", onAbort);
      this.#calls.set(serial, { settle, onReply, timeoutMs, deadlineMs, signal, onAbort });
      if (deadlineMs < this.#timerMs) this.#setTimer(deadlineMs);
      else if (this.#calls.size === 1) this.#timer?.ref();
    });
  }

  /** Is a call waiting for a reply to this serial? */
  has(serial: number): boolean {
    return this.#calls.has(serial);
  }

  /** A reply to a call that waits has come. */
  reply(reply: ReceivedMessage): void {
    const call = this.#calls.get(reply.replySerial ?? 0);
    if (call === undefined) return;
    call.onReply?.(reply);
    this.#settle(reply.replySerial ?? 0, { reply, failure: null });
  }

  /** Nothing will come any more. */
  failAll(failure: Failure): void {
    for (const serial of [...this.#calls.keys()]) this.#settle(serial, { reply: null, failure });
    this.#clearTimer();
  }

  #settle(serial: number, outcome: Outcome): void {
    const call = this.#calls.get(serial);
    if (call === undefined) return;
    this.#calls.delete(serial);
    // Without calls the timer is none of the program's business, which may end.
    if (this.#calls.size === 0) this.#timer?.unref();
    if (call.onAbort !== null) call.signal?.removeEventListener("abort", call.onAbort);
    call.settle(outcome);
  }

  #setTimer(dueMs: number): void {
    this.#clearTimer();
    this.#timerMs = dueMs;
    this.#timer = setTimeout(this.#failLate, Math.ceil(dueMs - performance.now()));
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  /** Fails the calls whose deadlines have passed, and waits for the earliest of the others. */
  readonly #failLate = (): void => {
    this.#clearTimer();
    const nowMs = performance.now();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [serial, { deadlineMs, timeoutMs }] of this.#calls) {
      if (deadlineMs > nowMs) {
        earliestMs = Math.min(earliestMs, deadlineMs);
        continue;
      }
      const text = `no reply within ${timeoutMs} ms`;
      this.#settle(serial, { reply: null, failure: { code: "ONEHOP_TIMEOUT", text } });
    }
    if (earliestMs < Number.POSITIVE_INFINITY) this.#setTimer(earliestMs);
  };
}

/** The failure of a call whose signal is aborted. */
export function abortion(signal: AbortSignal): Failure {
  return { code: "ONEHOP_ABORTED", text: "the call was aborted", cause: signal.reason };
}
