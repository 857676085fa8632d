/** Things that peers may take only so long for: to say Hello, to claim descriptors. */

import type { Connection } from "../transport/connection.ts";

/** A connection that has a deadline, between the one before it and the one behind it. */
interface Entry {
  readonly connection: Connection;
  readonly beginning: number;
  older: Entry | null;
  younger: Entry | null;
}

/**
 * One timer for all: every connection has the same time, so the oldest one is due first.
 *
 * They are a list, and found by the connection's index: a Map of the few that there are at a time would be
 * rehashed with almost every connection that comes and goes.
 */
export class Deadlines {
  readonly #entries: (Entry | null)[] = [];
  #oldest: Entry | null = null;
  #youngest: Entry | null = null;
  #count = 0;
  readonly #timeoutMs: () => number;
  readonly #expire: (connection: Connection) => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `timeoutMs` is asked each time it matters. */
  constructor(timeoutMs: () => number, expire: (connection: Connection) => void) {
    this.#timeoutMs = timeoutMs;
    this.#expire = expire;
  }

  get size(): number {
    return this.#count;
  }

  /** The time of `connection` begins now, even if it had begun already. */
  begin(connection: Connection): void {
    this.end(connection);
    const older = this.#youngest;
    const entry: Entry = { connection, beginning: performance.now(), older, younger: null };
    if (older === null) this.#oldest = entry;
    else older.younger = entry;
    this.#youngest = entry;
    this.#entries[connection.index] = entry;
    this.#count++;
    if (this.#timer === null) this.#arm(this.#timeoutMs());
  }

  /** The time may be another one now, for those who have begun as well. */
  limitsChanged(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#check();
  }

  end(connection: Connection): void {
    const entry = this.#entries[connection.index] ?? null;
    // Its index may have another connection by now.
    if (entry === null || entry.connection !== connection) return;
    const { older, younger } = entry;
    if (older === null) this.#oldest = younger;
    else older.younger = younger;
    if (younger === null) this.#youngest = older;
    else younger.older = older;
    this.#entries[connection.index] = null;
    this.#count--;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#oldest !== null) this.end(this.#oldest.connection);
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.min(delayMs, MAX_DELAY_MS));
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = null;
    const now = performance.now();
    while (this.#oldest !== null) {
      const { connection, beginning } = this.#oldest;
      const deadline = beginning + this.#timeoutMs();
      if (deadline > now) {
        this.#arm(deadline - now);
        return;
      }
      this.end(connection);
      this.#expire(connection);
    }
  }
}

/** Longer ones setTimeout takes for none. */
const MAX_DELAY_MS = 0x7fff_ffff;
