/** Things that peers may take only so long for: to say Hello, to claim descriptors. */

import type { Connection } from "../transport/connection.ts";

/** One timer for all: every connection has the same time, so the oldest one is due first. */
export class Deadlines {
  /** When each one began, the oldest first. */
  readonly #beginnings: Map<Connection, number> = new Map();
  readonly #timeoutMs: () => number;
  readonly #expire: (connection: Connection) => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `timeoutMs` is asked each time it matters. */
  constructor(timeoutMs: () => number, expire: (connection: Connection) => void) {
    this.#timeoutMs = timeoutMs;
    this.#expire = expire;
  }

  get size(): number {
    return this.#beginnings.size;
  }

  /** The time of `connection` begins now, even if it had begun already. */
  begin(connection: Connection): void {
    this.#beginnings.delete(connection);
    this.#beginnings.set(connection, performance.now());
    if (this.#timer === null) this.#arm(this.#timeoutMs());
  }

  /** The time may be another one now, for those who have begun as well. */
  limitsChanged(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#check();
  }

  end(connection: Connection): void {
    this.#beginnings.delete(connection);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#beginnings.clear();
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.min(delayMs, MAX_DELAY_MS));
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = null;
    const now = performance.now();
    for (const [connection, beginning] of this.#beginnings) {
      const deadline = beginning + this.#timeoutMs();
      if (deadline > now) {
        this.#arm(deadline - now);
        return;
      }
      this.#beginnings.delete(connection);
      this.#expire(connection);
    }
  }
}

/** Longer ones setTimeout takes for none. */
const MAX_DELAY_MS = 0x7fff_ffff;
