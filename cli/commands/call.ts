/** `onehop call`: calls a method and prints its reply. */

import type { ArgumentsCamelCase, Argv } from "yargs";
import type { Client, ReceivedMessage } from "../../client/index.ts";
import { parseArguments, type TypedArguments } from "../arguments.ts";
import { yesUnless } from "../boolean-option.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName, checkedPath } from "../checked-names.ts";
import { misuse } from "../command-problem.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import { parseJsonArguments } from "../json-arguments.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { type MemberWords, readMemberWords } from "../member-words.ts";
import { openDescriptors } from "../open-descriptors.ts";
import { formatReply } from "../print/reply.ts";
import { acceptWords, wordsOf } from "../verbatim-words.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

interface CallOptions extends BusOptions {
  readonly args: string | undefined;
  readonly "expect-reply": boolean;
  readonly "auto-start": boolean;
  readonly "allow-interactive-authorization": boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** `behindDashes`: the words that follow `--`. */
export function callCommand(behindDashes: readonly string[]): LoadedCommand<CallOptions> {
  return { builder: addOptions, handler: (given) => call(given, wordsOf(given, behindDashes)) };
}

function addOptions(yargs: Argv): Argv<CallOptions> {
  const own = acceptWords(yargs)
    .usage(
      "onehop call [options] NAME PATH INTERFACE METHOD [SIGNATURE [ARGUMENT…]]\n\nCall a method and print its reply",
    )
    .option("args", {
      describe: "The arguments as a JSON array; the SIGNATURE is asked for if there is none",
      type: "string",
      requiresArg: true,
    })
    .option("expect-reply", yesUnless("expect-reply", "Wait for a reply"))
    .option("auto-start", yesUnless("auto-start", "May the bus start the owner of NAME"))
    .option(
      "allow-interactive-authorization",
      yesUnless("allow-interactive-authorization", "May a person be asked for authorization"),
    )
    .option("quiet", {
      alias: "q",
      describe: "Do not print the reply",
      type: "boolean",
      default: false,
    })
    .option("verbose", {
      describe: "Print long values over several lines",
      type: "boolean",
      default: false,
    });
  return addBusOptions(own)
    .example("onehop call org.freedesktop.DBus / org.freedesktop.DBus ListNames", "")
    .example("onehop call org.example.A /a org.example.I.Set sv volume u 42", "")
    .example(`onehop call org.example.A /a org.example.I Set --args '["volume", 42]'`, "")
    .epilogue(
      [
        "Arguments are written as for busctl: a word for each basic value; before the",
        "elements of an array their number; before the value of a variant its",
        "signature, as in: a{sv} 1 Volume u 42. Words that begin with a dash come behind",
        "--, save negative numbers. What is printed can be given as arguments again.",
        "",
        EXIT_STATUSES,
      ].join("\n"),
    );
}

async function call(
  given: ArgumentsCamelCase<CallOptions>,
  [name, pathWord, ...rest]: readonly string[],
): Promise<void> {
  await tellingProblems(async () => {
    if (name === undefined || pathWord === undefined || rest.length === 0) {
      throw misuse(
        "expected NAME PATH INTERFACE METHOD [SIGNATURE [ARGUMENT…]]",
        "more: onehop call --help",
      );
    }
    const method = {
      destination: checkedBusName(name),
      path: checkedPath(pathWord),
      ...readMemberWords(rest, "a method"),
    };
    const known = knownArguments(method, given.args);
    await withBus(given, async (client) => {
      const { descriptors, ...content } =
        known ?? (await askedArguments(client, method, given.args));
      const message = {
        ...method,
        ...content,
        descriptors: openDescriptors(descriptors),
        autoStart: given.autoStart,
        interactiveAuthorization: given.allowInteractiveAuthorization,
      };
      if (!given.expectReply) return client.callWithoutReply(message);
      const reply = await client.call(message);
      if (!given.quiet) process.stdout.write(textOf(reply, given));
      for (const descriptor of reply.descriptors) descriptor.close();
    });
  });
}

interface CalledMethod extends MemberWords {
  readonly destination: string;
  readonly path: string;
}

/** The arguments, if the command line has all that they need; else null. */
function knownArguments(
  { signature, words }: MemberWords,
  json: string | undefined,
): TypedArguments | null {
  if (json === undefined) return parseArguments(signature ?? "", words);
  if (words.length > 0) throw misuse("arguments as words and --args: choose one");
  return signature === null ? null : parseJsonArguments(signature, json);
}

/** The arguments in JSON of a method that the object describes. */
async function askedArguments(
  client: Client,
  { destination, path, interface: interfaceName, member }: CalledMethod,
  json = "",
): Promise<TypedArguments> {
  // Reading introspection data takes modules that few calls need.
  const { methodSignature } = await import("../method-signature.ts");
  const signature = await methodSignature(client, destination, path, interfaceName, member);
  return parseJsonArguments(signature, json);
}

function textOf(reply: ReceivedMessage, { json, verbose }: CallOptions): string {
  return formatReply(reply, { json, verbose, width: process.stdout.columns ?? 80 });
}
