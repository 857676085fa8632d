/** Which of the product's blocks an input entered, and how often: what makes it worth keeping. */

interface Counters {
  readonly blocks: Uint32Array;
  used: number;
}

/** As AFL has it: 1, 2, 3, 4–7, 8–15, 16–31, 32–127, 128 and more are different things to have done. */
function bucketOf(count: number): number {
  if (count < 4) return count - 1;
  if (count < 8) return 3;
  if (count < 16) return 4;
  if (count < 32) return 5;
  return count < 128 ? 6 : 7;
}

/** The loader's counters; they stay 0 if it does not count. */
const counters: Counters = Reflect.get(globalThis, "onehopFuzz") ?? {
  blocks: new Uint32Array(0),
  used: 0,
};

export class Coverage {
  /** A bit for each bucket of each block that some input has reached. */
  readonly #seen: Uint8Array = new Uint8Array(counters.blocks.length);
  /** Blocks entered by the last input, repetitions included: its work. */
  work = 0;
  /** Blocks that any input has entered. */
  blockCount = 0;

  get isCounting(): boolean {
    return counters.used > 0;
  }

  /** Starts on another input. */
  begin(): void {
    counters.blocks.fill(0, 0, counters.used);
  }

  /** Ends the input; how many block-and-bucket pairs it was the first to reach. */
  end(): number {
    const { blocks, used } = counters;
    let news = 0;
    let work = 0;
    for (let block = 0; block < used; block++) {
      const count = blocks[block] as number; // below its length
      if (count === 0) continue;
      work += count;
      const bit = 1 << bucketOf(count);
      const seen = this.#seen[block] as number; // as above
      if ((seen & bit) !== 0) continue;
      if (seen === 0) this.blockCount++;
      this.#seen[block] = seen | bit;
      news++;
    }
    this.work = work;
    return news;
  }
}
