/** `onehop policy`: what a configuration allows, and what is wrong with it. */

import type { Argv } from "yargs";
import { type LoadedCommand, lazyCommand } from "../lazy-command.ts";

export const policyCommand: LoadedCommand<object> = {
  builder: addQuestions,
  // One of the questions has been asked instead.
  handler: async () => {},
};

function addQuestions(yargs: Argv): Argv<object> {
  const questions = [
    lazyCommand(
      "why <sender> [name] [path] [interface] [member]",
      "Say who decides whether a message may be sent and received",
      async () => (await import("./policy-why.ts")).policyWhyCommand,
    ),
    lazyCommand(
      "lint",
      "Say what a configuration does not protect, and what cannot work",
      async () => {
        const { policyLintCommand } = await import("./policy-lint.ts");
        return policyLintCommand;
      },
    ),
  ];
  return yargs
    .usage("onehop policy why|lint …\n\nAsk about the policy of a bus")
    .command(questions.map(({ module }) => module))
    .demandCommand(1, "Name a question: why or lint.");
}
