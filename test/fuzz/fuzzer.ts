/** Runs one target: changes inputs, keeps those that reach something new, stops at the first find. */

import { Coverage } from "./coverage.ts";
import { excessOf, type Find, failureOf, runInput, textOf } from "./failure.ts";
import type { Journal } from "./journal.ts";
import { minimised } from "./minimise.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** Between two looks at whether anything is left of the inputs before. */
const INPUTS_PER_SETTLING = 200;
/** When there are more inputs than this worth keeping, new ones take the place of others. */
const MOST_KEPT = 4096;
/** Garbage that is not collected yet, code that V8 made meanwhile. */
const MEMORY_SLACK_MIB = 64;
/** Inputs from the end of the list are mutated more often: they reached what no other did. */
const RECENT_SHARE = 0.3;
const SHORTER_SHARE = 0.8;

export interface Report {
  readonly inputs: number;
  readonly milliseconds: number;
  readonly kept: number;
  /** Blocks of the product entered; 0 if they are not counted. */
  readonly blocks: number;
  readonly find: Find | null;
}

export interface FuzzerOptions {
  readonly milliseconds: number;
  readonly random: Random;
  readonly corpus: readonly Uint8Array[];
  readonly journal: Journal | null;
}

export class Fuzzer {
  /** Inputs that each reached something that none before it did. */
  readonly kept: Uint8Array[] = [];
  readonly #make: () => Promise<Target>;
  readonly #options: FuzzerOptions;
  readonly #coverage: Coverage = new Coverage();
  #target: Target;
  #recent: Uint8Array[] = [];
  #inputs = 0;

  private constructor(make: () => Promise<Target>, target: Target, options: FuzzerOptions) {
    this.#make = make;
    this.#target = target;
    this.#options = options;
  }

  static async of(make: () => Promise<Target>, options: FuzzerOptions): Promise<Fuzzer> {
    return new Fuzzer(make, await make(), options);
  }

  async run(): Promise<Report> {
    const started = performance.now();
    // Stacks are for finds only: most inputs are refused by an exception.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const find = await this.#search(started + this.#options.milliseconds);
    Error.stackTraceLimit = stackTraceLimit;
    await this.#target.close?.();
    return {
      inputs: this.#inputs,
      milliseconds: performance.now() - started,
      kept: this.kept.length,
      blocks: this.#coverage.blockCount,
      find: find?.input == null ? find : await minimised(this.#make, find.input, find.what),
    };
  }

  async #search(end: number): Promise<Find | null> {
    const { random, corpus } = this.#options;
    for (const input of corpus) {
      const find = await this.#try(input);
      if (find !== null) return find;
    }
    if (this.kept.length === 0) this.kept.push(new Uint8Array(0));
    const middle = performance.now() + (end - performance.now()) / 2;
    let base = Number.POSITIVE_INFINITY;
    while (performance.now() < end) {
      if (base === Number.POSITIVE_INFINITY && performance.now() > middle) base = memoryMib();
      for (let i = 0; i < 16; i++) {
        const input = this.#target.mutate(this.#pick(), random.pick(this.kept), random);
        const find = await this.#try(input);
        if (find !== null) return find;
      }
    }
    const settled = await this.#settle();
    if (settled !== null) return settled;
    const grown = memoryMib() - base;
    if (grown < MEMORY_SLACK_MIB) return null;
    return { what: `memory grew by ${grown} MiB in the second half of the inputs`, input: null };
  }

  /** The shorter of two, mostly: it is quicker, and a mutation is likelier to hit what matters. */
  #pick(): Uint8Array {
    const { random } = this.#options;
    const { kept } = this;
    const from = random() < RECENT_SHARE ? Math.floor(kept.length * 0.9) : 0;
    const one = kept[from + random.below(kept.length - from)] as Uint8Array; // inside
    const two = kept[from + random.below(kept.length - from)] as Uint8Array; // as above
    return random() < SHORTER_SHARE === one.length < two.length ? one : two;
  }

  async #try(input: Uint8Array): Promise<Find | null> {
    this.#inputs++;
    this.#options.journal?.note(input);
    this.#coverage.begin();
    try {
      const running = runInput(this.#target, input);
      if (running !== undefined) await running;
    } catch (error) {
      return { what: textOf(error), input };
    }
    const news = this.#coverage.end();
    if (news > 0 || !this.#coverage.isCounting) this.#keep(input, news);
    const excess = await this.#excess(input);
    if (excess !== null) return { what: excess, input };
    this.#recent.push(input);
    return this.#recent.length < INPUTS_PER_SETTLING ? null : await this.#settle();
  }

  /** Too much work for its length, twice: clearing a full cache once in a while is not the fault of one input. */
  async #excess(input: Uint8Array): Promise<string | null> {
    if (excessOf(this.#target, input, this.#coverage.work) === null) return null;
    this.#coverage.begin();
    const running = runInput(this.#target, input);
    if (running !== undefined) await running;
    this.#coverage.end();
    return excessOf(this.#target, input, this.#coverage.work);
  }

  /** Without counters, only the corpus is kept. */
  #keep(input: Uint8Array, news: number): void {
    if (news === 0 && this.#inputs > this.#options.corpus.length) return;
    if (this.kept.length < MOST_KEPT) this.kept.push(Uint8Array.from(input));
    else this.kept[this.#options.random.below(MOST_KEPT)] = Uint8Array.from(input);
  }

  async #settle(): Promise<Find | null> {
    const recent = this.#recent;
    this.#recent = [];
    try {
      await this.#target.settle?.();
      return null;
    } catch (error) {
      return { what: textOf(error), input: await this.#culprit(recent) };
    }
  }

  /** Which of these alone leaves something behind? */
  async #culprit(inputs: readonly Uint8Array[]): Promise<Uint8Array | null> {
    for (const input of inputs) {
      this.#options.journal?.note(input);
      if ((await failureOf(this.#make, input)) !== null) return input;
    }
    return null;
  }
}

function memoryMib(): number {
  // The parent starts this process with --expose-gc.
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return Math.round((heapUsed + external) / (1 << 20));
}
