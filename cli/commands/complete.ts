/** `onehop __complete -- WORD…`: what the scripts for shells ask for, one completion on a line. */

import { completeWords } from "../completion/complete-words.ts";
import type { LazyCommand, LoadedCommand } from "../lazy-command.ts";

export function completeCommand(
  words: readonly string[],
  commands: readonly LazyCommand[],
): LoadedCommand<object> {
  return {
    builder: (yargs) => yargs,
    handler: async () => {
      // Whatever goes wrong, somebody is in the middle of typing.
      const completions = await completeWords(words, commands).catch(() => []);
      process.stdout.write(completions.map((word) => `${word}\n`).join(""));
    },
  };
}
