/** `onehop list`: the names on a bus. */

import type { Argv } from "yargs";
import { namesOnBus } from "../bus-names.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { paintFor } from "../print/colour.ts";
import { formatJson } from "../print/json.ts";
import { formatNames } from "../print/name-list.ts";
import { addTableOptions, type TableOptions, tableWidth } from "../table-options.ts";
import { withBus } from "../with-bus.ts";

interface ListOptions extends BusOptions, TableOptions {
  readonly unique: boolean;
  readonly acquired: boolean;
  readonly activatable: boolean;
}

export const listCommand: LoadedCommand<ListOptions> = { builder: addOptions, handler: list };

function addOptions(yargs: Argv): Argv<ListOptions> {
  const own = yargs
    .option("unique", { describe: "Only unique names", type: "boolean", default: false })
    .option("acquired", {
      describe: "Only well-known names that somebody owns",
      type: "boolean",
      default: false,
    })
    .option("activatable", {
      describe: "Only names whose owner the bus can start",
      type: "boolean",
      default: false,
    });
  return addBusOptions(addTableOptions(own)).epilogue(EXIT_STATUSES);
}

async function list(given: ListOptions): Promise<void> {
  const { unique, acquired, activatable, json, legend } = given;
  const isAll = !unique && !acquired && !activatable;
  const choice = isAll
    ? { unique: true, acquired: true, activatable: true }
    : { unique, acquired, activatable };
  await withBus(given, async (client) => {
    const names = await namesOnBus(client, choice);
    process.stdout.write(
      json === "off"
        ? formatNames(names, { paint: paintFor(process.stdout), width: tableWidth(given), legend })
        : formatJson(names, json),
    );
  });
}
