/** The table of memory. */

import { expect, test } from "@jest/globals";
import { formatMemory } from "../../bench/memory.ts";

const least = {
  idleBytes: 50e6,
  connectionBytes: 5000,
  nameBytes: 300,
  replyBytes: 70,
  ruleBytes: 250,
};

function cells(line: string | undefined): string[] | undefined {
  return line?.split(/ {2,}/);
}

test("memory is printed as medians for each bus, with what onehop was to need", () => {
  const rounds = [{ ...least, ruleBytes: 500 }, null, { ...least, ruleBytes: 480 }, least];
  const series = ["dbus-daemon", "onehop"].map((bus) => ({ mode: "memory", bus, rounds }));
  const table = formatMemory(["dbus-daemon", "onehop"], { series, failures: [] }, false);
  const [daemon, , target] = table.split("\n").slice(2);
  expect(cells(daemon)).toEqual(["dbus-daemon", "50.0", "5000", "300", "70", "480"]);
  expect(cells(target)).toEqual(["target for onehop", "≤ 70 met", "≤ 8192 met", "≤ 300 missed"]);
});

test("a bus that was not measured has dashes, and no verdict", () => {
  const table = formatMemory(["onehop"], { series: [], failures: [] }, false);
  expect(cells(table.split("\n").at(-1))).toEqual(["target for onehop", "≤ 70", "≤ 8192", "≤ 300"]);
});
