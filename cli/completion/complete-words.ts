/** Completions for the words of a command line of onehop. */

import yargs from "yargs";
import { addBusOptions } from "../bus-options.ts";
import { withJsonValues } from "../json-mode.ts";
import type { LazyCommand } from "../lazy-command.ts";
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
  const [command = ""] = words;
  const isCommand = words.length <= 1;
  const all = isCommand
    ? commandNames(commands)
    : current.startsWith("-")
      ? await optionsOf(commands.find(({ name }) => name === command))
      : await wordsOfCommand(command, words.slice(1, -1), current);
  return [...new Set(all)].filter((word) => word.startsWith(current)).sort();
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
    .parserConfiguration({ "parse-positional-numbers": false })
    .help(false)
    .version(false)
    .exitProcess(false)
    .parseAsync();
  const positionals = given._.map(String);
  const kind = before.at(-1) === "--destination" ? "name" : kindOf(command, positionals.length);
  if (kind === null) return [];
  const client = await openBus({ ...given, timeout: TIMEOUT_MS });
  try {
    return await candidatesFor(client, kind, positionals, current, TIMEOUT_MS);
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
