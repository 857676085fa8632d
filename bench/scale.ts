/** `--scale`: what an operation costs when there is ever more of what does not take part in it. */

import type { Measurement } from "./load.ts";
import { type Mode, mode } from "./modes.ts";
import type { Panel } from "./plot.ts";
import { measureModes, type RoundsPlan, type RoundsResult } from "./rounds.ts";
import { median } from "./statistics.ts";
import { type Cell, type ColumnGroup, formatTable, number, targetCell } from "./table.ts";

/** One thing that there is more and more of. */
export interface Axis {
  readonly name: string;
  /** What is measured, for each what. */
  readonly title: string;
  /** What there is more of. */
  readonly of: string;
  readonly sizes: readonly number[];
  /** The most that other buses are measured with: beyond that they take minutes, or gigabytes. */
  readonly mostElsewhere: number;
  /** Arguments of dbload. */
  readonly load: (size: number) => string;
  /** The most that the greatest size may cost on onehop, in costs of the least; null where nothing is wanted. */
  readonly target: number | null;
}

const ALL = Number.POSITIVE_INFINITY;

export const AXES: readonly Axis[] = [
  {
    name: "idle",
    title: "a message of a ping-pong",
    of: "idle connections",
    sizes: [10, 100, 1000, 10_000],
    mostElsewhere: ALL,
    load: (size) => `pingpong --idle ${size}`,
    target: 1.1,
  },
  {
    name: "rules",
    title: "a signal to one subscriber",
    of: "match rules of others",
    sizes: [1000, 10_000, 100_000, 1_000_000],
    mostElsewhere: 10_000,
    load: (size) => `rules --rule-shape mixed --rules ${size}`,
    target: 2,
  },
  {
    name: "rule-churn",
    title: "AddMatch or RemoveMatch",
    of: "match rules of others",
    sizes: [1000, 10_000, 100_000, 1_000_000],
    mostElsewhere: 10_000,
    load: (size) => `rule-churn --rule-shape mixed --rules ${size}`,
    target: 2,
  },
  {
    name: "names",
    title: "RequestName or ReleaseName",
    of: "names of others",
    sizes: [10, 100, 1000, 10_000, 50_000],
    mostElsewhere: ALL,
    load: (size) => `name-churn --names ${size}`,
    target: 2,
  },
  {
    name: "watchers",
    title: "telling a watcher of a new owner",
    of: "watchers",
    sizes: [1, 10, 100, 1000],
    mostElsewhere: ALL,
    load: (size) => `name-churn --names 100 --rate 1000 --watchers ${size}`,
    target: 1,
  },
];

/** What one axis gave; a figure is CPU time of the bus in ns, the median of the rounds. */
export interface Curve {
  readonly axis: string;
  readonly title: string;
  readonly of: string;
  readonly sizes: readonly number[];
  readonly buses: Readonly<Record<string, readonly (number | null)[]>>;
  /** Of onehop: the cost at the greatest size in costs at the least. */
  readonly growth: number | null;
  readonly target: number | null;
  readonly isMet: boolean | null;
}

/** Measures all axes, each on fresh buses; `isShort` leaves all but the two least sizes out. */
export async function measureScale(
  plan: RoundsPlan,
  isShort: boolean,
): Promise<RoundsResult<Measurement>> {
  const results: RoundsResult<Measurement>[] = [];
  for (const axis of AXES) {
    const modes = modesOf(axis).slice(0, isShort ? 2 : undefined);
    results.push(await measureModes(plan, modes));
  }
  return {
    series: results.flatMap((result) => result.series),
    failures: results.flatMap((result) => result.failures),
  };
}

function modesOf(axis: Axis): readonly Mode[] {
  return axis.sizes.map((size) => ({
    ...mode(nameOf(axis, size), `${axis.title}, ${shown(size)} ${axis.of}`, axis.load(size)),
    isOursAlone: size > axis.mostElsewhere,
  }));
}

function nameOf(axis: Axis, size: number): string {
  return `${axis.name}-${size}`;
}

/** The curves of what was measured. */
export function curvesOf(
  result: RoundsResult<Measurement>,
  buses: readonly string[],
): readonly Curve[] {
  const figure = (name: string, bus: string): number | null => {
    const series = result.series.find((each) => each.mode === name && each.bus === bus);
    return median((series?.rounds ?? []).flatMap((round) => (round === null ? [] : [round.cpuNs])));
  };
  return AXES.map((axis) => {
    const { name, title, of, target } = axis;
    const sizes = axis.sizes.filter((size) =>
      result.series.some((series) => series.mode === nameOf(axis, size)),
    );
    const figuresOf = (bus: string): (number | null)[] =>
      sizes.map((size) => figure(nameOf(axis, size), bus));
    const ours = figuresOf("onehop");
    const [first = null, last = null] = [ours[0], ours.at(-1)];
    const growth = first === null || last === null ? null : last / first;
    // A short run does not get to the size that the target is for.
    const isWhole = sizes.length === axis.sizes.length;
    return {
      ...{ axis: name, title, of, sizes, growth, target },
      buses: Object.fromEntries(buses.map((bus) => [bus, figuresOf(bus)])),
      isMet: growth === null || target === null || !isWhole ? null : growth <= target,
    };
  });
}

/** A table for people: a line for each size. */
export function formatScale(
  curves: readonly Curve[],
  buses: readonly string[],
  hasColours: boolean,
): string {
  const groups: ColumnGroup[] = [
    { heading: "", columns: [{ heading: "cost of", align: "left" }] },
    {
      heading: "among",
      columns: [
        { heading: "so many", align: "right" },
        { heading: "", align: "left" },
      ],
    },
    {
      heading: "bus CPU, ns",
      columns: buses.map((heading) => ({ heading, align: "right" })),
    },
    {
      heading: "onehop, greatest to least",
      columns: [
        { heading: "ratio", align: "right" },
        { heading: "target", align: "left" },
      ],
    },
  ];
  const rows = curves.flatMap((curve) =>
    curve.sizes.map((size, index): Cell[] => {
      const isLast = index === curve.sizes.length - 1;
      return [
        { text: index === 0 ? curve.title : "" },
        { text: shown(size) },
        { text: curve.of },
        ...buses.map((bus) => number(curve.buses[bus]?.[index], 0)),
        isLast ? number(curve.growth, 2) : { text: "" },
        isLast ? targetCell(curve.target, curve.isMet) : { text: "" },
      ];
    }),
  );
  return formatTable(groups, rows, hasColours);
}

/** The same as panels of a plot. */
export function panelsOf(curves: readonly Curve[]): readonly Panel[] {
  return curves.map((curve) => ({
    title: curve.title,
    x: curve.of,
    y: "CPU, ns",
    lines: Object.entries(curve.buses).map(([name, figures]) => ({
      name,
      points: curve.sizes.flatMap((size, index) => {
        const figure = figures[index] ?? null;
        return figure === null ? [] : [[size, figure] as const];
      }),
    })),
  }));
}

function shown(size: number): string {
  return size.toLocaleString("en");
}
