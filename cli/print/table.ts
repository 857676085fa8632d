/** Rows of text in aligned columns. */

import type { Paint } from "./colour.ts";

const GAP = "  ";

/**
 * A line for the titles, in grey, and one for each row; columns are as wide as their widest cell, the last one
 * is not filled up. Paint cells before, with what `paintFor` gave: colours take no room.
 */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string {
  const head = titles.map((title) => (title === "" ? "" : paint(title, "grey")));
  const lines = [head, ...rows];
  const widths = titles.map((_title, column) =>
    Math.max(...lines.map((line) => visibleLength(line[column] ?? ""))),
  );
  return lines.map((line) => `${formatLine(line, widths)}\n`).join("");
}

function formatLine(line: readonly string[], widths: readonly number[]): string {
  return line
    .map((text, column) => text + " ".repeat((widths[column] ?? 0) - visibleLength(text)))
    .join(GAP)
    .trimEnd();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const COLOUR_CODES = /\u001b\[\d+m/g;
const segmenter = new Intl.Segmenter();
/** Characters that terminals draw two columns wide: East Asian ones and emoji, roughly. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that `text` takes on a terminal. */
function visibleLength(text: string): number {
  let length = 0;
  for (const { segment } of segmenter.segment(text.replaceAll(COLOUR_CODES, ""))) {
    length += WIDE.test(segment) ? 2 : 1;
  }
  return length;
}

/**
 * `text` of a peer on one line of at most `maximumLength` characters: control characters become escapes, so that
 * nobody can write to the terminal by way of a message, and what is too long ends with an ellipsis.
 */
export function oneLine(text: string, maximumLength: number = Number.POSITIVE_INFINITY): string {
  // An escape takes more room than the character: what lies behind the maximum is not even looked at.
  const start = Number.isFinite(maximumLength) ? text.slice(0, maximumLength + 1) : text;
  const line = start.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu, escapeOf);
  return line.length > maximumLength ? `${line.slice(0, maximumLength - 1)}…` : line;
}

function escapeOf(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
