#!/usr/bin/env node
/** The onehop command. */

import yargs from "yargs";
import { onehopVersion } from "../compat/dbus-daemon/version.ts";
import { splitCommandLine } from "./command-line.ts";
import { allCommands } from "./commands.ts";
import { ExitStatus } from "./exit-status.ts";
import { withJsonValues } from "./json-mode.ts";

const NO_COMMAND = "Name a command.";

const line = splitCommandLine(process.argv.slice(2));
const ours = withJsonValues(line.ours);

// Who reads the output may stop, as `head` does: that is nobody's mistake.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

class Misuse extends Error {
  override readonly name = "Misuse";
}

const parser = yargs(ours)
  .scriptName("onehop")
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("$0 <command>\n\nA D-Bus message bus")
  .command(allCommands(line.theirs).map(({ module }) => module))
  .demandCommand(1, NO_COMMAND)
  .strict()
  .version(onehopVersion())
  .help()
  .alias("help", "h")
  .fail((message: string | null, error: Error | undefined) => {
    // Errors of a command are bugs and keep their stack; only the command line is explained.
    throw message === null ? error : new Misuse(message);
  });

run();

async function run(): Promise<void> {
  try {
    await parser.parseAsync();
  } catch (error) {
    // The errors that yargs has for a command line have the first name.
    if (!(error instanceof Error) || !["YError", "Misuse"].includes(error.name)) throw error;
    process.stderr.write(explainMisuse(error.message, await parser.getHelp()));
    process.exitCode = ours[0] === "run" ? ExitStatus.NoRun : ExitStatus.Usage;
  }
}

function explainMisuse(message: string, help: string): string {
  if (message === NO_COMMAND) return `${help}\n\nonehop: ${message}\n`;
  const [command = ""] = ours;
  const words = /^\w/.test(command) ? `onehop ${command}` : "onehop";
  const dashes = /^Unknown arguments?: .(,|$)/.test(message)
    ? "  words that begin with a dash and are no options come behind --\n"
    : "";
  return `onehop: ${message}\n${dashes}  more: ${words} --help\n`;
}
