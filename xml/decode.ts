/** The bytes of a document as text, in the encodings that expat finds out by itself. */

import { isUtf8 } from "node:buffer";
import type { XmlProblem } from "./parse.ts";

export type DecodeResult =
  | { readonly text: string; readonly problem: null }
  | { readonly text: null; readonly problem: XmlProblem };

const NEWLINE = 0x0a;

/**
 * UTF-8, or UTF-16 where the first two bytes say so: a byte order mark, or a zero in one of them. What the
 * document declares as its encoding is not looked at: dbus-daemon tells expat to take it for UTF-8.
 */
export function decodeXml(bytes: Uint8Array): DecodeResult {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (second === 0 && first !== 0)) {
    return decodeUtf16(bytes, "utf-16le");
  }
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) {
    return decodeUtf16(bytes, "utf-16be");
  }
  if (isUtf8(bytes)) return withOneMark(new TextDecoder().decode(bytes));
  const { line, column } = firstInvalid(bytes);
  return refuse("this is no UTF-8, which is read whatever the document declares", line, column);
}

function decodeUtf16(bytes: Uint8Array, encoding: "utf-16le" | "utf-16be"): DecodeResult {
  try {
    return withOneMark(new TextDecoder(encoding, { fatal: true }).decode(bytes));
  } catch {
    const valid = new TextDecoder(encoding).decode(bytes);
    const before = valid.slice(0, Math.max(0, valid.indexOf("\ufffd"))).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    return refuse("the document is not whole UTF-16", before.length, column);
  }
}

/** The decoder takes one byte order mark away, and so does the parser. */
function withOneMark(text: string): DecodeResult {
  if (text.startsWith("\ufeff")) return refuse("there is a second byte order mark", 1, 1);
  return { text, problem: null };
}

function refuse(message: string, line: number, column: number): DecodeResult {
  return { text: null, problem: { message, line, column } };
}

/** Of bytes that are not UTF-8, where that begins. No sequence goes over the end of a line. */
function firstInvalid(bytes: Uint8Array): { line: number; column: number } {
  let line = 1;
  for (let start = 0; ; line++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    const content = bytes.subarray(start, end);
    if (newline === -1 || !isUtf8(content)) {
      const text = new TextDecoder().decode(content);
      return { line, column: firstDifference(text, content) + 1 };
    }
    start = newline + 1;
  }
}

/** A replacement character may have been written as one: then its bytes are there. */
function firstDifference(text: string, content: Uint8Array): number {
  for (let at = text.indexOf("\ufffd"); at !== -1; at = text.indexOf("\ufffd", at + 1)) {
    const before = Buffer.from(text.slice(0, at + 1));
    if (Buffer.compare(before, content.subarray(0, before.length)) !== 0) return at;
  }
  return text.length;
}
