/** Options that are yes or no, in all words that busctl has for that. */

import type { Options } from "yargs";
import { BASIC_TYPES } from "./basic-value.ts";

/** An option with a value, which is yes without it. */
export function yesUnless(name: string, describe: string): Options & { readonly default: true } {
  return {
    describe: `${describe}: yes or no`,
    type: "string",
    requiresArg: true,
    defaultDescription: "yes",
    default: true,
    coerce: (word: string | boolean) => {
      const value = BASIC_TYPES.b.read(String(word));
      if (value === null) throw new Error(`--${name} ${word}: expected yes or no`);
      return value;
    },
  };
}
