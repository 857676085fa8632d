/** Plots as SVG. */

import { expect, test } from "@jest/globals";
import { plotSvg } from "../../bench/plot.ts";
import { parseXml } from "../../xml/parse.ts";

const panel = {
  title: "cost <of> it",
  x: "things",
  y: "ns",
  lines: [
    {
      name: "a & b",
      points: [
        [10, 100],
        [100, 1000],
      ] as const,
    },
    { name: "c", points: [[10, 300]] as const },
  ],
};

test("equal ratios are equal distances", () => {
  const svg = plotSvg("all", [panel]);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) => [
    Number(match[1]),
    Number(match[2]),
  ]);
  // From 10 to 100 across the whole plot, from 100 to 1,000 up it.
  expect(circles[0]).toEqual([62, 236]);
  expect(circles[1]).toEqual([406, 34]);
  expect((236 - (circles[2]?.[1] ?? 0)) / (236 - 34)).toBeCloseTo(Math.log10(3), 2);
});

test("it is well-formed whatever the names are, and one name has one colour", () => {
  const svg = plotSvg("all & everything", [panel, { ...panel, lines: panel.lines.toReversed() }]);
  expect(parseXml(svg).problem).toBeNull();
  const colours = new Set(
    [...svg.matchAll(/stroke="(#[0-9a-f]{6})" stroke-width/g)].map(([, c]) => c),
  );
  expect(colours.size).toBe(2);
});
