/** `onehop env`: what the programs that a bus starts will find in their environment. */

import type { ArgumentsCamelCase, Argv } from "yargs";
import type { Client } from "../../client/index.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { misuse } from "../command-problem.ts";
import { listNames } from "../driver-calls.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { type OwnEnvironment, ownEnvironment } from "../own-environment.ts";
import { formatJson } from "../print/json.ts";
import { oneLine } from "../print/table.ts";
import { acceptWords, wordsOf } from "../verbatim-words.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

interface EnvOptions extends BusOptions {
  readonly all: boolean;
  readonly systemd: boolean;
  readonly verbose: boolean;
}

const SYSTEMD = "org.freedesktop.systemd1";

/** `behindDashes`: the words that follow `--`. */
export function envCommand(behindDashes: readonly string[]): LoadedCommand<EnvOptions> {
  return { builder: addOptions, handler: (given) => setEnv(given, wordsOf(given, behindDashes)) };
}

function addOptions(yargs: Argv): Argv<EnvOptions> {
  const own = acceptWords(yargs)
    .usage(
      "onehop env [options] VARIABLE[=VALUE]…\nonehop env --all\n\nSet variables for the programs that the bus starts from now on",
    )
    .option("all", {
      describe: "Every variable of the environment here",
      type: "boolean",
      default: false,
    })
    .option("systemd", {
      describe: "Tell systemd too, for the units that it starts, if it is on the bus",
      type: "boolean",
      default: false,
    })
    .option("verbose", { describe: "Print what is set", type: "boolean", default: false });
  return addBusOptions(own)
    .example("onehop env --systemd DISPLAY XAUTHORITY", "as they are here")
    .epilogue(
      [
        "The program of D-Bus for this is dbus-update-activation-environment(1). A",
        "VARIABLE without a value has the one that it has here; one that is not set",
        "here is left out. No bus can be asked what it has been told.",
        "",
        EXIT_STATUSES,
      ].join("\n"),
    );
}

async function setEnv(
  given: ArgumentsCamelCase<EnvOptions>,
  words: readonly string[],
): Promise<void> {
  await tellingProblems(async () => {
    if (given.all && words.length > 0) throw misuse("--all cannot be used with VARIABLE[=VALUE]");
    if (!given.all && words.length === 0) {
      throw misuse(
        "name variables to set; no bus can be asked for those that are set",
        "for example onehop env DISPLAY, or onehop env --all",
      );
    }
    const changes = chosenVariables(words, given.all, ownEnvironment());
    await withBus(given, async (client) => {
      const isSystemdTold = given.systemd && (await tellSystemd(client, changes));
      await client.call({
        destination: DRIVER_NAME,
        path: DRIVER_PATH,
        interface: DRIVER_NAME,
        member: "UpdateActivationEnvironment",
        signature: "a{ss}",
        body: [changes],
      });
      const { json } = given;
      if (json !== "off") {
        const variables = Object.fromEntries(changes);
        process.stdout.write(formatJson({ variables, systemd: isSystemdTold }, json));
      } else if (given.verbose) {
        for (const [name, value] of changes) {
          process.stdout.write(`${oneLine(`${name}=${value}`)}\n`);
        }
      }
    });
  });
}

/** @throws CommandProblem if a word names no variable */
function chosenVariables(
  words: readonly string[],
  isAll: boolean,
  { variables, unreadable }: OwnEnvironment,
): ReadonlyMap<string, string> {
  if (isAll) {
    for (const name of unreadable) note(`${name} is left out: it is not UTF-8`);
    return variables;
  }
  const chosen = new Map<string, string>();
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    if (name === "") throw misuse(`${JSON.stringify(word)} names no variable`);
    const value = equals === -1 ? variables.get(name) : word.slice(equals + 1);
    if (value !== undefined) chosen.set(name, value);
    else note(`${name} is left out: it is ${unreadable.has(name) ? "not UTF-8" : "not set here"}`);
  }
  return chosen;
}

/** False, and a note, if there is no systemd. @throws DBusError if it refuses */
async function tellSystemd(client: Client, changes: ReadonlyMap<string, string>): Promise<boolean> {
  if (!(await listNames(client)).includes(SYSTEMD)) {
    note("systemd is not on this bus: only the bus is told");
    return false;
  }
  const assignments = [...changes].map(([name, value]) => `${name}=${value}`);
  await client.call({
    destination: SYSTEMD,
    path: "/org/freedesktop/systemd1",
    interface: `${SYSTEMD}.Manager`,
    member: "SetEnvironment",
    signature: "as",
    body: [assignments],
  });
  return true;
}

/** Beside what is asked for, and no failure. */
function note(text: string): void {
  process.stderr.write(`onehop: ${oneLine(text)}\n`);
}
