/** The limit of open files: what the daemon was started with, and what a bus for many users needs. */

import { readFileSync } from "node:fs";
import { type OpenFilesLimit, openFilesOfProcess } from "../../bus/open-files.ts";
import { findAddon } from "../../transport/addon.ts";
import { describeErrorNumber } from "./system-error.ts";

/** What dbus-daemon asks for when it is root: enough for many connections that pass many descriptors. */
const ENOUGH = 65_536;

/** The soft limit that systemd gives to its services, whatever it has itself. */
const OF_SYSTEMD = 1024;

/**
 * The limit that this process was started with, which services are to have; `null` if nobody knows. Node raises the
 * soft one to the hard one before any of our code runs, so that what the parent has is taken for it.
 */
export function initialOpenFiles(): OpenFilesLimit | null {
  const own = openFilesOfProcess("self");
  const parent = openFilesOfProcess(process.ppid);
  if (own === null || parent === null) return own;
  const soft = isSystemd(process.ppid) ? OF_SYSTEMD : parent.soft;
  return { soft: Math.min(soft, own.hard), hard: own.hard };
}

/** Raises the limit of this process, of which only root can have more than the hard one; why it could not, or `null`. */
export function raiseOpenFiles(): string | null {
  const own = openFilesOfProcess("self");
  if (process.geteuid?.() !== 0 || own === null || own.soft >= ENOUGH) return null;
  const { addon } = findAddon("optional");
  if (addon === null) return null;
  const result = addon.limitOpenFiles(0, ENOUGH, Math.max(own.hard, ENOUGH));
  return result === 0
    ? null
    : `Failed to set fd limit to ${ENOUGH}: ${describeErrorNumber(result)}`;
}

function isSystemd(processId: number): boolean {
  try {
    return readFileSync(`/proc/${processId}/comm`, "utf8").trim() === "systemd";
  } catch {
    return false;
  }
}
