/** `onehop set-property`: gives a property another value. */

import type { ArgumentsCamelCase, Argv } from "yargs";
import { isSingleCompleteType } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import { parseArguments } from "../arguments.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName, checkedInterface, checkedMember, checkedPath } from "../checked-names.ts";
import { SIGNATURE_HINT } from "../checked-signature.ts";
import { misuse } from "../command-problem.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { openDescriptors } from "../open-descriptors.ts";
import { acceptWords, wordsOf } from "../verbatim-words.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

/** `behindDashes`: the words that follow `--`. */
export function setPropertyCommand(behindDashes: readonly string[]): LoadedCommand<BusOptions> {
  return {
    builder: addOptions,
    handler: (given) => setProperty(given, wordsOf(given, behindDashes)),
  };
}

function addOptions(yargs: Argv): Argv<BusOptions> {
  const own = acceptWords(yargs).usage(
    "onehop set-property [options] NAME PATH INTERFACE PROPERTY SIGNATURE ARGUMENT…\n\nGive a property another value",
  );
  return addBusOptions(own).epilogue(
    `Arguments are written as for onehop call.\n\n${EXIT_STATUSES}`,
  );
}

async function setProperty(
  given: ArgumentsCamelCase<BusOptions>,
  [name, path, interfaceName, property, signature, ...words]: readonly string[],
): Promise<void> {
  await tellingProblems(async () => {
    if (
      name === undefined ||
      path === undefined ||
      interfaceName === undefined ||
      property === undefined ||
      signature === undefined
    ) {
      throw misuse(
        "expected NAME PATH INTERFACE PROPERTY SIGNATURE ARGUMENT…",
        "more: onehop set-property --help",
      );
    }
    const target = { destination: checkedBusName(name), path: checkedPath(path) };
    checkedInterface(interfaceName);
    checkedMember(property, "a property");
    const { body, descriptors } = parseArguments(signature, words);
    if (!isSingleCompleteType(signature)) {
      throw misuse(`${JSON.stringify(signature)}: a property has one type`, SIGNATURE_HINT);
    }
    await withBus(given, async (client) => {
      await client.call({
        ...target,
        interface: "org.freedesktop.DBus.Properties",
        member: "Set",
        signature: "ssv",
        body: [interfaceName, property, new Variant(signature, body[0])],
        descriptors: openDescriptors(descriptors),
      });
    });
  });
}
