/** The numbers by which a connection tells its messages apart. */

/** Counts from 1 to 4294967295 and then from 1 again: 0 is no serial. */
export class SerialCounter {
  #last: number;

  /** `last` is the serial that was used last, 0 for none. */
  constructor(last = 0) {
    this.#last = last;
  }

  next(): number {
    this.#last = this.#last === 0xffffffff ? 1 : this.#last + 1;
    return this.#last;
  }
}
