/** `onehop daemon`: a bus in the foreground, for people. */

import { tmpdir } from "node:os";
import type { Argv } from "yargs";
import { startBus } from "../../bus/index.ts";
import { keepYoungGenerationSmall } from "../../compat/dbus-daemon/heap.ts";
import { readBusSource } from "../bus-source.ts";
import { ExitStatus } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { paintFor } from "../print/colour.ts";
import { logToStderr } from "../print/log-line.ts";
import { nextSignal } from "../signals.ts";

interface DaemonOptions {
  readonly address: readonly string[];
  readonly "config-file": string | undefined;
  readonly session: boolean | undefined;
  readonly "print-address": boolean;
  readonly complain: boolean;
  readonly json: boolean;
}

export const daemonCommand: LoadedCommand<DaemonOptions> = {
  builder: (yargs) =>
    addOptions(yargs).epilogue(
      [
        "Exit status:",
        `  ${ExitStatus.Success}  the bus was stopped by SIGINT, SIGTERM or SIGHUP`,
        `  ${ExitStatus.Failure}  the bus could not start, for example because the address is in use`,
        `  ${ExitStatus.Usage}  the command line makes no sense`,
      ].join("\n"),
    ),
  handler: runDaemonCommand,
};

function addOptions(yargs: Argv): Argv<DaemonOptions> {
  return yargs
    .option("address", {
      describe: "D-Bus address to listen on, instead of those configured; may be repeated",
      type: "string",
      array: true,
      requiresArg: true,
      default: [],
      defaultDescription: "a new socket in the folder for temporary files",
    })
    .option("config-file", {
      describe: "Configuration in the format of dbus-daemon",
      type: "string",
      requiresArg: true,
    })
    .option("session", {
      describe: "Use dbus-daemon's configuration for the session bus",
      type: "boolean",
      conflicts: "config-file",
    })
    .option("print-address", {
      describe: "Print the address to standard output, alone on a line",
      type: "boolean",
      default: false,
    })
    .option("complain", {
      describe: "Log what the policy would refuse, and let it pass",
      type: "boolean",
      default: false,
    })
    .option("json", {
      describe: "Say where the bus listens, and log, as one JSON object per line",
      type: "boolean",
      default: false,
    })
    .example("onehop daemon --address unix:path=/tmp/my-bus", "listen on a path of your choice");
}

async function runDaemonCommand(given: DaemonOptions): Promise<void> {
  const log = logToStderr(given.json, paintFor(process.stderr));
  const fail = (text: string): void => {
    log({ level: "error", text, fields: {} });
    process.exitCode = ExitStatus.Failure;
  };
  const isConfigured = given.session === true || given["config-file"] !== undefined;
  const listen =
    given.address.length > 0 || isConfigured ? given.address : [`unix:tmpdir=${tmpdir()}`];
  const source = readBusSource(
    { configFile: given["config-file"], session: given.session === true },
    listen,
  );
  if (source.problem !== null) return fail(source.problem);
  source.notes.forEach(log);

  // Asked for before the bus starts: a signal must never leave a socket behind.
  const signalled = nextSignal(["SIGINT", "SIGTERM", "SIGHUP"]);
  const started = await startBus({
    ...source.options,
    complain: given.complain,
    takeover: "stale",
    hostsEventLoop: true,
    log,
  }).catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  if (started === undefined) return;
  keepYoungGenerationSmall();
  const { address, guid } = started;
  if (given.json) {
    process.stdout.write(`${JSON.stringify({ address, guid, processId: process.pid })}\n`);
  } else {
    if (given["print-address"]) process.stdout.write(`${address}\n`);
    log({ level: "info", text: "listening", fields: { address } });
  }
  const signal = await signalled;
  log({ level: "info", text: "stopping", fields: { signal } });
  await started.stop();
}
