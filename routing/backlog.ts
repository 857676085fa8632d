/** Whose bytes wait for one receiver, in the order in which they will leave. */

import type { Payer } from "./ledger.ts";

/**
 * Runs of bytes by payer, oldest first, as a ring of two arrays: a message of the payer who came last
 * makes its run longer, so that a flood of one sender is one entry.
 *
 * Bytes that were queued before anybody counted are older than all runs: what leaves is taken from the runs
 * only when less waits than they have together.
 */
export class Backlog {
  #payers: (Payer | null)[] = new Array<Payer | null>(8).fill(null);
  #lengths: number[] = new Array<number>(8).fill(0);
  #first = 0;
  #count = 0;
  #total = 0;
  readonly #byPayer: Map<Payer, number> = new Map();

  /** How many payers have something waiting. */
  get payerCount(): number {
    return this.#byPayer.size;
  }

  get totalBytes(): number {
    return this.#total;
  }

  bytesOf(payer: Payer): number {
    return this.#byPayer.get(payer) ?? 0;
  }

  push(payer: Payer, byteLength: number): void {
    const mask = this.#payers.length - 1;
    const last = (this.#first + this.#count - 1) & mask;
    if (this.#count > 0 && this.#payers[last] === payer) {
      this.#lengths[last] = (this.#lengths[last] as number) + byteLength; // last is inside the ring
    } else {
      if (this.#count > mask) this.#grow();
      const at = (this.#first + this.#count) & (this.#payers.length - 1);
      this.#payers[at] = payer;
      this.#lengths[at] = byteLength;
      this.#count++;
    }
    this.#total += byteLength;
    this.#byPayer.set(payer, this.bytesOf(payer) + byteLength);
  }

  /** Only `waiting` bytes are left; tells whose bytes have gone. */
  settle(waiting: number, gone: (payer: Payer, byteLength: number) => void): void {
    while (this.#total > waiting) {
      const at = this.#first;
      const payer = this.#payers[at];
      const length = this.#lengths[at] as number; // inside the ring
      if (payer === null || payer === undefined) throw new Error("a backlog has lost a run");
      const left = Math.min(length, this.#total - waiting);
      this.#total -= left;
      const rest = this.bytesOf(payer) - left;
      if (rest > 0) this.#byPayer.set(payer, rest);
      else this.#byPayer.delete(payer);
      gone(payer, left);
      if (left < length) {
        this.#lengths[at] = length - left;
        continue;
      }
      this.#payers[at] = null;
      this.#first = (at + 1) & (this.#payers.length - 1);
      this.#count--;
    }
  }

  #grow(): void {
    const mask = this.#payers.length - 1;
    const at = (i: number): number => (this.#first + i) & mask;
    const payers = this.#payers.map((_, i) => this.#payers[at(i)] ?? null);
    const lengths = this.#lengths.map((_, i) => this.#lengths[at(i)] ?? 0);
    this.#payers = [...payers, ...new Array<Payer | null>(payers.length).fill(null)];
    this.#lengths = [...lengths, ...new Array<number>(lengths.length).fill(0)];
    this.#first = 0;
  }
}
