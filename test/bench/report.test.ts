/** The table and the judgement of targets. */

import { expect, test } from "@jest/globals";
import type { Measurement } from "../../bench/load.ts";
import { type Mode, selectModes } from "../../bench/modes.ts";
import { type Comparison, formatBesides, formatSpeed, summarize } from "../../bench/report.ts";
import type { Series } from "../../bench/rounds.ts";

const comparison: Comparison = {
  subject: "onehop",
  references: ["dbus-broker"],
  hasTargets: true,
};
const buses = ["dbus-broker", "onehop"];

function modesOf(...names: string[]): readonly Mode[] {
  const modes = selectModes(names);
  if (typeof modes === "string") throw new Error(`there is no mode ${modes}`);
  return modes;
}

function measurement(cpuNs: number): Measurement {
  return { cpuNs, messagesPerSecond: 1e6 / cpuNs, p50Us: 30, p99Us: 52, busCpuShare: 0.9 };
}

function series(mode: string, bus: string, ...cpuNs: (number | null)[]): Series<Measurement> {
  return {
    mode,
    bus,
    rounds: cpuNs.map((ns) => (ns === null ? null : measurement(ns))),
  };
}

test("a target is met when the median of the ratios is not above it", () => {
  const measured = [
    series("pipeline-1x64", "onehop", 350, 300, 1000),
    series("pipeline-1x64", "dbus-broker", 1000, 1000, 1000),
    series("fanout-100", "onehop", 6),
    series("fanout-100", "dbus-broker", 100),
  ];
  const [pipeline, fanout] = summarize(modesOf("pipeline-1x64", "fanout-100"), buses, comparison, {
    series: measured,
    failures: [],
  });
  expect(pipeline).toMatchObject({ target: 0.35, isMet: true });
  expect(pipeline?.ratios["dbus-broker"]).toMatchObject({ median: 0.35, least: 0.3, greatest: 1 });
  expect(fanout).toMatchObject({ target: 0.05, isMet: false });
});

test("nothing is judged where a bus was not measured or no target is set", () => {
  const measured = [series("connect", "onehop", null), series("connect", "dbus-broker", 40)];
  const result = { series: measured, failures: [] };
  const [connect] = summarize(modesOf("connect"), buses, comparison, result);
  expect(connect).toMatchObject({ target: 1.05, isMet: null, ratios: { "dbus-broker": null } });
  const [untargeted] = summarize(
    modesOf("connect"),
    buses,
    { ...comparison, hasTargets: false },
    result,
  );
  expect(untargeted).toMatchObject({ target: null, isMet: null });
});

test("the table has a row for each mode, and a dash where nothing was measured", () => {
  const measured = [
    series("pingpong-one-cpu", "onehop", 9000),
    series("pingpong-one-cpu", "dbus-broker", 10_000),
    series("payload-64k", "dbus-broker", 12_000),
  ];
  const modes = modesOf("pingpong-one-cpu", "payload-64k");
  const summaries = summarize(modes, buses, comparison, { series: measured, failures: [] });
  const [, headings, pingpong, payload] = formatSpeed(summaries, buses, comparison, false).split(
    "\n",
  );
  expect(headings?.split(/ {2,}/)).toEqual([
    "mode",
    ...buses,
    "ratio",
    "range",
    "target",
    ...buses,
    ...buses,
  ]);
  expect(pingpong?.split(/ {2,}/)).toEqual(
    [
      "ping-pong, all on one CPU",
      "10000",
      "9000",
      "0.90",
      "0.90–0.90",
      "≤ 0.8 missed",
      "0.1",
      "0.1",
    ].concat(["30.0 / 52.0", "30.0 / 52.0"]),
  );
  expect(payload?.split(/ {2,}/)).toEqual([
    "payload 64 KiB",
    "12000",
    "–",
    "–",
    "–",
    "≤ 0.9",
    "0.1",
    "–",
    "30.0 / 52.0",
  ]);
});

test("a small ratio keeps two digits that say something", () => {
  const measured = [
    series("rules-10000-same", "onehop", 1200),
    series("rules-10000-same", "dbus-broker", 200_000),
  ];
  const result = { series: measured, failures: [] };
  const summaries = summarize(modesOf("rules-10000-same"), buses, comparison, result);
  expect(formatSpeed(summaries, buses, comparison, false)).toContain("0.0060  0.0060–0.0060");
});

test("a second table has throughput and round trips where something is wanted of them", () => {
  const rounds = [1000, 1000, 1000, 1000, 1000, 1000, 1000];
  const quarter = rounds.map((ns) => ns / 4);
  const measured = [
    series("pingpong-one-cpu", "onehop", ...rounds),
    series("pingpong-one-cpu", "dbus-broker", ...rounds),
    series("pipeline-1x64", "onehop", ...quarter),
    series("pipeline-1x64", "dbus-broker", ...rounds),
    series("connect", "onehop", ...rounds),
    series("connect", "dbus-broker", ...rounds),
  ];
  const modes = modesOf("pingpong-one-cpu", "pipeline-1x64", "connect");
  const summaries = summarize(modes, buses, comparison, { series: measured, failures: [] });
  const table = formatBesides(summaries, comparison, false)?.split("\n") ?? [];
  expect(table.map((line) => line.trim().split(/ {2,}/)).slice(1)).toEqual([
    ["mode", ...Array(3).fill(["ratio", "95 %", "target"]).flat()],
    ["ping-pong, all on one CPU", "1.00", "1.00–1.00", "≤ 1 met", "1.00", "1.00–1.00", "≤ 1 met"],
    ["pipeline, 1 pair × 64", "4.00", "4.00–4.00", "≥ 3 met"],
  ]);
  expect(formatBesides(summaries.slice(2), comparison, false)).toBeNull();
});
