/** `onehop emit`: sends a signal. */

import type { ArgumentsCamelCase, Argv } from "yargs";
import { parseArguments } from "../arguments.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName, checkedPath } from "../checked-names.ts";
import { misuse } from "../command-problem.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import { parseJsonArguments } from "../json-arguments.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { readMemberWords } from "../member-words.ts";
import { openDescriptors } from "../open-descriptors.ts";
import { acceptWords, wordsOf } from "../verbatim-words.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

interface EmitOptions extends BusOptions {
  readonly args: string | undefined;
  readonly destination: string | undefined;
}

/** `behindDashes`: the words that follow `--`. */
export function emitCommand(behindDashes: readonly string[]): LoadedCommand<EmitOptions> {
  return { builder: addOptions, handler: (given) => emit(given, wordsOf(given, behindDashes)) };
}

function addOptions(yargs: Argv): Argv<EmitOptions> {
  const own = acceptWords(yargs)
    .usage(
      "onehop emit [options] PATH INTERFACE SIGNAL [SIGNATURE [ARGUMENT…]]\n\nSend a signal to whoever has a match rule for it",
    )
    .option("destination", {
      describe: "The bus name of the only one to get it",
      type: "string",
      requiresArg: true,
    })
    .option("args", {
      describe: "The arguments as a JSON array; the SIGNATURE is needed",
      type: "string",
      requiresArg: true,
    });
  return addBusOptions(own)
    .example("onehop emit /org/example org.example.I Changed su volume 42", "")
    .epilogue(`Arguments are written as for onehop call.\n\n${EXIT_STATUSES}`);
}

async function emit(
  given: ArgumentsCamelCase<EmitOptions>,
  [pathWord, ...rest]: readonly string[],
): Promise<void> {
  await tellingProblems(async () => {
    if (pathWord === undefined || rest.length === 0) {
      throw misuse(
        "expected PATH INTERFACE SIGNAL [SIGNATURE [ARGUMENT…]]",
        "more: onehop emit --help",
      );
    }
    const { destination = null, args: json } = given;
    const path = checkedPath(pathWord);
    const { signature, words, ...signal } = readMemberWords(rest, "a signal");
    if (json !== undefined && signature === null) {
      throw misuse("--args needs the SIGNATURE of the signal before it");
    }
    const { descriptors, ...content } =
      json === undefined
        ? parseArguments(signature ?? "", words)
        : parseJsonArguments(signature ?? "", json);
    if (destination !== null) checkedBusName(destination);
    await withBus(given, (client) =>
      client.emit({
        path,
        ...signal,
        destination,
        ...content,
        descriptors: openDescriptors(descriptors),
      }),
    );
  });
}
