/** Hot path: the rules about sending, or about receiving, that hold for one kind of peer, found by what they ask for. */

import { ANY_NAME, type MessageRule } from "./message-rule.ts";
import type { Question } from "./question.ts";

/** Rules with their place in the order of application, the latest first. */
type Bucket = PlacedRule[];

export interface PlacedRule {
  readonly rule: MessageRule;
  readonly place: number;
}

/**
 * The last rule that fits a message decides. A rule that names a peer lies under that name, another one that names an
 * interface under the interface, and only the others are asked for every message: a policy file that speaks
 * of one service costs the messages to others nothing.
 */
export class RuleIndex {
  readonly #byName: Map<number, Bucket> = new Map();
  readonly #byInterface: Map<number, Bucket> = new Map();
  /** Those of `#byInterface` that deny: they fit messages without any interface, too. */
  readonly #denyingInterfaces: Bucket = [];
  readonly #others: Bucket = [];

  /** `rules` in the order of application. */
  constructor(rules: readonly MessageRule[]) {
    for (let place = rules.length - 1; place >= 0; place--) {
      this.#place({ rule: rules[place] as MessageRule, place }); // place < rules.length
    }
  }

  /** The rule that decides, or null; `names` are the mentions that fit the other side. */
  deciding(question: Question, names: readonly number[]): MessageRule | null {
    let best = latest(this.#others, question, null);
    if (question.interface === 0) best = latest(this.#denyingInterfaces, question, best);
    else best = latest(this.#byInterface.get(question.interface), question, best);
    for (let i = 0; i < names.length; i++) {
      best = latest(this.#byName.get(names[i] as number), question, best); // i < names.length
    }
    return best === null ? null : best.rule;
  }

  /** All rules that fit, in the order of application: the last one decides. */
  fitting(question: Question, names: readonly number[]): MessageRule[] {
    const buckets = [
      this.#others,
      question.interface === 0
        ? this.#denyingInterfaces
        : (this.#byInterface.get(question.interface) ?? []),
      ...names.map((name) => this.#byName.get(name) ?? []),
    ];
    return buckets
      .flat()
      .filter(({ rule }) => rule.fits(question))
      .sort((one, other) => one.place - other.place)
      .map(({ rule }) => rule);
  }

  #place(placed: PlacedRule): void {
    const { rule } = placed;
    if (rule.name !== ANY_NAME) {
      addTo(this.#byName, rule.name, placed);
    } else if (rule.interface !== 0) {
      addTo(this.#byInterface, rule.interface, placed);
      if (!rule.allows) this.#denyingInterfaces.push(placed);
    } else {
      this.#others.push(placed);
    }
  }
}

/** The latest rule of `bucket` that fits, if it is later than `best`. */
function latest(
  bucket: Bucket | undefined,
  question: Question,
  best: PlacedRule | null,
): PlacedRule | null {
  if (bucket === undefined) return best;
  for (let i = 0; i < bucket.length; i++) {
    const placed = bucket[i] as PlacedRule; // i < bucket.length
    if (best !== null && placed.place < best.place) return best;
    if (placed.rule.fits(question)) return placed;
  }
  return best;
}

function addTo(buckets: Map<number, Bucket>, key: number, placed: PlacedRule): void {
  const bucket = buckets.get(key);
  if (bucket === undefined) buckets.set(key, [placed]);
  else bucket.push(placed);
}
