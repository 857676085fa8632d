/** Connections that have not said Hello yet, and how long they may take. */

import type { Connection } from "../transport/connection.ts";
import type { Limits } from "./limits.ts";

/** One timer for all: every connection has the same time, so the oldest one is due first. */
export class Handshakes {
  /** When each one began, the oldest first. */
  readonly #beginnings: Map<Connection, number> = new Map();
  readonly #limits: Limits;
  readonly #expire: (connection: Connection) => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(limits: Limits, expire: (connection: Connection) => void) {
    this.#limits = limits;
    this.#expire = expire;
  }

  get size(): number {
    return this.#beginnings.size;
  }

  begin(connection: Connection): void {
    this.#beginnings.set(connection, performance.now());
    if (this.#timer === null) this.#arm(this.#limits.authTimeoutMs);
  }

  /** `auth_timeout` may be another one now, for those who have begun as well. */
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
    this.#timer = setTimeout(() => this.#check(), delayMs);
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = null;
    const now = performance.now();
    for (const [connection, beginning] of this.#beginnings) {
      const deadline = beginning + this.#limits.authTimeoutMs;
      if (deadline > now) {
        this.#arm(deadline - now);
        return;
      }
      this.#beginnings.delete(connection);
      this.#expire(connection);
    }
  }
}
