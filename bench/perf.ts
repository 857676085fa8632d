/** Sampling of a process with perf(1). */

import { readFileSync } from "node:fs";
import type { Children } from "./children.ts";
import type { WatchedMeasurement } from "./load.ts";

const LIMIT_MS = 180_000;
/** Not a round number: samples must not keep step with what the bus does every millisecond. */
const FREQUENCY = "999";

/** Why perf cannot record kernel and program here and what to do about it, or null if it can. */
export async function perfProblem(children: Children): Promise<string | null> {
  const trial = ["record", "-q", "-g", "-e", "cpu-clock:k", "-o", "/dev/null", "--", "true"];
  const finished = await children.run(["perf", ...trial], LIMIT_MS);
  if (finished.code === 0) return null;
  if (finished.stderr.includes("ENOENT"))
    return "perf is not installed (Debian: apt-get install linux-perf)";
  const setting = paranoia();
  return `perf may not record the kernel here: run the bench as root, or set kernel.perf_event_paranoid to 1 or less with sysctl (it is ${setting}); it said: ${firstLine(finished.stderr)}`;
}

/** The command that writes samples of the process to `file` while the command after it runs on that processor. */
export function recording(pid: number, file: string, cpu: number): readonly string[] {
  return [
    ...["taskset", "--cpu-list", String(cpu), "perf", "record", "-q", "-g", "-F", FREQUENCY],
    // The load generator says with this clock when its measurement was.
    ...["--clockid", "CLOCK_MONOTONIC", "--no-buildid", "-p", String(pid), "-o", file, "--"],
  ];
}

/** The samples of the measurement as perf script prints them, or what went wrong. */
export async function readSamples(
  children: Children,
  file: string,
  { fromSeconds, toSeconds }: WatchedMeasurement,
): Promise<{ readonly script: string } | string> {
  const time = `${fromSeconds.toFixed(6)},${toSeconds.toFixed(6)}`;
  const finished = await children.run(
    [
      ...["perf", "script", "-i", file, "--time", time],
      ...["-F", "comm,ip,sym,dso", "--no-inline"],
    ],
    LIMIT_MS,
  );
  if (finished.code !== 0) return `perf script failed: ${firstLine(finished.stderr)}`;
  return { script: finished.stdout };
}

/** What it says first, below the heading that perf gives its errors. */
function firstLine(text: string): string {
  return text.split("\n").find((line) => /\w/.test(line) && line.trim() !== "Error:") ?? "nothing";
}

function paranoia(): string {
  try {
    return readFileSync("/proc/sys/kernel/perf_event_paranoid", "utf8").trim();
  } catch {
    return "not to be read";
  }
}
