/** What is printed at the end: one table for people, one object for machines. */

import type { Measurement } from "./load.ts";
import type { Mode } from "./modes.ts";
import type { RoundsResult, Series } from "./rounds.ts";
import { median, type Ratio, ratioOf } from "./statistics.ts";
import { ABSENT, type Cell, type ColumnGroup, formatTable, number, targetCell } from "./table.ts";

/** Which bus is compared with which others; the first of `references` is the one targets are for. */
export interface Comparison {
  readonly subject: string;
  readonly references: readonly string[];
  /** Whether the targets of the modes apply: they are for onehop against dbus-broker. */
  readonly hasTargets: boolean;
}

/** What stands beside a ratio: with enough rounds the confidence interval of its median. */
export type Spread = "range" | "95 %";

/** The figures of one mode. */
export interface ModeSummary {
  readonly name: string;
  readonly title: string;
  readonly buses: Readonly<Record<string, BusSummary>>;
  /** By reference: CPU time, or p99, of the subject through that of the reference. */
  readonly ratios: Readonly<Record<string, Ratio | null>>;
  readonly target: number | null;
  /** Whether the target is met; null where there is none or nothing to compare. */
  readonly isMet: boolean | null;
  /** What else is compared with the first reference, and has a target in some modes. */
  readonly throughput: Judged;
  readonly p50: Judged;
  readonly p99: Judged;
}

/** A ratio and what is wanted of it. */
export interface Judged {
  readonly ratio: Ratio | null;
  readonly target: number | null;
  readonly isMet: boolean | null;
}

/** Medians over the rounds; null where nothing was measured. */
export interface BusSummary {
  readonly cpuNs: number | null;
  readonly messagesPerSecond: number | null;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly rounds: readonly (Measurement | null)[];
}

/** Medians and ratios of all modes, in the order of `modes`. */
export function summarize(
  modes: readonly Mode[],
  buses: readonly string[],
  comparison: Comparison,
  result: RoundsResult<Measurement>,
): readonly ModeSummary[] {
  return modes.map((mode) => {
    const figuresOf = (bus: string): (number | null)[] =>
      roundsOf(result.series, mode.name, bus).map(
        (round) => (mode.compares === "p99" ? round?.p99Us : round?.cpuNs) ?? null,
      );
    const ratios = comparison.references.map(
      (reference) =>
        [reference, ratioOf(figuresOf(comparison.subject), figuresOf(reference))] as const,
    );
    const target = comparison.hasTargets ? mode.target : null;
    const judged = comparison.hasTargets ? (ratios[0]?.[1] ?? null) : null;
    const besides = (
      wanted: number | null,
      isFine: (median: number, wanted: number) => boolean,
      figureOf: (round: Measurement) => number | null,
    ): Judged => {
      const figures = (bus: string): (number | null)[] =>
        roundsOf(result.series, mode.name, bus).map((round) => (round ? figureOf(round) : null));
      const [reference = ""] = comparison.references;
      const ratio = ratioOf(figures(comparison.subject), figures(reference));
      const least = comparison.hasTargets ? wanted : null;
      const isMet = least === null || ratio === null ? null : isFine(ratio.median, least);
      return { ratio, target: least, isMet };
    };
    const atMost = (median: number, wanted: number): boolean => median <= wanted;
    const atLeast = (median: number, wanted: number): boolean => median >= wanted;
    return {
      throughput: besides(mode.throughputTarget, atLeast, (round) => round.messagesPerSecond),
      p50: besides(mode.timesTarget, atMost, (round) => round.p50Us),
      p99: besides(mode.timesTarget, atMost, (round) => round.p99Us),
      name: mode.name,
      title: mode.title,
      buses: Object.fromEntries(
        buses.map((bus) => [bus, summarizeBus(roundsOf(result.series, mode.name, bus))]),
      ),
      ratios: Object.fromEntries(ratios),
      target,
      isMet: target === null || judged === null ? null : judged.median <= target,
    };
  });
}

