/** Mutations of inputs that are programs: lines of words. */

import { mutateBytes } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

const MOST_LINES = 200;

/** One to several mutations of the lines of `input`; `newLine` makes one that means something. */
export function mutateLines(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  newLine: (random: Random) => string,
  words: readonly string[],
  maximumBytes: number,
): Uint8Array {
  let lines = linesOf(input);
  const others = linesOf(other);
  for (let left = 1 + random.below(random.pick([1, 3, 8])); left > 0; left--) {
    lines = mutateOnce(lines, others, random, newLine, words);
  }
  const bytes = Buffer.from(lines.slice(0, MOST_LINES).join("\n"), "latin1");
  return bytes.subarray(0, maximumBytes);
}

export function linesOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return text === "" ? [] : text.split("\n");
}

function mutateOnce(
  lines: string[],
  others: readonly string[],
  random: Random,
  newLine: (random: Random) => string,
  words: readonly string[],
): string[] {
  const at = random.below(lines.length + 1);
  const line = lines[at] ?? "";
  const count = random.below(Math.min(lines.length - at, 8) + 1);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return lines.toSpliced(at, 0, newLine(random));
    case 3:
      return lines.toSpliced(at, count);
    case 4:
      return lines.toSpliced(random.below(lines.length + 1), 0, ...lines.slice(at, at + count));
    case 5: {
      const from = random.below(others.length + 1);
      return lines.toSpliced(at, count, ...others.slice(from, from + 1 + random.below(8)));
    }
    case 6: {
      const moved = lines.slice(at, at + count);
      const rest = lines.toSpliced(at, count);
      return rest.toSpliced(random.below(rest.length + 1), 0, ...moved);
    }
    case 7: {
      const parts = line.split(/(?<=[ ='])|(?=[ ='])/);
      if (parts.length > 0) parts[random.below(parts.length)] = random.pick(words);
      return withLine(lines, at, parts.join(""));
    }
    default: {
      const bytes = mutateBytes(
        Buffer.from(line, "latin1"),
        Buffer.from(random.pick(words), "latin1"),
        random,
        words,
        4096,
      );
      return withLine(lines, at, Buffer.from(bytes).toString("latin1").replaceAll("\n", " "));
    }
  }
}

function withLine(lines: string[], at: number, line: string): string[] {
  return lines.toSpliced(at, at < lines.length ? 1 : 0, line);
}
