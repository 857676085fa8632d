/** How many descriptors a process may have. */

import { readFileSync } from "node:fs";

/** RLIMIT_NOFILE: how many descriptors a process may have, and up to how many it may allow itself. */
export interface OpenFilesLimit {
  readonly soft: number;
  readonly hard: number;
}

/** The limit of open files of a process, as far as its line in /proc can be read and is a number. */
export function openFilesOfProcess(processId: number | "self"): OpenFilesLimit | null {
  try {
    const text = readFileSync(`/proc/${processId}/limits`, "utf8");
    const [, soft, hard] = /^Max open files +(\d+) +(\d+) /m.exec(text) ?? [];
    return soft === undefined ? null : { soft: Number(soft), hard: Number(hard) };
  } catch {
    // It has ended, or /proc is not there.
    return null;
  }
}

/** What is usual where nobody has said anything. */
const USUAL = 1024;

let own: number | null = null;

/** How many this process may have now, as it was when somebody asked first; at least 64: nothing works with less. */
export function openFileLimit(): number {
  own ??= Math.max(64, openFilesOfProcess("self")?.soft ?? USUAL);
  return own;
}
