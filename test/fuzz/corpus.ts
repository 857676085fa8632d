/** Inputs as files that can be read: one line of comment, then hexadecimal, or text with escapes. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Format = "text" | "hex";

const HEX_BYTES_PER_LINE = 32;

/** The file's text for `bytes`. */
export function formatInput(bytes: Uint8Array, format: Format, comment: string): string {
  const shown = format === "hex" ? hexLines(bytes) : escaped(bytes);
  return `# ${comment.replace(/\s+/g, " ").trim()}\n${shown}\n`;
}

/** The bytes that a file's text stands for. */
export function parseInput(text: string, format: Format): Uint8Array {
  const rest = text.slice(text.indexOf("\n") + 1).replace(/\n$/, "");
  if (format === "hex") return Buffer.from(rest.replace(/\s+/g, ""), "hex");
  const plain = rest.replace(/\\(?:x([0-9a-f]{2})|(\\))/g, (_all, hex?: string) =>
    hex === undefined ? "\\" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(plain, "latin1");
}

export interface Entry {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** All inputs of a target's folder, by name; none if there is no folder. */
export function readCorpus(folder: string, format: Format): Entry[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => ({ file, bytes: parseInput(readFileSync(join(folder, file), "utf8"), format) }));
}

/** Writes one input under a name made of its contents; the file's path. */
export function writeInput(
  folder: string,
  bytes: Uint8Array,
  format: Format,
  comment: string,
): string {
  const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const file = join(folder, `${digest}.${format === "hex" ? "hex" : "txt"}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, formatInput(bytes, format, comment));
  return file;
}

function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_BYTES_PER_LINE) {
    lines.push(Buffer.from(bytes.subarray(at, at + HEX_BYTES_PER_LINE)).toString("hex"));
  }
  return lines.join("\n");
}

/** Printable ASCII and line feeds as they are. */
function escaped(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replace(/\\|[^\n\x20-\x7e]/g, (character) =>
      character === "\\" ? "\\\\" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
}
