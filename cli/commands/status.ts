/** `onehop status`: a bus, or who owns a name. */

import type { Argv } from "yargs";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { busStatus } from "../bus-status.ts";
import { checkedBusName } from "../checked-names.ts";
import { failure } from "../command-problem.ts";
import { namesHint } from "../error-hints.ts";
import { EXIT_STATUSES } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { ownerStatus } from "../owner-status.ts";
import { paintFor } from "../print/colour.ts";
import { formatJson } from "../print/json.ts";
import { formatBusStatus, formatOwnerStatus, statusJson } from "../print/status.ts";
import { addFullOption, type FullOption, tableWidth } from "../table-options.ts";
import { addressOfBus, tellingProblems, withBus } from "../with-bus.ts";

interface StatusOptions extends BusOptions, FullOption {
  readonly name: string | undefined;
}

export const statusCommand: LoadedCommand<StatusOptions> = { builder: addOptions, handler: status };

function addOptions(yargs: Argv): Argv<StatusOptions> {
  const own = yargs
    .usage("onehop status [options] [NAME]\n\nShow the bus, or who owns a name on it")
    .positional("name", { describe: "A bus name", type: "string" });
  return addBusOptions(addFullOption(own)).epilogue(EXIT_STATUSES);
}

async function status(given: StatusOptions): Promise<void> {
  const { json } = given;
  const style = { paint: paintFor(process.stdout), width: tableWidth(given) };
  await tellingProblems(async () => {
    const name = given.name === undefined ? null : checkedBusName(given.name);
    await withBus(given, async (client) => {
      if (name !== null) {
        const owner = await ownerStatus(client, name);
        if (owner === null) {
          throw failure(`nobody owns ${name}`, await namesHint(client, name));
        }
        process.stdout.write(
          json === "off" ? formatOwnerStatus(owner, style) : formatJson(statusJson(owner), json),
        );
        return;
      }
      const address = addressOfBus(given);
      const bus = await busStatus(client);
      process.stdout.write(
        json === "off"
          ? formatBusStatus(address, bus, style)
          : formatJson(statusJson({ address, ...bus }), json),
      );
    });
  });
}
