/** The process that one target runs in; run.ts starts it and watches its journal. */

import { join } from "node:path";
import { readCorpus } from "./corpus.ts";
import { Fuzzer, type Report } from "./fuzzer.ts";
import { Journal } from "./journal.ts";
import { generator } from "./random.ts";
import { TARGETS } from "./targets.ts";

/** What run.ts asks for, as its first message. */
export interface Order {
  readonly target: string;
  readonly milliseconds: number;
  readonly seed: number;
  readonly corpus: string;
  readonly journal: string;
}

/** What it gets back: a report, and the inputs worth keeping. */
export interface Answer {
  readonly report: Report;
  readonly kept: readonly Uint8Array[];
}

process.once("message", (order: Order) => {
  // The parent sends nothing else.
  work(order).then((answer) => process.send?.(answer, () => process.exit(0)));
});

async function work({ target, milliseconds, seed, corpus, journal }: Order): Promise<Answer> {
  const entry = TARGETS[target];
  if (entry === undefined) throw new Error(`there is no target ${target}`);
  const inputs = readCorpus(join(corpus, target), entry.format).map(({ bytes }) => bytes);
  const fuzzer = await Fuzzer.of(entry.make, {
    milliseconds,
    random: generator(seed),
    corpus: inputs,
    journal: new Journal(journal),
  });
  return { report: await fuzzer.run(), kept: fuzzer.kept };
}
