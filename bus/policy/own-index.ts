/** The rules about owning names that hold for one kind of peer. */

import { ancestorsOf } from "./name-mentions.ts";
import type { OwnRule } from "./rules.ts";

interface PlacedRule {
  readonly rule: OwnRule;
  readonly place: number;
}

export class OwnIndex {
  readonly #byName: Map<string, PlacedRule[]> = new Map();
  readonly #byPrefix: Map<string, PlacedRule[]> = new Map();
  readonly #any: PlacedRule[] = [];

  /** `rules` in the order of application. */
  constructor(rules: readonly OwnRule[]) {
    for (const [place, rule] of rules.entries()) {
      const placed = { rule, place };
      if (rule.name === null) this.#any.push(placed);
      else addTo(rule.name.isPrefix ? this.#byPrefix : this.#byName, rule.name.name, placed);
    }
  }

  /** All rules that fit `name`, in the order of application: the last one decides. */
  fitting(name: string): OwnRule[] {
    const found = [...this.#any, ...(this.#byName.get(name) ?? [])];
    for (const ancestor of ancestorsOf(name)) found.push(...(this.#byPrefix.get(ancestor) ?? []));
    return found.sort((one, other) => one.place - other.place).map(({ rule }) => rule);
  }
}

function addTo(rules: Map<string, PlacedRule[]>, name: string, placed: PlacedRule): void {
  const others = rules.get(name);
  if (others === undefined) rules.set(name, [placed]);
  else others.push(placed);
}
