/** What lint found, as compilers tell it, and as JSON. */

import type { Finding, Level } from "../policy/lint/finding.ts";
import type { Paint } from "./colour.ts";
import { oneLine } from "./table.ts";

const COLOURS = { error: "red", warning: "yellow", note: "grey" } as const;

/** Ends with a line that counts. */
export function formatFindings(
  findings: readonly Finding[],
  ruleCount: number,
  paint: Paint,
): string {
  const told = findings.map((finding) => `${formatFinding(finding, paint)}\n`);
  const counts = (Object.keys(COLOURS) as Level[]) // its keys are the levels
    .map((level) => counted(findings.filter((finding) => finding.level === level).length, level))
    .filter((count) => !count.startsWith("0 "));
  const sum = counts.length === 0 ? "nothing to report" : counts.join(", ");
  return `${told.join("")}${counted(ruleCount, "rule")}: ${sum}\n`;
}

function formatFinding({ level, code, origin, text, advice }: Finding, paint: Paint): string {
  const { file, line, element } = origin;
  const place = oneLine(line === 0 ? file : `${file}:${line}`);
  return [
    `${place}: ${paint(`${level}:`, COLOURS[level])} ${oneLine(text)} ${paint(`[${code}]`, "grey")}\n`,
    element === "" ? "" : `    ${oneLine(element)}\n`,
    advice === null ? "" : `  ${paint("instead:", "green")} ${oneLine(advice)}\n`,
  ].join("");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** For `formatJson`. */
export function findingsJson(findings: readonly Finding[], ruleCount: number): object {
  return {
    rules: ruleCount,
    findings: findings.map(({ level, code, origin, text, advice }) => ({
      level,
      code,
      ...origin,
      text,
      advice,
    })),
  };
}
