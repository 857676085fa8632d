/** What the programs of services inherit from the process of the bus, and what they do not. */

import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { findAddon } from "../../transport/addon.ts";
import { type OpenFilesLimit, openFilesOfProcess } from "../open-files.ts";

/** Descriptors that a start needs for a moment, with room to spare for what the thread pool opens meanwhile. */
const SPARE_DESCRIPTORS = 64;

/**
 * dbus-daemon undoes between fork(2) and execve(2) what was done for the bus alone: more open files, and that the
 * kernel spares it when memory is short. Node has no such moment. So the process itself is for the few
 * milliseconds of a start as its services are to be.
 */
export class ServiceConditions {
  readonly #openFiles: OpenFilesLimit | null;
  readonly #addon: ReturnType<typeof findAddon>["addon"];
  /** Opened now: a process that has become another user may not open its own files in /proc any more. */
  #score: number | null;

  /** `openFiles`: the limit that services get; null: that of the process. */
  constructor(openFiles: OpenFilesLimit | null) {
    this.#openFiles = openFiles;
    this.#addon = openFiles === null ? null : findAddon("optional").addon;
    this.#score = openScoreIfSpared();
  }

  /** Calls `start` and returns what it returns, or throws what it throws; then all is as before. */
  around(start: () => ChildProcess): ChildProcess {
    const spared = this.#score === null ? null : this.#setScore("0");
    const own = openFilesOfProcess("self");
    const wanted = this.#openFiles;
    const isLowered =
      own !== null && wanted !== null && wanted.soft < own.soft && this.#lower(wanted.soft, own);
    let child: ChildProcess | null = null;
    try {
      child = start();
      return child;
    } finally {
      if (isLowered) this.#addon?.limitOpenFiles(0, own.soft, own.hard);
      if (spared !== null) this.#setScore(spared);
      if (wanted !== null && own !== null && child?.pid !== undefined) {
        // With very many descriptors open, and for the hard limit, which could not be raised again: afterwards.
        const isToChange = (!isLowered && wanted.soft !== own.soft) || wanted.hard !== own.hard;
        if (isToChange) this.#addon?.limitOpenFiles(child.pid, wanted.soft, wanted.hard);
      }
    }
  }

  /** Nothing is started any more. */
  close(): void {
    if (this.#score !== null) closeSync(this.#score);
    this.#score = null;
  }

  #lower(soft: number, own: OpenFilesLimit): boolean {
    if (readdirSync("/proc/self/fd").length + SPARE_DESCRIPTORS > soft) return false;
    return this.#addon?.limitOpenFiles(0, soft, own.hard) === 0;
  }

  /** The score that there was; null if it could not be changed. */
  #setScore(score: string): string | null {
    if (this.#score === null) return null;
    const before = readScore();
    try {
      writeSync(this.#score, score);
      return before;
    } catch {
      return null;
    }
  }
}

/** A descriptor of the process's own score if that is negative: only then services are to have another. */
function openScoreIfSpared(): number | null {
  const score = readScore();
  if (score === null || !score.startsWith("-")) return null;
  try {
    return openSync("/proc/self/oom_score_adj", "w");
  } catch {
    return null;
  }
}

function readScore(): string | null {
  try {
    return readFileSync("/proc/self/oom_score_adj", "utf8").trim();
  } catch {
    return null;
  }
}
