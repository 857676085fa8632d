#!/usr/bin/env node
/** The onehop command. */

import yargs from "yargs";
import { onehopVersion } from "../compat/dbus-daemon/version.ts";
import { daemonCommand } from "./commands/daemon.ts";
import { explainCommand } from "./commands/explain.ts";
import { runCommand } from "./commands/run.ts";
import { ExitStatus } from "./exit-status.ts";

// What follows the first `--` belongs to the command of `onehop run`, to the letter.
const words = process.argv.slice(2);
const separator = words.indexOf("--");
const ours = separator === -1 ? words : words.slice(0, separator);
const theirs = separator === -1 ? [] : words.slice(separator + 1);

// Who reads the output may stop, as `head` does: that is nobody's mistake.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

yargs(ours)
  .scriptName("onehop")
  .usage("$0 <command>\n\nA D-Bus message bus")
  .command(daemonCommand)
  .command(runCommand(theirs))
  .command(explainCommand)
  .demandCommand(1, "Name a command.")
  .strict()
  .version(onehopVersion())
  .help()
  .alias("help", "h")
  .fail((message: string | null, error: Error | undefined, parser) => {
    // Errors of a command are bugs and keep their stack; only the command line is explained.
    if (error !== undefined && message === null) throw error;
    process.stderr.write(`${parser.help()}\n\nonehop: ${message}\n`);
    process.exit(ExitStatus.Usage);
  })
  .parseAsync();
