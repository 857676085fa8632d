/** The table and the curves of `--scale`. */

import { expect, test } from "@jest/globals";
import type { Measurement } from "../../bench/load.ts";
import type { Series } from "../../bench/rounds.ts";
import { AXES, curvesOf, formatScale, panelsOf } from "../../bench/scale.ts";

function series(
  mode: string,
  bus: string,
  ...cpu: readonly (number | null)[]
): Series<Measurement> {
  const rest = { messagesPerSecond: 1, p50Us: null, p99Us: null, busCpuShare: 0.5 };
  return { mode, bus, rounds: cpu.map((cpuNs) => (cpuNs === null ? null : { cpuNs, ...rest })) };
}

const result = {
  series: [
    series("idle-10", "onehop", 100, 300, 200),
    series("idle-100", "onehop", 210),
    series("idle-1000", "onehop", 215),
    series("idle-10000", "onehop", 230, null),
    series("idle-10", "dbus-daemon", 400),
    series("rules-1000", "onehop", 50),
    series("rules-10000", "onehop", 100),
  ],
  failures: [],
};

test("a curve has the medians of all rounds, and how the cost has grown on onehop", () => {
  const [idle, rules] = curvesOf(result, ["onehop", "dbus-daemon"]);
  expect(idle).toMatchObject({
    sizes: [10, 100, 1000, 10_000],
    buses: { onehop: [200, 210, 215, 230], "dbus-daemon": [400, null, null, null] },
    growth: 1.15,
    isMet: false,
  });
  // Half measured: nobody knows whether the target would be met.
  expect(rules).toMatchObject({ sizes: [1000, 10_000], growth: 2, target: 2, isMet: null });
});

test("the table names what an operation costs among what, and judges the last size", () => {
  const table = formatScale(curvesOf(result, ["onehop"]), ["onehop"], false).split("\n");
  expect(table.find((line) => line.startsWith("a message of a ping-pong"))).toMatch(
    /10 +idle connections +200 *$/,
  );
  expect(table.find((line) => line.includes("10,000  idle"))).toMatch(/230 +1\.15 +≤ 1\.1 missed$/);
});

test("what was not measured is no point of a plot", () => {
  const [idle] = panelsOf(curvesOf(result, ["onehop", "dbus-daemon"]));
  expect(idle?.lines.map(({ points }) => points.length)).toEqual([4, 1]);
  expect(AXES.map(({ name }) => name)).toEqual([
    "idle",
    "rules",
    "rule-churn",
    "names",
    "watchers",
  ]);
});
