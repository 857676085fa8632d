/** `onehop introspect`: what an object has. */

import type { Argv } from "yargs";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName, checkedInterface, checkedPath } from "../checked-names.ts";
import { failure } from "../command-problem.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import { findInterface, introspectionXml, readIntrospection } from "../introspect-object.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { membersOf } from "../object-members.ts";
import { paintFor } from "../print/colour.ts";
import { formatJson } from "../print/json.ts";
import { formatMembers, membersJson } from "../print/member-table.ts";
import { oneLine } from "../print/table.ts";
import { addTableOptions, type TableOptions, tableWidth } from "../table-options.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

interface IntrospectOptions extends BusOptions, TableOptions {
  readonly name: string;
  readonly path: string;
  readonly interface: string | undefined;
  readonly "xml-interface": boolean;
}

export const introspectCommand: LoadedCommand<IntrospectOptions> = {
  builder: addOptions,
  handler: introspect,
};

function addOptions(yargs: Argv): Argv<IntrospectOptions> {
  const own = yargs
    .usage(
      "onehop introspect [options] NAME PATH [INTERFACE]\n\nShow interfaces, methods, properties with their values, and signals of an object",
    )
    .positional("name", { describe: "A bus name", type: "string", demandOption: true })
    .positional("path", { describe: "An object path", type: "string", demandOption: true })
    .positional("interface", { describe: "Only this interface", type: "string" })
    .option("xml-interface", {
      alias: "xml",
      describe: "Print what the object said, as it came",
      type: "boolean",
      default: false,
    });
  return addBusOptions(addTableOptions(own)).epilogue(EXIT_STATUSES);
}

async function introspect(
  given: IntrospectOptions & { readonly xmlInterface: boolean },
): Promise<void> {
  await tellingProblems(async () => {
    const name = checkedBusName(given.name);
    const path = checkedPath(given.path);
    const only = given.interface === undefined ? null : checkedInterface(given.interface);
    await withBus(given, async (client) => {
      const xml = await introspectionXml(client, name, path);
      if (given.xmlInterface) {
        process.stdout.write(process.stdout.isTTY ? linesForTerminal(xml) : `${xml}\n`);
        return;
      }
      const node = readIntrospection(xml, name, path);
      if (only !== null && findInterface(node, only) === null) {
        const names = node.interfaces.map((each) => each.name);
        throw failure(
          `${path} of ${name} does not describe the interface ${only}`,
          names.length === 0 ? null : `interfaces that it describes: ${names.join(", ")}`,
        );
      }
      const { members, failures } = await membersOf(client, name, path, node, only);
      for (const each of failures) {
        process.stderr.write(
          `${paintFor(process.stderr)("onehop:", "yellow")} no values for ${each.interface}: ${oneLine(each.reason)}\n`,
        );
      }
      const { json, legend } = given;
      process.stdout.write(
        json === "off"
          ? formatMembers(members, {
              paint: paintFor(process.stdout),
              width: tableWidth(given),
              legend,
            })
          : formatJson(membersJson(members), json),
      );
    });
  });
}

/** Nothing that a peer wrote commands a terminal. */
function linesForTerminal(xml: string): string {
  return xml
    .split("\n")
    .map((line) => `${oneLine(line.replaceAll("\t", "    "))}\n`)
    .join("");
}
