/** `onehop policy complaints`: what a daemon's log says was refused, or would have been. */

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Argv } from "yargs";
import { misuse } from "../command-problem.ts";
import { ExitStatus } from "../exit-status.ts";
import { type JsonMode, jsonModeOf } from "../json-mode.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { type Complaints, readComplaints } from "../policy/complaints.ts";
import { paintFor } from "../print/colour.ts";
import { formatComplaints } from "../print/complaints.ts";
import { formatJson } from "../print/json.ts";
import { tellingProblems } from "../with-bus.ts";

interface ComplaintsOptions {
  readonly file: string;
  readonly json: JsonMode;
}

export const policyComplaintsCommand: LoadedCommand<ComplaintsOptions> = {
  builder: addOptions,
  handler: complaints,
};

function addOptions(yargs: Argv): Argv<ComplaintsOptions> {
  return yargs
    .usage(
      `onehop policy complaints [FILE]\n\nSum up what a daemon's log says was refused, or would have been without --complain`,
    )
    .positional("file", {
      describe: "The log; - is standard input",
      type: "string",
      default: "-",
    })
    .option("json", {
      alias: "j",
      describe: "Print JSON: =short on one line, =pretty, alone pretty on a terminal",
      type: "string",
      default: "off",
      coerce: (mode: string) => jsonModeOf(mode),
    })
    .example("journalctl -u dbus -b | onehop policy complaints", "what was refused since the start")
    .epilogue(
      [
        "Exit status:",
        `  ${ExitStatus.Success}  nothing was refused`,
        `  ${ExitStatus.Denied}  something was`,
        `  ${ExitStatus.Usage}  the command line makes no sense, or the file cannot be read`,
      ].join("\n"),
    );
}

async function complaints({ file, json }: ComplaintsOptions): Promise<void> {
  await tellingProblems(async () => {
    const found = await readFile(file);
    process.stdout.write(
      json === "off" ? formatComplaints(found, paintFor(process.stdout)) : formatJson(found, json),
    );
    const isNone = found.complaints.length + found.untold + found.unclear === 0;
    process.exitCode = isNone ? ExitStatus.Success : ExitStatus.Denied;
  });
}

async function readFile(file: string): Promise<Complaints> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  try {
    return await readComplaints(createInterface({ input }));
  } catch (error) {
    throw misuse(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
