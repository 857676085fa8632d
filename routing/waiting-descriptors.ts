/** Descriptors that wait in this process for one receiver, and whose they are. */

import type { Payer } from "./ledger.ts";

interface Mark {
  readonly payer: Payer;
  readonly count: number;
  readonly sequence: number;
  readonly turn: number;
}

/** By messages, oldest first; few messages have descriptors, and few receivers let them wait. */
export class WaitingDescriptors {
  #marks: readonly Mark[] = [];

  get total(): number {
    return sum(this.#marks);
  }

  get payerCount(): number {
    return new Set(this.#marks.map(({ payer }) => payer)).size;
  }

  countOf(payer: Payer): number {
    return sum(this.#marks.filter((mark) => mark.payer === payer));
  }

  /** Those of messages up to the one before `from` have left; 0: all have, but for those staged in `turn`. */
  settle(from: number, turn: number, gone: (payer: Payer, count: number) => void): void {
    const isWaiting = (mark: Mark): boolean =>
      mark.turn === turn || (from !== 0 && mark.sequence >= from);
    for (const mark of this.#marks) if (!isWaiting(mark)) gone(mark.payer, mark.count);
    this.#marks = this.#marks.filter(isWaiting);
  }

  push(payer: Payer, count: number, sequence: number, turn: number): void {
    this.#marks = [...this.#marks, { payer, count, sequence, turn }];
  }

  /** How many wait, those that are staged in this turn not counted. */
  unsent(from: number): number {
    return from === 0 ? 0 : sum(this.#marks.filter((mark) => mark.sequence >= from));
  }
}

function sum(marks: readonly Mark[]): number {
  return marks.reduce((total, { count }) => total + count, 0);
}
