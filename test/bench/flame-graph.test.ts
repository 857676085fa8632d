/** Flame graphs as SVG. */

import { expect, test } from "@jest/globals";
import { flameGraphSvg } from "../../bench/flame-graph.ts";
import type { FoldedStack, Frame, Tier } from "../../bench/folded-stacks.ts";
import { parseXml } from "../../xml/parse.ts";

function frame(name: string, tier: Tier | null = null, place = "daemon.js:1"): Frame {
  return { kind: tier === null ? "native" : "onehop", name, place, tier };
}

function stack(samples: number, ...frames: Frame[]): FoldedStack {
  return { frames, samples };
}

/** The boxes of the graph, from below and from the left. */
function boxesOf(svg: string): { x: number; y: number; width: number; title: string }[] {
  const pattern =
    /<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)" height="16" fill="#\w{6}"><title>(.*)<\/title>/g;
  return [...svg.matchAll(pattern)].map(([, x, y, width, title = ""]) => ({
    ...{ x: Number(x), y: Number(y), width: Number(width), title },
  }));
}

test("widths are shares of the samples, callees stand on their caller and are sorted by name", () => {
  const svg = flameGraphSvg("h", [
    stack(10, frame("a"), frame("z")),
    stack(20, frame("a"), frame("b")),
    stack(30, frame("a")),
    stack(40, frame("c")),
  ]);
  const [all, a, b, z, c] = boxesOf(svg);
  expect(boxesOf(svg).map((box) => box.title.split(" ")[0])).toEqual(
    ["all:", "a", "b", "z", "c"], // each before what stands on it
  );
  expect(a).toMatchObject({ x: all?.x, width: 0.6 * (all?.width ?? 0), y: (all?.y ?? 0) - 16 });
  expect(b).toMatchObject({ x: a?.x, width: 0.2 * (all?.width ?? 0), y: (a?.y ?? 0) - 16 });
  expect(z).toMatchObject({ x: (b?.x ?? 0) + (b?.width ?? 0), y: b?.y });
  expect((a?.width ?? 0) + (c?.width ?? 0)).toBeCloseTo(all?.width ?? 0);
  expect(a?.title).toBe("a (daemon.js:1): 60 samples, 60.0 %");
});

test("a function is one box however V8 ran it, and another function of its name is not", () => {
  const svg = flameGraphSvg("h", [
    stack(6, frame("f", "optimised"), frame("g")),
    stack(3, frame("f", "interpreted"), frame("g")),
    stack(1, frame("f", "baseline")),
    stack(10, frame("f", "interpreted", "daemon.js:2")),
  ]);
  expect(boxesOf(svg).map((box) => box.title)).toEqual([
    "all: 20 samples, 100.0 %",
    "f (daemon.js:1): 10 samples, 50.0 %; 60.0 % optimised, 30.0 % interpreted, 10.0 % baseline",
    "g (daemon.js:1): 9 samples, 45.0 %",
    "f (daemon.js:2): 10 samples, 50.0 %; 100.0 % interpreted",
  ]);
  const labels = [...svg.matchAll(/<text x="[\d.]+" y="\d+">(.f)<\/text>/g)].map(
    ([, text]) => text,
  );
  expect(labels).toEqual(["*f", "~f"]);
});

test("boxes too narrow to be seen are left out, and labels end with their boxes", () => {
  const long = "v".repeat(200);
  const svg = flameGraphSvg("h", [
    stack(1, frame("rare"), frame("rarer")),
    stack(1799, frame("often")),
    stack(200, frame(long)),
  ]);
  expect(svg).not.toContain("rare");
  expect(svg).toContain(`${long} (daemon.js:1): 200 samples`);
  const [, label = ""] = />(v+…)</.exec(svg) ?? [];
  expect(label.length).toBeGreaterThan(10);
  expect(label.length).toBeLessThan(118 / 6.6);
});

test("it is well-formed whatever the names are", () => {
  const names = ["<script>&amp;]]>", "\u0000\u001b\ud800", "\"'", "😀".repeat(400), ""];
  const stacks = names.map((name) => stack(1, frame(name, "baseline", name)));
  expect(parseXml(flameGraphSvg("<&>\u0007", stacks)).problem).toBeNull();
  expect(parseXml(flameGraphSvg("nothing", [])).problem).toBeNull();
});
