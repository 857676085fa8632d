/** `onehop policy`: what a configuration allows, and what is wrong with it. */

import type { Argv } from "yargs";
import type { LoadedCommand } from "../lazy-command.ts";
import { policyCommands } from "../policy-commands.ts";

export const policyCommand: LoadedCommand<object> = {
  builder: addCommands,
  // yargs runs one of them, or asks for one.
  handler: async () => {},
};

function addCommands(yargs: Argv): Argv<object> {
  const names = policyCommands.map(({ name }) => name);
  return yargs
    .usage(`onehop policy ${names.join("|")} …\n\nAsk about the policy of a bus`)
    .command(policyCommands.map(({ module }) => module))
    .demandCommand(1, `Name a command of policy: ${names.join(", ")}.`);
}
