/** Errors of the operating system: which one, and in the system's own words. */

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

/** The system's name for an error, such as `ENOENT`; `null` if it is something else. */
export function systemErrorCode(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** One line that says what went wrong, without the call and the path that Node puts around it. */
export function describeError(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  if ("errno" in error && typeof error.errno === "number") {
    const known = getSystemErrorMap().get(error.errno);
    if (known !== undefined) return known[1];
  }
  return "message" in error ? String(error.message) : String(error);
}

/** The same for a negative error number, as the addon returns it. */
export function describeErrorNumber(negative: number): string {
  return getSystemErrorMap().get(negative)?.[1] ?? `error ${-negative}`;
}

/** Does this result of the addon say that there is no room now? */
export function isTryAgain(result: number): boolean {
  return result < 0 && result === -constants.errno.EAGAIN;
}
