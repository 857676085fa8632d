/** Items for whoever iterates over them, in order, until an end. */

export class AsyncQueue<T> {
  readonly #items: T[] = [];
  readonly #waiting: {
    resolve: (result: IteratorResult<T, undefined>) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #isEnded = false;
  #error: unknown = null;

  /** Items that nobody has taken. */
  get length(): number {
    return this.#items.length;
  }

  /** Hands the item to who waits longest, or keeps it; false if it was neither, after the end. */
  push(item: T): boolean {
    if (this.#isEnded) return false;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting.resolve({ done: false, value: item });
    return true;
  }

  /** Takes the oldest item out, if there is one. */
  shift(): T | undefined {
    return this.#items.shift();
  }

  /** No more items: those that are kept can still be taken, then comes the end, or `error` once. */
  end(error: unknown = null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      const failure = this.#takeError();
      if (failure === null) resolve({ done: true, value: undefined });
      else reject(failure);
    }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) return { done: false, value: item };
    if (!this.#isEnded) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    const failure = this.#takeError();
    if (failure !== null) throw failure;
    return { done: true, value: undefined };
  }

  #takeError(): unknown {
    const error = this.#error;
    this.#error = null;
    return error;
  }
}
