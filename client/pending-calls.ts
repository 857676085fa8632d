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
  readonly timer: NodeJS.Timeout | null;
  readonly signal: AbortSignal | null;
  readonly onAbort: (() => void) | null;
}

export class PendingCalls {
  readonly #calls: Map<number, PendingCall> = new Map();

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
      const fail = (failure: Failure): void => this.#settle(serial, { reply: null, failure });
      const isTimed = timeoutMs <= MAX_TIMEOUT_MS;
      const timer = isTimed
        ? setTimeout(() => {
            fail({ code: "ONEHOP_TIMEOUT", text: `no reply within ${timeoutMs} ms` });
          }, timeoutMs)
        : null;
      const onAbort = signal === null ? null : () => fail(abortion(signal));
      if (signal !== null && onAbort !== null) signal.addEventListener("abort", onAbort);
      this.#calls.set(serial, { settle, onReply, timer, signal, onAbort });
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
  }

  #settle(serial: number, outcome: Outcome): void {
    const call = this.#calls.get(serial);
    if (call === undefined) return;
    this.#calls.delete(serial);
    if (call.timer !== null) clearTimeout(call.timer);
    if (call.onAbort !== null) call.signal?.removeEventListener("abort", call.onAbort);
    call.settle(outcome);
  }
}

/** The failure of a call whose signal is aborted. */
export function abortion(signal: AbortSignal): Failure {
  return { code: "ONEHOP_ABORTED", text: "the call was aborted", cause: signal.reason };
}
