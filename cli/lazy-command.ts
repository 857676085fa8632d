/** Commands whose modules are loaded when they are used: `onehop call` has no need of a whole bus. */

import type { ArgumentsCamelCase, Argv, CommandModule } from "yargs";

/** What a file in `commands/` exports: its options and what it does. */
export interface LoadedCommand<Options> {
  readonly builder: (yargs: Argv) => Argv<Options>;
  readonly handler: (given: ArgumentsCamelCase<Options>) => Promise<void>;
}

/** The command that `load` loads, known by its words and its description until then. */
export function lazyCommand<Options>(
  command: string,
  describe: string,
  load: () => Promise<LoadedCommand<Options>>,
): CommandModule<object, Options> {
  return {
    command,
    describe,
    builder: async (yargs) => (await load()).builder(yargs),
    handler: async (given) => (await load()).handler(given),
  };
}
