/** What `npm run bench -- client` prints: a table for people, and the ratios as one object for machines. */

import { CLIENT_ROWS, type ClientRow } from "./client-rows.ts";
import type { ClientMeasurement, ClientName } from "./clients.ts";
import { type Judged, ratioCells, type Spread } from "./report.ts";
import type { RoundsResult } from "./rounds.ts";
import { median, type Ratio, ratioOf } from "./statistics.ts";
import { ABSENT, type Cell, type ColumnGroup, formatTable, number, targetCell } from "./table.ts";

/** One row: its figures by client, and how onehop's compare. */
export interface ClientSummary {
  readonly name: string;
  readonly title: string;
  /** Medians: microseconds of CPU time for an operation, or megabytes for a second of CPU time. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** The JavaScript library with the least CPU time, onehop left out; null if none was measured. */
  readonly better: ClientName | null;
  /** CPU time of onehop's client in that of the better library. */
  readonly ratio: Judged;
  readonly sdBus: Judged;
  /** CPU time without the addon in that of dbus-native. */
  readonly withoutAddon: Judged;
}

const RIVALS: readonly ClientName[] = ["dbus-native", "dbus-next"];

/** The rows in their order. */
export function summarizeClients(
  names: readonly ClientName[],
  result: RoundsResult<ClientMeasurement>,
): readonly ClientSummary[] {
  return CLIENT_ROWS.map((row) => {
    const roundsOf = (name: string): readonly (ClientMeasurement | null)[] =>
      result.series.find(({ mode, bus }) => mode === row.name && bus === name)?.rounds ?? [];
    const cpuOf = (name: string): (number | null)[] =>
      roundsOf(name).map((round) => round?.cpuNs ?? null);
    const figureOf = (name: string): number | null =>
      medianOf(roundsOf(name).map((round) => (round === null ? null : figureIn(row, round))));
    const judge = (subject: string, reference: string, target: number | null): Judged => {
      const ratio = ratioOf(cpuOf(subject), cpuOf(reference));
      const isMet = ratio === null || target === null ? null : ratio.median <= target;
      return { ratio, target, isMet };
    };
    const better = RIVALS.map((name) => ({ name, cpu: medianOf(cpuOf(name)) }))
      .filter(({ cpu }) => cpu !== null)
      .sort((a, b) => (a.cpu ?? 0) - (b.cpu ?? 0))[0];
    return {
      name: row.name,
      title: row.title,
      figures: Object.fromEntries(names.map((name) => [name, figureOf(name)])),
      better: better?.name ?? null,
      ratio: judge("onehop", better?.name ?? "", row.target),
      sdBus: judge("onehop", "sd-bus", row.sdBusTarget),
      withoutAddon: judge("without addon", "dbus-native", row.withoutAddonTarget),
    };
  });
}

function figureIn({ codec }: ClientRow, { cpuNs, byteLength }: ClientMeasurement): number {
  return codec === null ? cpuNs / 1000 : (1000 * byteLength) / cpuNs;
}

function medianOf(values: readonly (number | null)[]): number | null {
  return median(values.filter((value) => value !== null));
}

/** The medians of the ratios that have targets; null where one was not measured. */
export interface ClientRatios {
  readonly sequentialCpuRatio: number | null;
  readonly pipelinedCpuRatio: number | null;
  readonly signalCpuRatio: number | null;
  readonly sdBusCpuRatio: number | null;
  /** In sequential calls. */
  readonly withoutAddonCpuRatio: number | null;
  /** By row, such as `marshal a{sv}`. */
  readonly codec: Readonly<Record<string, number | null>>;
}

export function ratiosOf(summaries: readonly ClientSummary[]): ClientRatios {
  const row = (name: string): ClientSummary | undefined =>
    summaries.find((summary) => summary.name === name);
  const codec = CLIENT_ROWS.filter((one) => one.codec !== null).map(({ name }) => name);
  return {
    sequentialCpuRatio: medianIn(row("sequential")?.ratio),
    pipelinedCpuRatio: medianIn(row("pipelined")?.ratio),
    signalCpuRatio: medianIn(row("signals")?.ratio),
    sdBusCpuRatio: medianIn(row("sequential")?.sdBus),
    withoutAddonCpuRatio: medianIn(row("sequential")?.withoutAddon),
    codec: Object.fromEntries(codec.map((name) => [name, medianIn(row(name)?.ratio)])),
  };
}

function medianIn(judged: Judged | undefined): number | null {
  return judged?.ratio?.median ?? null;
}

export function formatClients(
  summaries: readonly ClientSummary[],
  names: readonly ClientName[],
  hasColours: boolean,
): string {
  const ratios = summaries.flatMap(({ ratio, sdBus, withoutAddon }) =>
    [ratio, sdBus, withoutAddon].map((judged) => judged.ratio),
  );
  const spread: Spread = ratios.some(isUnsure) ? "range" : "95 %";
  const judgedColumns = [
    { heading: "ratio", align: "right" },
    { heading: spread, align: "left" },
    { heading: "target", align: "left" },
  ] as const;
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "row", align: "left" }] },
    {
      heading: "CPU time of the client",
      columns: names.map((name) => ({ heading: name, align: "right" })),
    },
    {
      heading: "onehop / better JavaScript library",
      columns: [{ heading: "better", align: "left" }, ...judgedColumns],
    },
    { heading: "onehop / sd-bus", columns: judgedColumns },
    { heading: "without addon / dbus-native", columns: judgedColumns },
  ];
  const rows = summaries.map((row) => [
    { text: row.title },
    ...names.map((name) => number(row.figures[name], 1)),
    row.better === null ? ABSENT : { text: row.better },
    ...judgedCells(row.ratio, spread),
    ...judgedCells(row.sdBus, spread),
    ...judgedCells(row.withoutAddon, spread),
  ]);
  return formatTable(groups, rows, hasColours);
}

function isUnsure(ratio: Ratio | null): boolean {
  return ratio !== null && ratio.interval === null;
}

function judgedCells({ ratio, target, isMet }: Judged, spread: Spread): Cell[] {
  return [...ratioCells(ratio, spread), targetCell(target, isMet)];
}
