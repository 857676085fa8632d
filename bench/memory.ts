/** `--memory`: what a bus at rest takes, and each connection, name, waiting call and match rule. */

import { type MemoryMeasurement, measureMemory } from "./load.ts";
import { Book, type RoundsPlan, type RoundsResult, Stable, turned } from "./rounds.ts";
import { median } from "./statistics.ts";
import { type ColumnGroup, formatTable, number, targetCell } from "./table.ts";

/** What is put on a bus, in this order. */
export interface MemoryLoad {
  readonly connectionCount: number;
  readonly nameCount: number;
  readonly replyCount: number;
  readonly ruleCount: number;
  readonly ruleShape: string;
  readonly settleSeconds: number;
}

export const MEMORY_LOAD: MemoryLoad = {
  connectionCount: 1000,
  nameCount: 10_000,
  replyCount: 10_000,
  ruleCount: 100_000,
  ruleShape: "mixed",
  settleSeconds: 0.5,
};

/** One column: its figure, and the most that onehop may have of it. */
interface Figure {
  readonly heading: string;
  readonly digits: number;
  readonly target: number | null;
  readonly of: (memory: MemoryMeasurement) => number;
}

const FIGURES: readonly Figure[] = [
  { heading: "idle, MB", digits: 1, target: 70, of: ({ idleBytes }) => idleBytes / 1e6 },
  { heading: "connection", digits: 0, target: 8192, of: ({ connectionBytes }) => connectionBytes },
  { heading: "name", digits: 0, target: null, of: ({ nameBytes }) => nameBytes },
  { heading: "waiting call", digits: 0, target: null, of: ({ replyBytes }) => replyBytes },
  { heading: "rule", digits: 0, target: 300, of: ({ ruleBytes }) => ruleBytes },
];

/** Measures the memory of each bus in each round, in a fresh process. */
export async function measureMemories(
  plan: RoundsPlan,
  load: MemoryLoad,
): Promise<RoundsResult<MemoryMeasurement>> {
  const args = [
    "memory",
    ["--conns", String(load.connectionCount)],
    ["--names", String(load.nameCount)],
    ["--replies", String(load.replyCount)],
    ["--rules", String(load.ruleCount)],
    ["--rule-shape", load.ruleShape],
    ["--settle", String(load.settleSeconds)],
    ["--cpu", String(plan.loadCpu)],
  ].flat();
  const book = new Book<MemoryMeasurement>(plan, 1);
  for (let round = 0; round < plan.rounds; round++) {
    for (const program of turned(plan.programs, round)) {
      book.announce(round, "memory", program.name);
      const stable = new Stable(plan);
      try {
        const bus = await stable.busOf(program, { relay: null, isShared: false });
        const result =
          typeof bus === "string" ? bus : await measureMemory(plan.children, bus, args);
        plan.interruption.throwIfAborted();
        book.enter("memory", program.name, result);
      } finally {
        await stable.close();
      }
    }
  }
  return book.close();
}

/** One row for each bus, medians over the rounds, and one that says what onehop was to need. */
export function formatMemory(
  buses: readonly string[],
  result: RoundsResult<MemoryMeasurement>,
  hasColours: boolean,
): string {
  const [idle, ...slopes] = FIGURES.map(({ heading }) => ({ heading, align: "right" }) as const);
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "bus", align: "left" }] },
    { heading: "", columns: idle === undefined ? [] : [idle] },
    { heading: "bytes for each", columns: slopes },
  ];
  const medianOf = (bus: string, figure: Figure): number | null => {
    const rounds = result.series.find((series) => series.bus === bus)?.rounds ?? [];
    return median(rounds.filter((round) => round !== null).map(figure.of));
  };
  const rows = buses.map((bus) => [
    { text: bus },
    ...FIGURES.map((figure) => number(medianOf(bus, figure), figure.digits)),
  ]);
  if (buses.includes("onehop")) {
    const cells = FIGURES.map((figure) => {
      const value = medianOf("onehop", figure);
      const isMet = value === null || figure.target === null ? null : value <= figure.target;
      return targetCell(figure.target, isMet);
    });
    rows.push([{ text: "target for onehop" }, ...cells]);
  }
  return formatTable(groups, rows, hasColours);
}
