/** The options of commands that print a table. */

import type { Argv } from "yargs";

export interface FullOption {
  readonly full: boolean;
}

export interface TableOptions extends FullOption {
  readonly legend: boolean;
}

export function addTableOptions<T>(yargs: Argv<T>): Argv<T & TableOptions> {
  return addFullOption(yargs).option("legend", {
    describe: "Print the titles of the columns; --no-legend does not",
    type: "boolean",
    default: true,
  });
}

export function addFullOption<T>(yargs: Argv<T>): Argv<T & FullOption> {
  return yargs.option("full", {
    alias: "l",
    describe: "Do not cut off what is too long for the terminal",
    type: "boolean",
    default: false,
  });
}

/** As many columns as there are; no limit where nobody looks. */
export function tableWidth({ full }: FullOption): number {
  const { isTTY, columns } = process.stdout;
  return isTTY && !full ? columns : Number.POSITIVE_INFINITY;
}
