/** `onehop run`: a private bus for one command. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Argv } from "yargs";
import { type LogEntry, startBus } from "../../bus/index.ts";
import { keepYoungGenerationSmall } from "../../compat/dbus-daemon/heap.ts";
import { readBusSource } from "../bus-source.ts";
import { ChildCommand } from "../child-command.ts";
import { ExitStatus } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { OtherDaemon } from "../other-daemon.ts";
import { paintFor } from "../print/colour.ts";
import { logToStderr } from "../print/log-line.ts";

interface RunOptions {
  readonly "config-file": string | undefined;
  readonly session: boolean | undefined;
  readonly "dbus-daemon": string | undefined;
  readonly json: boolean;
}

/** `words`: the program and its arguments, which yargs must not read. */
export function runCommand(words: readonly string[]): LoadedCommand<RunOptions> {
  return {
    builder: addOptions,
    handler: (given) => runWithBus(given, words),
  };
}

function addOptions(yargs: Argv): Argv<RunOptions> {
  return yargs
    .usage("onehop run [options] [--] COMMAND…\n\nRun a command with a message bus of its own")
    .option("config-file", {
      describe: "Configuration in the format of dbus-daemon",
      type: "string",
      requiresArg: true,
      coerce: givenOnce,
    })
    .option("dbus-daemon", {
      describe: "Run this program as the bus, as dbus-run-session does, and not onehop's own",
      type: "string",
      requiresArg: true,
      coerce: givenOnce,
    })
    .option("session", {
      describe: "Use dbus-daemon's configuration for the session bus",
      type: "boolean",
      conflicts: "config-file",
    })
    .option("json", {
      describe: "Log as one JSON object per line",
      type: "boolean",
      default: false,
    })
    .epilogue(
      [
        "The command finds the bus in DBUS_SESSION_BUS_ADDRESS. SIGINT, SIGTERM and",
        "SIGHUP are passed on to it. When it has ended the bus ends too and leaves",
        "nothing behind.",
        "",
        "Options are those of dbus-run-session(1), and a few more.",
        "",
        "Exit status: that of the command, or",
        `  ${ExitStatus.NotExecutable}    the command cannot be executed`,
        `  ${ExitStatus.NotFound}    there is no such command, the command line makes no sense,`,
        "         or the bus could not start",
        `  ${ExitStatus.Signalled}+N  signal N ended the command`,
      ].join("\n"),
    );
}

async function runWithBus(given: RunOptions, words: readonly string[]): Promise<void> {
  const log = logToStderr(given.json, paintFor(process.stderr));
  const fail = (text: string, status: number): void => {
    log({ level: "error", text, fields: {} });
    process.exitCode = status;
  };
  // The command's own output is what counts: only what went wrong is told beside it.
  const tellTrouble = (entry: LogEntry): void => {
    if (entry.level !== "info") log(entry);
  };
  if (words.length === 0) {
    return fail("name a command: onehop run [options] -- COMMAND…", ExitStatus.NoRun);
  }
  const command = new ChildCommand(words);
  const folder = await mkdtemp(join(tmpdir(), "onehop-run-"));
  try {
    const started =
      given["dbus-daemon"] === undefined
        ? await startOwnBus(given, folder, tellTrouble)
        : await OtherDaemon.start(given["dbus-daemon"], given["config-file"]);
    const end = await command.run(environmentFor(started.address));
    await started.stop();
    if (end.problem === null) process.exitCode = end.status;
    else fail(end.problem, end.status);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), ExitStatus.NoRun);
  } finally {
    await rm(folder, { recursive: true, force: true });
    command.release();
  }
}

/** @throws Error if it cannot start */
async function startOwnBus(
  given: RunOptions,
  folder: string,
  tell: (entry: LogEntry) => void,
): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const isConfigured = given.session === true || given["config-file"] !== undefined;
  const source = readBusSource(
    { configFile: given["config-file"], session: given.session === true },
    isConfigured ? [] : [`unix:path=${join(folder, "bus")}`],
  );
  if (source.problem !== null) throw new Error(source.problem);
  source.notes.forEach(tell);
  const started = await startBus({ ...source.options, hostsEventLoop: true, log: tell });
  keepYoungGenerationSmall();
  return started;
}

/** yargs would make a list of what comes twice. */
function givenOnce(value: string | readonly string[] | undefined): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new Error("--config-file and --dbus-daemon may be given once");
}

/** Ours with the bus's address, and without what would speak of another bus, as dbus-run-session does. */
function environmentFor(address: string): Record<string, string | undefined> {
  const {
    DBUS_SESSION_BUS_PID: _processId,
    DBUS_SESSION_BUS_WINDOWID: _window,
    DBUS_STARTER_ADDRESS: _starter,
    DBUS_STARTER_BUS_TYPE: _kind,
    ...rest
  } = process.env;
  return { ...rest, DBUS_SESSION_BUS_ADDRESS: address };
}
