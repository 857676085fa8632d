/** Flame graphs as SVG, without anything that a page would have to load. */

import type { FoldedStack, Frame, FrameKind, Tier } from "./folded-stacks.ts";
import { escaped } from "./svg.ts";

const WIDTH = 1200;
const MARGIN = { side: 10, top: 62, bottom: 10 } as const;
const ROW = 16;
/** Boxes with a smaller share of all samples are left out, and all above them. */
const LEAST_SHARE = 0.001;
const CHARACTER_WIDTH = 6.7;
const LEAST_CHARACTERS = 3;

const KINDS: Readonly<Record<FrameKind, { colour: string; words: string }>> = {
  onehop: { colour: "#8fd0a8", words: "onehop, JavaScript" },
  addon: { colour: "#e9d36a", words: "onehop, addon" },
  node: { colour: "#a9cdea", words: "Node, JavaScript" },
  native: { colour: "#cfcfcf", words: "Node, V8, libraries" },
  v8: { colour: "#e3aacb", words: "garbage collection, compilation" },
  kernel: { colour: "#f2b277", words: "kernel" },
  thread: { colour: "#eeeeee", words: "thread" },
};
/** As V8 writes them. */
const MARKS: Readonly<Record<Tier, string>> = { optimised: "*", baseline: "^", interpreted: "~" };

/** A function called by the same functions all the way down, however V8 ran any of them. */
interface Box {
  readonly frame: Frame;
  samples: number;
  readonly tiers: Map<Tier, number>;
  readonly callees: Map<string, Box>;
}

/** Where a box is: `start` counts samples from the left, `depth` boxes from below. */
interface Place {
  readonly box: Box;
  readonly start: number;
  readonly depth: number;
}

/** The graph of `stacks`: outermost frames below, callees by name from left to right. */
export function flameGraphSvg(heading: string, stacks: readonly FoldedStack[]): string {
  const root = grow(stacks);
  const places = arrange(root, 0, 0, root.samples * LEAST_SHARE);
  const depth = Math.max(0, ...places.map((place) => place.depth));
  const height = MARGIN.top + (depth + 1) * ROW + MARGIN.bottom;
  const perSample = (WIDTH - 2 * MARGIN.side) / Math.max(1, root.samples);
  const drawn = places.map(({ box, start, depth: own }) => {
    const x = MARGIN.side + start * perSample;
    return drawBox(box, x, MARGIN.top + (depth - own) * ROW, box.samples * perSample, root.samples);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11" fill="#222">`,
    `<title>${escaped(heading)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${MARGIN.side}" y="20" font-family="sans-serif" font-size="14">${escaped(heading)}</text>`,
    legend(),
    '<g stroke="#fff" stroke-width=".5">',
    ...drawn.map(({ rectangle }) => rectangle),
    '</g>\n<g pointer-events="none">',
    ...drawn.flatMap(({ label }) => label ?? []),
    "</g>\n</svg>\n",
  ].join("\n");
}

/** Joins stacks that begin alike. */
function grow(stacks: readonly FoldedStack[]): Box {
  const root = boxOf({ kind: "thread", name: "all", place: "", tier: null });
  for (const { frames, samples } of stacks) {
    root.samples += samples;
    let box = root;
    for (const frame of frames) {
      const key = JSON.stringify([frame.name, frame.place, frame.kind]);
      const callee = box.callees.get(key) ?? boxOf(frame);
      box.callees.set(key, callee);
      callee.samples += samples;
      if (frame.tier !== null)
        callee.tiers.set(frame.tier, (callee.tiers.get(frame.tier) ?? 0) + samples);
      box = callee;
    }
  }
  return root;
}

function boxOf(frame: Frame): Box {
  return { frame, samples: 0, tiers: new Map(), callees: new Map() };
}

function arrange(box: Box, start: number, depth: number, least: number): Place[] {
  const places: Place[] = [{ box, start, depth }];
  let next = start;
  for (const [, callee] of [...box.callees].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (callee.samples >= least) places.push(...arrange(callee, next, depth + 1, least));
    next += callee.samples;
  }
  return places;
}

function drawBox(
  box: Box,
  x: number,
  y: number,
  width: number,
  total: number,
): { rectangle: string; label: string | null } {
  const { colour } = KINDS[box.frame.kind];
  const label = labelIn(markedName(box), width);
  return {
    rectangle: `<rect x="${rounded(x)}" y="${y}" width="${rounded(width)}" height="${ROW}" fill="${colour}"><title>${escaped(description(box, total))}</title></rect>`,
    label: label && `<text x="${rounded(x + 3)}" y="${y + 12}">${escaped(label)}</text>`,
  };
}

function description(box: Box, total: number): string {
  const { name, place } = box.frame;
  const tiers = byWeight(box).map(
    ([tier, samples]) => `, ${percent(samples, box.samples)} ${tier}`,
  );
  const where = place === "" ? "" : ` (${place})`;
  const share = percent(box.samples, total);
  return `${name}${where}: ${box.samples.toLocaleString("en")} samples, ${share}${tiers.length > 0 ? `;${tiers.join("").slice(1)}` : ""}`;
}

/** The name with the mark of the way in which it ran most. */
function markedName(box: Box): string {
  const tier = byWeight(box)[0]?.[0];
  return (tier === undefined ? "" : MARKS[tier]) + box.frame.name;
}

function byWeight(box: Box): readonly (readonly [Tier, number])[] {
  return [...box.tiers].sort(([, a], [, b]) => b - a);
}

/** As much of the name as the box has room for; null if that says nothing. */
function labelIn(name: string, width: number): string | null {
  const room = Math.floor((width - 4) / CHARACTER_WIDTH);
  const characters = [...name];
  if (characters.length <= room) return name;
  return room < LEAST_CHARACTERS ? null : `${characters.slice(0, room - 1).join("")}…`;
}

function legend(): string {
  let x: number = MARGIN.side;
  const parts = Object.values(KINDS).map(({ colour, words }) => {
    const part = `<rect x="${rounded(x)}" y="32" width="12" height="12" fill="${colour}"/><text x="${rounded(x + 17)}" y="42">${words}</text>`;
    x += 17 + words.length * CHARACTER_WIDTH + 14;
    return part;
  });
  const marks = Object.entries(MARKS).map(([tier, mark]) => `${mark} ${tier}`);
  return `<g font-size="10.5">${parts.join("")}<text x="${rounded(x)}" y="42">${marks.join("  ")}</text></g>`;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function rounded(value: number): number {
  return Math.round(10 * value) / 10;
}
