/** The lines of the authentication protocol: bounded, ended by CR LF, whatever pieces they arrive in. */

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Puts a line together from what arrives. Bytes become the characters of the same number, so a line
 * of anything but ASCII can still be told from one that is fine.
 */
export class LineReader {
  readonly #maxLineBytes: number;
  #partial: string;
  #line: string | null = null;

  /** `partial` is the beginning of a line that a snapshot has kept. */
  constructor(maxLineBytes: number, partial = "") {
    this.#maxLineBytes = maxLineBytes;
    this.#partial = partial;
  }

  /** The line that `read` completed, without CR LF; null if it still lacks its end. */
  get line(): string | null {
    return this.#line;
  }

  /** The beginning of the line that lacks its end. */
  get partial(): string {
    return this.#partial;
  }

  /**
   * Reads [offset, end) up to the end of one line and returns how many bytes that took: all of them
   * if the line has no end yet, or -1 if the line with its CR LF is too long.
   */
  read(bytes: Uint8Array, offset: number, end: number): number {
    this.#line = null;
    let at = offset;
    while (at < end) {
      const stop = endOfLine(bytes, at, end);
      if (this.#partial.length + stop - at > this.#maxLineBytes) {
        this.#partial = "";
        return -1;
      }
      // Most lines come in one piece.
      if (this.#partial === "" && isWhole(bytes, at, stop)) {
        this.#line = wholeLine(bytes, at, stop - 2);
        at = stop;
        break;
      }
      this.#partial += latin1(bytes, at, stop);
      at = stop;
      if (bytes[at - 1] === LINE_FEED && this.#partial.endsWith("\r\n")) {
        this.#line = this.#partial.slice(0, -2);
        this.#partial = "";
        break;
      }
    }
    return at - offset;
  }
}

/** A line as command and argument; blanks around the argument's front do not count, behind it they do. */
export interface Command {
  readonly name: string;
  readonly argument: string;
}

/**
 * Splits a line the way dbus-daemon 1.14 does: a blank is a space or a tab, and a line that begins
 * with one has an empty name.
 */
export function commandOf(line: string): Command {
  let nameEnd = 0;
  while (nameEnd < line.length && !isBlank(line, nameEnd)) nameEnd++;
  let argumentStart = nameEnd;
  while (argumentStart < line.length && isBlank(line, argumentStart)) argumentStart++;
  return { name: line.slice(0, nameEnd), argument: line.slice(argumentStart) };
}

/** Is every character ASCII, and none of them NUL? */
export function isPlainAscii(line: string): boolean {
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === 0 || code > 0x7f) return false;
  }
  return true;
}

/** A line as it may be shown in a log: quoted, escaped and not longer than need be. */
export function quoted(line: string): string {
  const shown = JSON.stringify(line.length > 64 ? `${line.slice(0, 64)}…` : line);
  // JSON leaves these as they are, and a terminal may take them for commands.
  return shown.replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

function isBlank(line: string, index: number): boolean {
  const code = line.charCodeAt(index);
  return code === SPACE || code === TAB;
}

/** Does [offset, end) end with CR LF? */
function isWhole(bytes: Uint8Array, offset: number, end: number): boolean {
  return end - offset >= 2 && bytes[end - 1] === LINE_FEED && bytes[end - 2] === CARRIAGE_RETURN;
}

/** Behind the first line feed in [offset, end), or `end`. Not `indexOf`: that would search the whole arena. */
function endOfLine(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at < end && bytes[at] !== LINE_FEED) at++;
  return Math.min(at + 1, end);
}

/** What every client says needs no new string. */
const KNOWN_LINES = ["BEGIN", "NEGOTIATE_UNIX_FD", "DATA"];

const AUTH = "AUTH ";
/** Nor does how one client after the other of the same user begins. */
let lastAuth = AUTH;

function wholeLine(bytes: Uint8Array, offset: number, end: number): string {
  if (isLine(bytes, offset, end, lastAuth)) return lastAuth;
  for (const known of KNOWN_LINES) if (isLine(bytes, offset, end, known)) return known;
  const line = latin1(bytes, offset, end);
  if (line.startsWith(AUTH)) lastAuth = line;
  return line;
}

function isLine(bytes: Uint8Array, offset: number, end: number, line: string): boolean {
  if (line.length !== end - offset) return false;
  let i = 0;
  while (i < line.length && bytes[offset + i] === line.charCodeAt(i)) i++;
  return i === line.length;
}

function latin1(bytes: Uint8Array, offset: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, end - offset).toString("latin1");
}
