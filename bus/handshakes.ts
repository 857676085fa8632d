/** Connections that have not said Hello yet, and how long they may take. */

import type { Connection } from "../transport/connection.ts";

/** One timer for all: every connection has the same time, so the oldest one is due first. */
export class Handshakes {
  readonly #deadlines: Map<Connection, number> = new Map();
  readonly #timeoutMs: number;
  readonly #expire: (connection: Connection) => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(timeoutMs: number, expire: (connection: Connection) => void) {
    this.#timeoutMs = timeoutMs;
    this.#expire = expire;
  }

  get size(): number {
    return this.#deadlines.size;
  }

  begin(connection: Connection): void {
    this.#deadlines.set(connection, performance.now() + this.#timeoutMs);
    if (this.#timer === null) this.#arm(this.#timeoutMs);
  }

  end(connection: Connection): void {
    this.#deadlines.delete(connection);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#deadlines.clear();
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#check(), delayMs);
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = null;
    const now = performance.now();
    for (const [connection, deadline] of this.#deadlines) {
      if (deadline > now) {
        this.#arm(deadline - now);
        return;
      }
      this.#deadlines.delete(connection);
      this.#expire(connection);
    }
  }
}
