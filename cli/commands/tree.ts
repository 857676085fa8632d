/** `onehop tree`: the objects of the owners of names. */

import type { Argv } from "yargs";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { checkedBusName } from "../checked-names.ts";
import { listNames } from "../driver-calls.ts";
import { EXIT_STATUSES, ExitStatus } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { discoverObjects, type ObjectTree } from "../object-tree.ts";
import { paintFor } from "../print/colour.ts";
import { formatJson } from "../print/json.ts";
import { oneLine } from "../print/table.ts";
import { formatTree } from "../print/tree.ts";
import { tellingProblems, withBus } from "../with-bus.ts";

interface TreeOptions extends BusOptions {
  readonly names: string[] | undefined;
  readonly list: boolean;
  readonly "max-objects": number;
  readonly "max-depth": number;
}

export const treeCommand: LoadedCommand<TreeOptions> = { builder: addOptions, handler: tree };

function addOptions(yargs: Argv): Argv<TreeOptions> {
  const own = yargs
    .usage(
      "onehop tree [options] [NAME…]\n\nShow the objects of the owners of these names; of all well-known names without one",
    )
    .positional("names", { describe: "Bus names", type: "string", array: true })
    .option("list", { describe: "Print only the paths", type: "boolean", default: false })
    .option("max-objects", {
      describe: "Objects of a name to look at",
      type: "number",
      default: 10_000,
    })
    .option("max-depth", {
      describe: "Elements of the longest path to look at",
      type: "number",
      default: 64,
    });
  return addBusOptions(own).epilogue(
    `--timeout is for all objects of a name together.\n\n${EXIT_STATUSES}`,
  );
}

async function tree(
  given: TreeOptions & { readonly maxObjects: number; readonly maxDepth: number },
): Promise<void> {
  const limits = {
    objects: given.maxObjects,
    depth: given.maxDepth,
    timeoutMs: given.timeout ?? 25_000,
  };
  await tellingProblems(async () => {
    const chosen = (given.names ?? []).map(checkedBusName);
    await withBus(given, async (client) => {
      const names =
        chosen.length > 0
          ? chosen
          : (await listNames(client)).filter((name) => !name.startsWith(":")).sort();
      const trees: ObjectTree[] = [];
      for (const [index, name] of names.entries()) {
        const found = await discoverObjects(client, name, limits);
        if (given.json === "off") {
          const head = names.length > 1 ? `${index > 0 ? "\n" : ""}Service ${name}:\n` : "";
          process.stdout.write(head + textOf(found, given.list));
          tellTroubles(found);
        }
        trees.push(found);
      }
      if (given.json !== "off") process.stdout.write(formatJson(trees, given.json));
      if (trees.some(({ failures, cuts }) => failures.length + cuts.length > 0)) {
        process.exitCode = ExitStatus.Failure;
      }
    });
  });
}

function textOf({ paths }: ObjectTree, isList: boolean): string {
  return isList ? paths.map((path) => `${path}\n`).join("") : formatTree(paths);
}

function tellTroubles({ name, failures, cuts }: ObjectTree): void {
  const paint = paintFor(process.stderr);
  const lines = [
    ...failures.map(({ path, reason }) => `${path} could not be introspected: ${reason.trim()}`),
    ...cuts,
  ];
  for (const line of lines) {
    process.stderr.write(`${paint("onehop:", "yellow")} ${name}: ${oneLine(line)}\n`);
  }
}
