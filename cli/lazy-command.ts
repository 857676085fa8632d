/** Commands whose modules are loaded when they are used: `onehop call` has no need of a whole bus. */

import type { ArgumentsCamelCase, Argv, CommandModule } from "yargs";

/** What a file in `commands/` exports: its options and what it does. */
export interface LoadedCommand<Options> {
  readonly builder: (yargs: Argv) => Argv<Options>;
  readonly handler: (given: ArgumentsCamelCase<Options>) => Promise<void>;
}

/** A command as far as it is known before its module is loaded. */
export interface LazyCommand {
  readonly name: string;
  /** For yargs, which loads the module when the command is used. */
  readonly module: CommandModule;
  /** The same with the module loaded. */
  readonly load: () => Promise<CommandModule>;
  /** The commands that it consists of, if it is none itself. */
  readonly commands: readonly LazyCommand[];
}

/** `command`: its name and positionals. `describe`: false hides it. `commands`: those that it consists of. */
export function lazyCommand<Options>(
  command: string,
  describe: string | false,
  load: () => Promise<LoadedCommand<Options>>,
  commands: readonly LazyCommand[] = [],
): LazyCommand {
  const module: CommandModule<object, Options> = {
    command,
    describe,
    builder: async (yargs) => (await load()).builder(yargs),
    handler: async (given) => (await load()).handler(given),
  };
  const loaded = async (): Promise<CommandModule<object, Options>> => ({
    command,
    describe,
    ...(await load()),
  });
  return {
    name: command.split(" ", 1)[0] ?? "",
    // yargs gives to each handler what its own builder asks for.
    module: module as CommandModule,
    load: loaded as () => Promise<CommandModule>,
    commands,
  };
}
