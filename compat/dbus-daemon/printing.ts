/** `--print-address` and `--print-pid`: one line each on a descriptor that the daemon was started with. */

import { closeSync, readdirSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { describeError } from "./system-error.ts";

const O_CLOEXEC = 0o2000000;

/**
 * Why nothing can be printed on a descriptor, or `null`. One that nobody has passed on may be one of Node's own by
 * now: what was written there would never be seen, and closing it would be the end of the event loop.
 */
export function printingProblem(descriptor: number | null): string | null {
  if (descriptor === null || descriptor <= 2) return null;
  const target = targetOf(descriptor);
  if (target === null) return `descriptor ${descriptor} is not open`;
  if (target.startsWith("anon_inode:") || isPipeToItself(target, descriptor)) {
    return `descriptor ${descriptor} was not passed on to the daemon`;
  }
  return null;
}

/**
 * One line; then the descriptor is closed if it is not a standard one: its reader waits for the end.
 *
 * @throws Error that names the descriptor if it cannot be written to
 */
export function printLine(descriptor: number | null, line: string): void {
  if (descriptor === null) return;
  try {
    writeSync(descriptor, `${line}\n`);
  } catch (error) {
    throw new Error(`cannot print to descriptor ${descriptor}: ${describeError(error)}`);
  }
  if (descriptor > 2) closeSync(descriptor);
}

function targetOf(descriptor: number | string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return null;
  }
}

/** Both ends in this process, and not for programs that it starts: the pipes by which Node hears of signals. */
function isPipeToItself(target: string, descriptor: number): boolean {
  if (!target.startsWith("pipe:") || !isClosedOnExec(descriptor)) return false;
  return readdirSync("/proc/self/fd").some(
    (other) => Number(other) !== descriptor && targetOf(other) === target,
  );
}

function isClosedOnExec(descriptor: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"));
  return (Number.parseInt(flags?.[1] ?? "0", 8) & O_CLOEXEC) !== 0;
}
