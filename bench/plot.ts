/** Log-log plots as SVG, without anything that a page would have to load. */

import { escaped } from "./svg.ts";

/** One plot: lines through points with coordinates above 0. */
export interface Panel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const [WIDTH, HEIGHT] = [420, 280];
const MARGIN = { left: 62, right: 14, top: 34, bottom: 44 } as const;
const LEGEND_HEIGHT = 30;
const COLUMNS = 2;
/** Told apart by people who do not see all colours, too: Okabe and Ito. */
const COLOURS: readonly string[] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/** The panels side by side, with one legend for all. Lines of one name have one colour. */
export function plotSvg(heading: string, panels: readonly Panel[]): string {
  const names = [...new Set(panels.flatMap((panel) => panel.lines.map((line) => line.name)))];
  const colourOf = (name: string): string => COLOURS[names.indexOf(name) % COLOURS.length] ?? "";
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT + LEGEND_HEIGHT];
  const legend = names.map((name, index) => {
    const x = 16 + index * 130;
    return `<path d="M${x} 18h24" stroke="${colourOf(name)}" stroke-width="2"/>${text(x + 30, 22, name)}`;
  });
  const plots = panels.map((panel, index) => {
    const x = (index % COLUMNS) * WIDTH;
    const y = LEGEND_HEIGHT + Math.floor(index / COLUMNS) * HEIGHT;
    return `<g transform="translate(${x} ${y})">${plot(panel, colourOf)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="none">`,
    `<title>${escaped(heading)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...legend,
    ...plots,
    "</svg>\n",
  ].join("\n");
}

function plot(panel: Panel, colourOf: (name: string) => string): string {
  const points = panel.lines.flatMap((line) => line.points);
  const x = scaleOf(
    points.map(([value]) => value),
    MARGIN.left,
    WIDTH - MARGIN.right,
  );
  const y = scaleOf(
    points.map(([, value]) => value),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  const [bottom, right] = [HEIGHT - MARGIN.bottom, WIDTH - MARGIN.right];
  const grid = [
    ...x.decades.map(
      (value) =>
        `<path d="M${x.at(value)} ${MARGIN.top}V${bottom}" stroke="#ddd"/>${text(x.at(value), bottom + 14, tick(value), "middle")}`,
    ),
    ...y.decades.map(
      (value) =>
        `<path d="M${MARGIN.left} ${y.at(value)}H${right}" stroke="#ddd"/>${text(MARGIN.left - 6, y.at(value) + 4, tick(value), "end")}`,
    ),
  ];
  const lines = panel.lines.map((line) => {
    const colour = colourOf(line.name);
    const places = line.points.map(([px, py]) => [x.at(px), y.at(py)] as const);
    const marks = places.map(
      ([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`,
    );
    const path = places.map(([px, py], index) => `${index === 0 ? "M" : "L"}${px} ${py}`).join("");
    return `<path d="${path}" stroke="${colour}" stroke-width="2"/>${marks.join("")}`;
  });
  const labels = [
    text(MARGIN.left, MARGIN.top - 12, panel.title),
    text((MARGIN.left + right) / 2, HEIGHT - 12, panel.x, "middle"),
    `<g transform="translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)">${text(0, 0, panel.y, "middle")}</g>`,
  ];
  return [...grid, ...lines, ...labels].join("");
}

interface Scale {
  readonly decades: readonly number[];
  at(value: number): number;
}

/** From the decade below the least value to the one above the greatest. */
function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    decades: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    at: (value) =>
      Math.round(10 * (from + ((Math.log10(value) - low) / (high - low)) * (to - from))) / 10,
  };
}

function tick(value: number): string {
  return value.toLocaleString("en");
}

function text(x: number, y: number, words: string, anchor = "start"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#222">${escaped(words)}</text>`;
}
