/** Text tables with aligned columns under grouped headings. */

/** One column: its heading, and on which side its cells are aligned. */
export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

/** Columns that stand under one common heading. */
export interface ColumnGroup {
  readonly heading: string;
  readonly columns: readonly Column[];
}

/** What a cell shows; `tone` colours it where the output can show colours. */
export interface Cell {
  readonly text: string;
  readonly tone?: "good" | "bad" | "faint";
}

/** A cell for what was not measured. */
export const ABSENT: Cell = { text: "–", tone: "faint" };

/** A cell with a figure, where there is one. */
export function number(value: number | null | undefined, digits: number): Cell {
  return value === null || value === undefined ? ABSENT : { text: value.toFixed(digits) };
}

/**
 * A cell for the most that a figure may be (or, with `sign` "≥", the least), and whether it is; null where that is
 * not known.
 */
export function targetCell(
  target: number | null,
  isMet: boolean | null,
  sign: "≤" | "≥" = "≤",
): Cell {
  if (target === null) return { text: "" };
  const text = `${sign} ${target}`;
  if (isMet === null) return { text };
  return isMet ? { text: `${text} met`, tone: "good" } : { text: `${text} missed`, tone: "bad" };
}

const CODES = { good: "\u001b[32m", bad: "\u001b[31m", faint: "\u001b[2m" } as const;
const PLAIN = "\u001b[0m";
const BETWEEN_COLUMNS = "  ";
const BETWEEN_GROUPS = "   ";

/** The table as lines of text without a line break at the end; rows have one cell for each column. */
export function formatTable(
  groups: readonly ColumnGroup[],
  rows: readonly (readonly Cell[])[],
  hasColours: boolean,
): string {
  const columns = groups.flatMap((group) => group.columns);
  const widths = columns.map((column, index) =>
    Math.max(column.heading.length, ...rows.map((row) => row[index]?.text.length ?? 0)),
  );
  widenToHeadings(groups, widths);

  const line = (cellAt: (index: number) => string): string => {
    let index = 0;
    const parts = groups.map((group) =>
      group.columns.map(() => cellAt(index++)).join(BETWEEN_COLUMNS),
    );
    return parts.join(BETWEEN_GROUPS).trimEnd();
  };

  const lines = [
    line((index) => pad(columns[index]?.heading ?? "", widths[index] ?? 0, columns[index]?.align)),
    ...rows.map((row) =>
      line((index) => {
        const cell = row[index] ?? { text: "" };
        const text = pad(cell.text, widths[index] ?? 0, columns[index]?.align);
        return hasColours && cell.tone ? `${CODES[cell.tone]}${text}${PLAIN}` : text;
      }),
    ),
  ];
  if (groups.some((group) => group.heading !== "")) lines.unshift(groupLine(groups, widths));
  return lines.join("\n");
}

/** A group narrower than its heading grows in its first column. */
function widenToHeadings(groups: readonly ColumnGroup[], widths: number[]): void {
  let first = 0;
  for (const group of groups) {
    const missing = group.heading.length - groupWidth(group, widths, first);
    if (missing > 0) widths[first] = (widths[first] ?? 0) + missing;
    first += group.columns.length;
  }
}

function groupLine(groups: readonly ColumnGroup[], widths: readonly number[]): string {
  let first = 0;
  const parts = groups.map((group) => {
    const width = groupWidth(group, widths, first);
    first += group.columns.length;
    return group.heading.padEnd(width);
  });
  return parts.join(BETWEEN_GROUPS).trimEnd();
}

function groupWidth(group: ColumnGroup, widths: readonly number[], first: number): number {
  const own = widths.slice(first, first + group.columns.length);
  return own.reduce((sum, width) => sum + width, 0) + BETWEEN_COLUMNS.length * (own.length - 1);
}

function pad(text: string, width: number, align: Column["align"] = "left"): string {
  return align === "left" ? text.padEnd(width) : text.padStart(width);
}
