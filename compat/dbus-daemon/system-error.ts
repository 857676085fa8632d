/** Errors of the operating system: which one, and in the system's own words. */

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
