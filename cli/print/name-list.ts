/** The names on a bus as a table. */

import { ACTIVATABLE, type ListedName } from "../bus-names.ts";
import type { Paint } from "./colour.ts";
import { alignedRight, fitRows } from "./fit.ts";
import { formatTable } from "./table.ts";

const TITLES = ["NAME", "PID", "PROCESS", "USER", "CONNECTION", "UNIT", "SESSION"];

/** `width`: Infinity for whole names. */
export function formatNames(
  names: readonly ListedName[],
  {
    paint,
    width,
    legend,
  }: { readonly paint: Paint; readonly width: number; readonly legend: boolean },
): string {
  const [pidTitle = "", ...pids] = alignedRight(["PID", ...names.map(({ pid }) => cell(pid))]);
  const titles = TITLES.map((title) => (title === "PID" ? pidTitle : title));
  const rows = names.map(({ name, process, user, connection, unit, session }, index) => [
    name,
    pids[index] ?? "",
    ...[process, user, connection, unit, session].map(cell),
  ]);
  const painted = fitRows(titles, rows, width).map((row) =>
    row.map((text) => (text.trim() === "-" || text === ACTIVATABLE ? paint(text, "grey") : text)),
  );
  const table = formatTable(titles, painted, paint);
  return legend ? table : table.slice(table.indexOf("\n") + 1);
}

function cell(value: string | number | null): string {
  return value === null ? "-" : String(value);
}
