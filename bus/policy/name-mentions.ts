/** The bus names that a policy mentions, as small numbers: all that it can know of the names of a peer. */

import type { NamePattern } from "./rules.ts";

/**
 * Every name pattern of a policy has a number. A peer, as far as the policy is concerned, is the set of
 * patterns that fit one of its names: names that no rule mentions make no difference.
 */
export class NameMentions {
  readonly #exact: Map<string, number> = new Map();
  readonly #prefixes: Map<string, number> = new Map();
  #count = 0;

  /** The number of `pattern`, given to it now if it is new. */
  numberOf({ name, isPrefix }: NamePattern): number {
    const numbers = isPrefix ? this.#prefixes : this.#exact;
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, this.#count);
    return this.#count++;
  }

  /** The numbers of all patterns that fit one of `names`, in ascending order, each once. */
  fitting(names: Iterable<string>): readonly number[] {
    if (this.#count === 0) return NONE;
    const found = new Set<number>();
    for (const name of names) {
      const number = this.#exact.get(name);
      if (number !== undefined) found.add(number);
      if (this.#prefixes.size > 0) {
        for (const ancestor of ancestorsOf(name)) {
          const prefix = this.#prefixes.get(ancestor);
          if (prefix !== undefined) found.add(prefix);
        }
      }
    }
    return found.size === 0 ? NONE : [...found].sort((one, other) => one - other);
  }
}

const NONE: readonly number[] = [];

/** `a.b.c`, `a.b` and `a` for `a.b.c`: everything that a prefix may be to fit it. */
export function* ancestorsOf(name: string): Generator<string> {
  yield name;
  for (let at = name.lastIndexOf("."); at >= 0; at = name.lastIndexOf(".", at - 1)) {
    yield name.slice(0, at);
    if (at === 0) return;
  }
}