/** The table of all modes: CPU per message first, as that is what a noisy machine spoils least. */
export function formatSpeed(
  summaries: readonly ModeSummary[],
  buses: readonly string[],
  comparison: Comparison,
  hasColours: boolean,
): string {
  const hasTimes = summaries.some((mode) =>
    Object.values(mode.buses).some((bus) => bus.p50Us !== null),
  );
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "mode", align: "left" }] },
    perBus("bus CPU, ns per delivered message", buses),
    ...comparison.references.map((reference, index) => ({
      heading: `CPU, ${comparison.subject} / ${reference}`,
      columns: [
        { heading: "ratio", align: "right" } as const,
        { heading: spreadOf(summaries), align: "left" } as const,
        ...(index === 0 && comparison.hasTargets
          ? [{ heading: "target", align: "left" } as const]
          : []),
      ],
    })),
    perBus("thousand messages/s", buses),
    ...(hasTimes ? [perBus("p50 / p99, µs", buses)] : []),
  ];
  const rows = summaries.map((mode) => [
    { text: mode.title },
    ...buses.map((bus) => number(mode.buses[bus]?.cpuNs, 0)),
    ...comparison.references.flatMap((reference, index) => [
      ...ratioCells(mode.ratios[reference] ?? null, spreadOf(summaries)),
      ...(index === 0 && comparison.hasTargets ? [targetCell(mode.target, mode.isMet)] : []),
    ]),
    ...buses.map((bus) => number(thousand(mode.buses[bus]?.messagesPerSecond), 1)),
    ...(hasTimes ? buses.map((bus) => timesCell(mode.buses[bus])) : []),
  ]);
  return formatTable(groups, rows, hasColours);
}

/** A second table, of the modes that have a target for throughput or round trips; null if there is none. */
export function formatBesides(
  summaries: readonly ModeSummary[],
  comparison: Comparison,
  hasColours: boolean,
): string | null {
  const [reference = ""] = comparison.references;
  const judged = summaries.filter(
    (mode) => mode.throughput.target !== null || mode.p50.target !== null,
  );
  if (judged.length === 0) return null;
  const spread = spreadOf(summaries);
  const columns = ["ratio", spread, "target"].map(
    (heading, index) => ({ heading, align: index === 0 ? "right" : "left" }) as const,
  );
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "mode", align: "left" }] },
    ...["messages/s", "p50", "p99"].map((what) => ({
      heading: `${what}, ${comparison.subject} / ${reference}`,
      columns,
    })),
  ];
  const rows = judged.map((mode) => [
    { text: mode.title },
    ...besidesCells(mode.throughput, "≥", spread),
    ...besidesCells(mode.p50, "≤", spread),
    ...besidesCells(mode.p99, "≤", spread),
  ]);
  return formatTable(groups, rows, hasColours);
}

function besidesCells({ ratio, target, isMet }: Judged, sign: "≤" | "≥", spread: Spread): Cell[] {
  if (target === null) return [{ text: "" }, { text: "" }, { text: "" }];
  return [...ratioCells(ratio, spread), targetCell(target, isMet, sign)];
}

/** With enough rounds the spread is a confidence interval. */
function spreadOf(summaries: readonly ModeSummary[]): Spread {
  const ratios = summaries.flatMap((mode) => Object.values(mode.ratios));
  return ratios.some((ratio) => ratio !== null && ratio.interval === null) ? "range" : "95 %";
}

function summarizeBus(rounds: readonly (Measurement | null)[]): BusSummary {
  return {
    cpuNs: medianOf(rounds, (round) => round.cpuNs),
    messagesPerSecond: medianOf(rounds, (round) => round.messagesPerSecond),
    p50Us: medianOf(rounds, (round) => round.p50Us),
    p99Us: medianOf(rounds, (round) => round.p99Us),
    rounds,
  };
}

function roundsOf<T>(series: readonly Series<T>[], mode: string, bus: string): (T | null)[] {
  return series.find((one) => one.mode === mode && one.bus === bus)?.rounds ?? [];
}

function medianOf<T>(
  rounds: readonly (T | null)[],
  figureOf: (round: T) => number | null,
): number | null {
  const values = rounds.map((round) => (round === null ? null : figureOf(round)));
  return median(values.filter((value) => value !== null));
}

function perBus(heading: string, buses: readonly string[]): ColumnGroup {
  return { heading, columns: buses.map((bus) => ({ heading: bus, align: "right" })) };
}

/** A ratio, and its spread. */
export function ratioCells(ratio: Ratio | null, spread: Spread): Cell[] {
  if (ratio === null) return [ABSENT, ABSENT];
  const range = { low: ratio.least, high: ratio.greatest };
  const { low, high } = spread === "range" ? range : (ratio.interval ?? range);
  return [
    { text: ratioText(ratio.median) },
    { text: `${ratioText(low)}–${ratioText(high)}`, tone: "faint" },
  ];
}

/** Two digits that say something, however small the ratio is. */
function ratioText(ratio: number): string {
  return ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2);
}

function timesCell(bus: BusSummary | undefined): Cell {
  if (!bus || bus.p50Us === null || bus.p99Us === null) return { text: "" };
  return { text: `${bus.p50Us.toFixed(1)} / ${bus.p99Us.toFixed(1)}` };
}

function thousand(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : value / 1000;
}
