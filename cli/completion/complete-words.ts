/** Completions for the words of a command line of onehop. */

import yargs from "yargs";
import { addBusOptions } from "../bus-options.ts";
import { withJsonValues } from "../json-mode.ts";
import type { LazyCommand } from "../lazy-command.ts";
import { userNames } from "../process-facts.ts";
import { openBus } from "../with-bus.ts";
import { candidatesFor, WORD_KINDS, type WordKind } from "./candidates.ts";
import { COMPLETION_SCRIPTS } from "./scripts.ts";

/** Nobody waits longer for a completion. */
const TIMEOUT_MS = 1_500;

/** What the last of `words`, which may be empty, could become; `words` begin behind `onehop`. */
export async function completeWords(
  words: readonly string[],
  commands: readonly LazyCommand[],
): Promise<string[]> {
  const current = words.at(-1) ?? "";
  const all = await candidates([], words, commands, current);
  return [...new Set(all)].filter((word) => word.startsWith(current)).sort();
}

/** `path`: the commands that lead here, such as `policy`. */
async function candidates(
  path: readonly string[],
  words: readonly string[],
  commands: readonly LazyCommand[],
  current: string,
): Promise<readonly string[]> {
  if (words.length <= 1) return commandNames(commands);
  const [word = "", ...rest] = words;
  const command = commands.find(({ name }) => name === word);
  const here = [...path, word];
  if (command !== undefined && command.commands.length > 0) {
    return candidates(here, rest, command.commands, current);
  }
  if (current.startsWith("-")) return optionsOf(command);
  return wordsOfCommand(here.join(" "), rest.slice(0, -1), current);
}

function commandNames(commands: readonly LazyCommand[]): string[] {
  return commands.map(({ name }) => name).filter((name) => !name.startsWith("_"));
}

async function wordsOfCommand(
  command: string,
  before: readonly string[],
  current: string,
): Promise<readonly string[]> {
  if (command === "completion") return before.length === 0 ? Object.keys(COMPLETION_SCRIPTS) : [];
  if (command === "env") return Object.keys(process.env);
  // Only what tells words from options and their values.
  const given = await addBusOptions(yargs(withJsonValues(before)))
    .option("args", { type: "string" })
    .option("destination", { type: "string" })
    .option("config-file", { type: "string" })
    .parserConfiguration({ "parse-positional-numbers": false })
    .help(false)
    .version(false)
    .exitProcess(false)
    .parseAsync();
  const positionals = given._.map(String);
  const kind = before.at(-1) === "--destination" ? "name" : kindOf(command, positionals.length);
  if (kind === null) return [];
  if (kind === "subject" && !current.startsWith(":")) return userNames();
  // Who sends comes first there, and the bus is the system's unless it is said to be the session's.
  const isPolicy = command === "policy why";
  const system = isPolicy ? given["session"] !== true && given.address === undefined : given.system;
  const client = await openBus({ ...given, system, timeout: TIMEOUT_MS });
  try {
    const known = isPolicy ? positionals.slice(1) : positionals;
    return await candidatesFor(client, kind, known, current, TIMEOUT_MS);
  } finally {
    await client.close();
  }
}

function kindOf(command: string, index: number): WordKind | null {
  const kinds = WORD_KINDS[command] ?? [];
  const goesOn = command === "tree" || command === "get-property" || command === "monitor";
  return kinds[goesOn ? Math.min(index, kinds.length - 1) : index] ?? null;
}

/** As its help tells them: yargs does not complete options of commands that are built later. */
async function optionsOf(command: LazyCommand | undefined): Promise<string[]> {
  if (command === undefined) return [];
  const help = await yargs([command.name])
    .command(await command.load())
    .getHelp();
  const lines = help.matchAll(/^ +(?:-\w, )?(--[\w-]+(?:, --[\w-]+)*)/gm);
  return [...lines].flatMap(([, names = ""]) => names.split(", "));
}
