#!/usr/bin/env node
/** The onehop command. */

import yargs from "yargs";
import { onehopVersion } from "../compat/dbus-daemon/version.ts";
import { explainCommand } from "./commands/explain.ts";
import { ExitStatus } from "./exit-status.ts";
import { withJsonValues } from "./json-mode.ts";
import { lazyCommand } from "./lazy-command.ts";

// What follows the first `--` belongs to the command of `onehop run`, to the letter.
const words = process.argv.slice(2);
const separator = words.indexOf("--");
const ours = withJsonValues(separator === -1 ? words : words.slice(0, separator));
const theirs = separator === -1 ? [] : words.slice(separator + 1);

// Who reads the output may stop, as `head` does: that is nobody's mistake.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

yargs(ours)
  .scriptName("onehop")
  .usage("$0 <command>\n\nA D-Bus message bus")
  .command(
    lazyCommand("daemon", "Run a message bus until it is interrupted", async () => {
      const { daemonCommand } = await import("./commands/daemon.ts");
      return daemonCommand;
    }),
  )
  .command(
    lazyCommand("run", "Run a command with a message bus of its own", async () => {
      const { runCommand } = await import("./commands/run.ts");
      return runCommand(theirs);
    }),
  )
  .command(explainCommand)
  .command(
    lazyCommand("monitor [names..]", "Show what passes over a bus", async () => {
      const { monitorCommand } = await import("./commands/monitor.ts");
      return monitorCommand;
    }),
  )
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
