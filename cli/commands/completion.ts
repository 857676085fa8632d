/** `onehop completion`: the script for a shell. */

import type { Argv } from "yargs";
import { COMPLETION_SCRIPTS } from "../completion/scripts.ts";
import type { LoadedCommand } from "../lazy-command.ts";

interface CompletionOptions {
  readonly shell: keyof typeof COMPLETION_SCRIPTS;
}

export const completionCommand: LoadedCommand<CompletionOptions> = {
  builder: addOptions,
  handler: async ({ shell }) => {
    process.stdout.write(COMPLETION_SCRIPTS[shell]);
  },
};

function addOptions(yargs: Argv): Argv<CompletionOptions> {
  return yargs
    .positional("shell", {
      describe: "The shell",
      choices: ["bash", "zsh", "fish"] as const,
      demandOption: true,
    })
    .example("source <(onehop completion bash)", "in ~/.bashrc; for zsh in ~/.zshrc")
    .example("onehop completion fish > ~/.config/fish/completions/onehop.fish", "")
    .epilogue(
      "Names, paths, interfaces and members are completed as the bus and its objects tell; nobody is started for it.",
    );
}
