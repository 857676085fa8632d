/** Verdicts of a policy: what a message pays where not everything is allowed. */

import { bench, do_not_optimize, run } from "mitata";
import { Question } from "../../bus/policy/question.ts";
import { Verdict, VerdictCache } from "../../bus/policy/verdict-cache.ts";

const PAIRS = [1, 1000] as const;

/** Two standings and what is said between them; ids as those of a desktop session. */
function ask(question: Question, pair: number): void {
  question.type = 1 + (pair % 4);
  question.path = pair % 50;
  question.interface = pair % 40;
  question.member = pair % 300;
}

for (const pairs of PAIRS) {
  const cache = new VerdictCache();
  const question = new Question();
  let pair = 0;
  bench(`find a verdict, ${pairs} kinds of messages`, () => {
    pair = (pair + 1) % pairs;
    ask(question, pair);
    const verdict = cache.find(pair % 7, pair % 11, question);
    if (verdict === Verdict.Unknown) cache.keep(pair % 7, pair % 11, question, Verdict.Allowed);
    do_not_optimize(verdict);
  });
}

run({ colors: process.stdout.isTTY === true });
