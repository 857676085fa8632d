/** `onehop get-property`: values of properties. */

import type { ArgumentsCamelCase, Argv } from "yargs";
import type { Variant } from "../../wire/variant.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName, checkedInterface, checkedMember, checkedPath } from "../checked-names.ts";
import { failure, misuse } from "../command-problem.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { formatJson } from "../print/json.ts";
import { formatBody } from "../print/value.ts";
import { variantJson } from "../print/value-json.ts";
import { acceptWords, wordsOf } from "../verbatim-words.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

export const getPropertyCommand: LoadedCommand<BusOptions> = {
  builder: addOptions,
  handler: getProperties,
};

function addOptions(yargs: Argv): Argv<BusOptions> {
  const own = acceptWords(yargs).usage(
    "onehop get-property [options] NAME PATH INTERFACE PROPERTY…\n\nPrint the values of properties",
  );
  return addBusOptions(own).epilogue(EXIT_STATUSES);
}

async function getProperties(given: ArgumentsCamelCase<BusOptions>): Promise<void> {
  await tellingProblems(async () => {
    const [name, path, interfaceName, ...properties] = wordsOf(given, []);
    if (
      name === undefined ||
      path === undefined ||
      interfaceName === undefined ||
      properties.length === 0
    ) {
      throw misuse("expected NAME PATH INTERFACE PROPERTY…", "more: onehop get-property --help");
    }
    const call = {
      destination: checkedBusName(name),
      path: checkedPath(path),
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
    };
    checkedInterface(interfaceName);
    for (const property of properties) checkedMember(property, "a property");
    await withBus(given, async (client) => {
      for (const property of properties) {
        const { signature, body } = await client.call({ ...call, body: [interfaceName, property] });
        if (signature !== "v") throw failure(`Get was answered with ${signature || "nothing"}`);
        const value = body[0] as Variant; // just checked
        process.stdout.write(
          given.json === "off"
            ? `${formatBody(value.signature, [value.value])}\n`
            : formatJson(variantJson(value), given.json),
        );
      }
    });
  });
}
