/** Tables that are no wider than the terminal. */

import { oneLine } from "./table.ts";

const GAP = 2;
/** Narrower columns say nothing. */
const LEAST = 10;
const LEAST_OF_FIRST = 20;

/**
 * The same rows with the widest cells cut off, so that a table of them takes at most `width` columns; what is cut ends
 * with an ellipsis. Control characters become escapes. The column `first` gives way before the others do.
 */
export function fitRows(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  first: number | null = null,
): string[][] {
  const lines = rows.map((row) => row.map((cell) => oneLine(cell)));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  let tooMuch = widths.reduce((sum, each) => sum + each, GAP * (titles.length - 1)) - width;
  const firstWidth = first === null ? 0 : (widths[first] ?? 0);
  if (first !== null && tooMuch > 0 && firstWidth > LEAST_OF_FIRST) {
    widths[first] = Math.max(LEAST_OF_FIRST, firstWidth - tooMuch);
    tooMuch -= firstWidth - widths[first];
  }
  while (tooMuch > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    const current = widths[widest] ?? 0;
    const second = Math.max(LEAST, ...widths.filter((_, column) => column !== widest));
    const next = Math.max(second < current ? second : current - 1, current - tooMuch, LEAST);
    if (next >= current) break;
    tooMuch -= current - next;
    widths[widest] = next;
  }
  return lines.map((line) => line.map((cell, column) => oneLine(cell, widths[column])));
}

/** Cells of one column with their ends below each other, as numbers are written. */
export function alignedRight(cells: readonly string[]): string[] {
  const width = Math.max(0, ...cells.map((cell) => cell.length));
  return cells.map((cell) => cell.padStart(width));
}
