/** How the messages of a capture did against one rule. */

import type { Explanation } from "../../matchrules/explain.ts";
import { type OwnerOf, verdictText } from "../../matchrules/explain-text.ts";
import type { Paint } from "./colour.ts";
import { formatValue, type Outcome } from "./explanation.ts";
import { formatTable, oneLine } from "./table.ts";

/** How many numbers of messages a list has. */
const NUMBERS_SHOWN = 8;
const GROUPS_SHOWN = 20;
/** More different near misses are counted together: they lead nowhere. */
const GROUP_LIMIT = 10_000;

/** Messages that fail for the same reason. */
interface Group {
  /** Key, wanted, saw, and why not, as they are printed: the texts themselves may be long. */
  readonly cells: readonly string[];
  readonly numbers: number[];
  count: number;
}

/** Counts outcomes, and groups the messages that fail by one key. */
export class CaptureSummary {
  readonly #counts: Record<Outcome, number> = { match: 0, undecided: 0, "no match": 0 };
  readonly #matching: number[] = [];
  readonly #groups: Map<string, Group> = new Map();
  #nearly = 0;

  get matchCount(): number {
    return this.#counts.match;
  }

  /** Messages that could be explained. */
  get count(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count);
  }

  /** Message `number` of the capture. */
  add(number: number, explanation: Explanation, outcome: Outcome, ownerOf: OwnerOf): void {
    this.#counts[outcome]++;
    if (outcome === "match") this.#list(this.#matching, number);
    const [key, ...others] = explanation.keys.filter(({ verdict }) => verdict.kind !== "met");
    if (key === undefined || others.length > 0) return;
    if (outcome === "no match") this.#nearly++;
    const cells = [key.key, formatValue(key.wanted), formatValue(key.saw)];
    cells.push(oneLine(verdictText(key, ownerOf)));
    const id = cells.join("\n");
    const group = this.#groups.get(id) ?? { cells, numbers: [], count: 0 };
    if (this.#groups.size < GROUP_LIMIT) this.#groups.set(id, group);
    group.count++;
    this.#list(group.numbers, number);
  }

  /** The counts, the matching messages, and what the others lack that lack one key only. */
  format(unreadableCount: number, paint: Paint): string {
    const { match, undecided, "no match": none } = this.#counts;
    const total = this.count + unreadableCount;
    const nearly = this.#nearly > 0 ? ` (${this.#nearly} but for one key)` : "";
    const parts = [
      `${paint(`${match} match`, match > 0 ? "green" : "red")}, ${none} do not${nearly}`,
      ...(undecided > 0 ? [paint(`${undecided} undecided`, "yellow")] : []),
      ...(unreadableCount > 0 ? [paint(`${unreadableCount} unreadable`, "red")] : []),
    ];
    const lines = [`${total} ${total === 1 ? "message" : "messages"}: ${parts.join(", ")}\n`];
    if (match > 0) lines.push(`matching: ${formatNumbers(this.#matching, match)}\n`);
    if (this.#groups.size > 0) lines.push(`\n${this.#formatGroups(paint)}`);
    return lines.join("");
  }

  #formatGroups(paint: Paint): string {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    const width = String(groups[0]?.count ?? 0).length;
    const rows = groups
      .slice(0, GROUPS_SHOWN)
      .map(({ cells, numbers, count }) => [
        String(count).padStart(Math.max(width, "NEARLY".length)),
        ...cells,
        formatNumbers(numbers, count),
      ]);
    const table = formatTable(
      ["NEARLY", "KEY", "WANTED", "SAW", "WHY NOT", "MESSAGES"],
      rows,
      paint,
    );
    const more = groups.length - GROUPS_SHOWN;
    return more > 0 ? `${table}and ${more} more reasons; --json has every message\n` : table;
  }

  #list(numbers: number[], number: number): void {
    if (numbers.length < NUMBERS_SHOWN) numbers.push(number);
  }
}

function formatNumbers(numbers: readonly number[], count: number): string {
  return `${numbers.join(", ")}${count > numbers.length ? ", …" : ""}`;
}
