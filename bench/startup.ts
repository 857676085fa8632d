/** `--startup`: from the start of a bus to its answer to the first Hello, beside a Node that does nothing. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BusProgram } from "./buses.ts";
import { measureStart, type StartMeasurement } from "./load.ts";
import { Book, type RoundsPlan, type RoundsResult, turned } from "./rounds.ts";
import { median } from "./statistics.ts";
import { type ColumnGroup, formatTable, number, targetCell } from "./table.ts";

/** What onehop may take beyond `node -e 0`. */
const TARGET_MS = 40;

/** Takes part without being a bus: its time is that to its end. */
const node: BusProgram = {
  name: "node -e 0",
  isRelay: false,
  printsPid: false,
  command: () => [process.execPath, "-e", "0"],
};

/** Starts each bus, and Node alone, once in each round. Nothing is pinned: nobody pins what starts a session. */
export async function measureStarts(plan: RoundsPlan): Promise<RoundsResult<StartMeasurement>> {
  const contestants = [node, ...plan.programs];
  const book = new Book<StartMeasurement>({ ...plan, programs: contestants }, 1);
  const directory = mkdtempSync(join(tmpdir(), "onehop-bench-"));
  try {
    for (let round = 0; round < plan.rounds; round++) {
      for (const program of turned(contestants, round)) {
        book.announce(round, "start", program.name);
        const socket = join(directory, "bus");
        const args = program === node ? [] : ["--address", socket];
        const command = program.command(socket, { relay: null, isShared: false });
        const result = await measureStart(plan.children, [...args, "--", ...command]);
        plan.interruption.throwIfAborted();
        book.enter("start", program.name, result);
        rmSync(socket, { force: true });
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return book.close();
}

/** One row for each bus, and one for Node alone, from which the others' distance is counted. */
export function formatStarts(
  result: RoundsResult<StartMeasurement>,
  buses: readonly string[],
  hasColours: boolean,
): string {
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "bus", align: "left" }] },
    spread("to the answer to Hello, ms"),
    spread("CPU time until then, ms"),
    {
      heading: `beyond ${node.name}, ms`,
      columns: [
        { heading: "least", align: "right" },
        { heading: "median", align: "right" },
        { heading: "CPU, least", align: "right" },
        { heading: "target", align: "left" },
      ],
    },
  ];
  const startsOf = (name: string): readonly StartMeasurement[] =>
    result.series
      .filter(({ bus }) => bus === name)
      .flatMap(({ rounds }) => rounds.filter((round) => round !== null));
  const base = summaryOf(startsOf(node.name));
  const rows = [node.name, ...buses].map((name) => {
    const { wall, cpu } = summaryOf(startsOf(name));
    const least = difference(wall.least, base.wall.least);
    const beyond =
      name === node.name
        ? [{ text: "" }, { text: "" }, { text: "" }, { text: "" }]
        : [
            number(least, 1),
            number(difference(wall.median, base.wall.median), 1),
            number(difference(cpu.least, base.cpu.least), 1),
            // The least of many runs is judged: what else the machine does only ever adds to it.
            name === "onehop"
              ? targetCell(TARGET_MS, least === null ? null : least <= TARGET_MS)
              : { text: "" },
          ];
    return [
      { text: name },
      ...[wall.least, wall.median, wall.most, cpu.least, cpu.median, cpu.most].map((value) =>
        number(value, 1),
      ),
      ...beyond,
    ];
  });
  return formatTable(groups, rows, hasColours);
}

interface Spread {
  readonly least: number | null;
  readonly median: number | null;
  readonly most: number | null;
}

function summaryOf(starts: readonly StartMeasurement[]): { wall: Spread; cpu: Spread } {
  return {
    wall: spreadOf(starts.map(({ wallMs }) => wallMs)),
    cpu: spreadOf(starts.map(({ cpuMs }) => cpuMs)),
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { least: sorted[0] ?? null, median: median(sorted), most: sorted.at(-1) ?? null };
}

function difference(value: number | null, base: number | null): number | null {
  return value === null || base === null ? null : value - base;
}

function spread(heading: string): ColumnGroup {
  const columns = ["least", "median", "most"].map((name) => ({
    heading: name,
    align: "right" as const,
  }));
  return { heading, columns };
}
