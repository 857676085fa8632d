/** The table of starts. */

import { expect, test } from "@jest/globals";
import { formatStarts } from "../../bench/startup.ts";

function series(bus: string, ...wallMs: (number | null)[]) {
  const rounds = wallMs.map((ms) => (ms === null ? null : { wallMs: ms, cpuMs: ms + 1 }));
  return { mode: "start", bus, rounds };
}

function rowsOf(...onehopMs: (number | null)[]): string[] {
  const measured = [series("node -e 0", 100, 120, 110), series("onehop", ...onehopMs)];
  const table = formatStarts({ series: measured, failures: [] }, ["onehop"], false);
  return table.split("\n").slice(2);
}

test("distances are counted from Node alone, and the least one is judged", () => {
  const [node, onehop] = rowsOf(190, 125, 150);
  expect(node?.split(/\s{2,}/)).toEqual([
    "node -e 0",
    "100.0",
    "110.0",
    "120.0",
    "101.0",
    "111.0",
    "121.0",
  ]);
  expect(onehop?.split(/\s{2,}/)).toEqual([
    "onehop",
    "125.0",
    "150.0",
    "190.0",
    "126.0",
    "151.0",
    "191.0",
    "25.0",
    "40.0",
    "25.0",
    "≤ 40 met",
  ]);
  expect(rowsOf(141)[1]).toContain("≤ 40 missed");
});

test("a bus that never started has no figures and is not judged", () => {
  expect(rowsOf(null, null)[1]).toMatch(/^onehop(\s+–){9}\s+≤ 40$/);
});
