/** The table of client libraries, and the ratios for machines. */

import { expect, test } from "@jest/globals";
import {
  type ClientSummary,
  formatClients,
  ratiosOf,
  summarizeClients,
} from "../../bench/client-report.ts";
import { CLIENT_ROWS } from "../../bench/client-rows.ts";
import type { ClientMeasurement, ClientName } from "../../bench/clients.ts";
import type { Series } from "../../bench/rounds.ts";

const names: readonly ClientName[] = [
  "onehop",
  "without addon",
  "dbus-native",
  "dbus-next",
  "sd-bus",
];

function series(mode: string, bus: ClientName, ...cpuNs: number[]): Series<ClientMeasurement> {
  const rounds = cpuNs.map((ns) => ({ cpuNs: ns, perSecond: 1e9 / ns, byteLength: 1000 }));
  return { mode, bus, rounds };
}

function summariesOf(...measured: Series<ClientMeasurement>[]): readonly ClientSummary[] {
  return summarizeClients(names, { series: measured, failures: [] });
}

function rowOf(summaries: readonly ClientSummary[], name: string): ClientSummary {
  const row = summaries.find((summary) => summary.name === name);
  if (row === undefined) throw new Error(`there is no row ${name}`);
  return row;
}

const sequential = [
  series("sequential", "onehop", 20_000, 30_000, 20_000),
  series("sequential", "without addon", 40_000, 40_000, 40_000),
  series("sequential", "dbus-native", 60_000, 60_000, 60_000),
  series("sequential", "dbus-next", 50_000, 50_000, 90_000),
  series("sequential", "sd-bus", 10_000, 10_000, 10_000),
];

test("onehop is compared with the better of the two, with sd-bus, and without the addon with dbus-native", () => {
  expect(rowOf(summariesOf(...sequential), "sequential")).toMatchObject({
    better: "dbus-next",
    figures: { onehop: 20, "sd-bus": 10 },
    ratio: { ratio: { median: 0.4 }, target: 0.5, isMet: true },
    sdBus: { ratio: { median: 2 }, target: 1.5, isMet: false },
    withoutAddon: { target: 0.75, isMet: true },
  });
});

test("codec rows show megabytes for a second of CPU time, and compare CPU time", () => {
  const row = rowOf(
    summariesOf(
      series("marshal a{sv}", "onehop", 1000),
      series("marshal a{sv}", "dbus-native", 4000),
    ),
    "marshal a{sv}",
  );
  expect(row.figures).toMatchObject({ onehop: 1000, "dbus-native": 250, "sd-bus": null });
  expect(row.ratio).toMatchObject({ ratio: { median: 0.25 }, isMet: true });
});

test("what a missing library leaves open is not judged", () => {
  const row = rowOf(summariesOf(series("signals", "onehop", 1000)), "signals");
  expect(row).toMatchObject({ better: null, ratio: { ratio: null, isMet: null } });
});

test("the object for machines has a ratio for each target", () => {
  const ratios = ratiosOf(summariesOf(...sequential));
  expect(ratios).toMatchObject({
    sequentialCpuRatio: 0.4,
    pipelinedCpuRatio: null,
    signalCpuRatio: null,
    sdBusCpuRatio: 2,
  });
  expect(ratios.withoutAddonCpuRatio).toBeCloseTo(2 / 3);
  expect(Object.keys(ratios.codec)).toEqual(
    ["a{sv}", "aa{sv}", "ay", "a(oa{sa{sv}})"].flatMap((signature) => [
      `marshal ${signature}`,
      `unmarshal ${signature}`,
    ]),
  );
});

test("the table has a row for each row, and a dash where nothing was measured", () => {
  const lines = formatClients(summariesOf(...sequential), names, false).split("\n");
  expect(lines.slice(2)).toHaveLength(CLIENT_ROWS.length);
  const fields = lines[2]?.split(/ {2,}/);
  expect(fields?.slice(0, 10)).toEqual([
    "sequential calls, µs per call",
    "20.0",
    "40.0",
    "60.0",
    "50.0",
    "10.0",
    "dbus-next",
    "0.40",
    "0.22–0.60",
    "≤ 0.5 met",
  ]);
  expect(lines[3]).toContain("–");
});
