/** What the bench runs on: processors, CPU time of a process, and who else was busy. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The directory of the project: the nearest one above this file with a package.json. */
export const ROOT: string = findRoot(import.meta.dirname);

/** A description of the machine for the foot of the table and for the JSON output. */
export interface Machine {
  readonly processor: string;
  readonly processorCount: number;
  readonly kernel: string;
  readonly node: string;
  /** Processes ready to run, averaged over the last minute before the bench. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    processorCount: cpus().length,
    kernel: release(),
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** The numbers of the processors that this process may use. */
export function allowedCpus(): readonly number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  return parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0");
}

/** `0-2,5` as the kernel writes it → [0, 1, 2, 5]. */
export function parseCpuList(text: string): readonly number[] {
  return text.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

const QUIET_MS = 30;
const QUIET_NS = 1_000_000;
const QUIET_LIMIT_MS = 30_000;

/** Waits until the process is idle: what it owes to the last load must not fall into the next. */
export async function waitUntilIdle(pid: number): Promise<void> {
  const deadline = performance.now() + QUIET_LIMIT_MS;
  let before = cpuTimeNs(pid);
  while (performance.now() < deadline) {
    await sleep(QUIET_MS);
    const after = cpuTimeNs(pid);
    if (after - before < QUIET_NS) return;
    before = after;
  }
}

/** CPU time of all threads of a process; 0 when it is gone. */
function cpuTimeNs(pid: number): number {
  const directory = `/proc/${pid}/task`;
  if (!existsSync(directory)) return 0;
  return readdirSync(directory)
    .map((thread) => join(directory, thread, "schedstat"))
    .filter((file) => existsSync(file))
    .map((file) => Number(readFileSync(file, "utf8").split(" ")[0]))
    .reduce((sum, ns) => sum + ns, 0);
}

/** Share of the machine's processor time that its host gave to others (steal) since `previous`. */
export function stolenShare(previous: ProcessorTicks): number {
  const now = processorTicks();
  const total = now.total - previous.total;
  return total > 0 ? (now.stolen - previous.stolen) / total : 0;
}

export interface ProcessorTicks {
  readonly total: number;
  readonly stolen: number;
}

export function processorTicks(): ProcessorTicks {
  const fields = readFileSync("/proc/stat", "utf8").split("\n")[0]?.trim().split(/\s+/).slice(1);
  // user nice system idle iowait irq softirq steal; guest time is part of user time.
  const ticks = (fields ?? []).slice(0, 8).map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}

function findRoot(directory: string): string {
  if (existsSync(join(directory, "package.json"))) return directory;
  return findRoot(dirname(directory));
}
