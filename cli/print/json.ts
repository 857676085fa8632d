/** JSON as text, with 64-bit integers in full. */

import { stringify } from "lossless-json";
import type { JsonMode } from "../json-mode.ts";

/** A value as JSON, with a line feed at its end; bigints become numbers. */
export function formatJson(value: unknown, mode: Exclude<JsonMode, "off">): string {
  return `${stringify(value, null, mode === "pretty" ? "\t" : undefined)}\n`;
}
