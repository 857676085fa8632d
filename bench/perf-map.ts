/** The file in which node tells perf the names of the code it generates: a line `START SIZE NAME` for each. */

interface Range {
  readonly start: number;
  readonly end: number;
  readonly line: string;
}

/**
 * The map without names of code that had gone when other code took its place: node only ever adds
 * lines, and perf believes the first one it finds for an address.
 */
export function withoutStaleNames(map: string): string {
  const kept: Range[] = [];
  for (const line of map.split("\n").reverse()) {
    const [, start = "", size = ""] = /^([0-9a-f]+) ([0-9a-f]+) /.exec(line) ?? [];
    if (size === "") continue;
    const range = {
      start: parseInt(start, 16),
      end: parseInt(start, 16) + parseInt(size, 16),
      line,
    };
    const place = placeOf(range, kept);
    const isFree =
      (kept[place]?.start ?? Number.POSITIVE_INFINITY) >= range.end &&
      (kept[place - 1]?.end ?? 0) <= range.start;
    if (isFree) kept.splice(place, 0, range);
  }
  return kept.map(({ line }) => `${line}\n`).join("");
}

/** The index of the first range of `sorted` that does not begin before `range`. */
function placeOf(range: Range, sorted: readonly Range[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.start ?? 0) < range.start) low = middle + 1;
    else high = middle;
  }
  return low;
}
