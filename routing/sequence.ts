/** The one counter that numbers every accepted message and every signal of the driver. */

/**
 * Numbers are handed out in the order in which messages are accepted, and receivers get messages in
 * the order of their numbers: that is the bus's total order. A number fits a double exactly.
 */
export class Sequence {
  #last: number;

  constructor(last = 0) {
    this.#last = last;
  }

  /** The number given last; 0 if none was. */
  get last(): number {
    return this.#last;
  }

  next(): number {
    return ++this.#last;
  }
}
