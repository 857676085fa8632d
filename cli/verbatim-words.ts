/** Words of a command that are taken as they are: `-5` is a number, and what follows `--` is no option. */

import type { Argv } from "yargs";

/** For a command without positionals: yargs would read the words again, as if they were options. */
export function acceptWords<T>(yargs: Argv<T>): Argv<T> {
  return yargs.strict(false).strictOptions();
}

/** All words but the command's own, with those behind `--`. */
export function wordsOf(
  given: { readonly _: readonly (string | number)[] },
  behindDashes: readonly string[],
): string[] {
  return [...given._.slice(1).map(String), ...behindDashes];
}
