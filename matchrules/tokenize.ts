/** Characters of a match rule to keys and values, quoting undone. */

import type { MatchRuleError } from "./rule.ts";

/** One `key=value`, with the columns (from 1) where both start. */
export interface Token {
  readonly key: string;
  readonly value: string;
  readonly keyColumn: number;
  readonly valueColumn: number;
}

/** dbus-daemon 1.14 reads so many keys and ignores the rest of the text, whatever it is. */
const MAXIMUM_TOKENS = 16;

/**
 * Splits `text` into tokens, or says where that fails.
 *
 * As dbus-daemon does, an empty key ends the rule: trailing white space and a trailing comma are
 * allowed by that, but so is all that follows a stray `=`.
 */
export function tokenize(text: string): Token[] | MatchRuleError {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length && tokens.length < MAXIMUM_TOKENS) {
    const keyStart = skipWhite(text, at);
    const keyEnd = skipKey(text, keyStart);
    if (keyEnd === keyStart) break;
    const equals = skipWhite(text, keyEnd);
    if (text[equals] !== "=") {
      return invalid("Match rule has a key with no subsequent '=' character", equals);
    }
    const value = readValue(text, equals + 1);
    if (value === null) return invalid("Unbalanced quotation marks in match rule", equals + 1);
    tokens.push({
      key: text.slice(keyStart, keyEnd),
      value: value.text,
      keyColumn: keyStart + 1,
      valueColumn: equals + 2,
    });
    at = value.end;
  }
  return tokens;
}

interface Value {
  readonly text: string;
  /** Behind the comma that ends the value, or the end of the text. */
  readonly end: number;
}

/**
 * An apostrophe opens and closes quotes anywhere in the value. A backslash means something outside
 * of quotes only: it makes an apostrophe literal, and before any other character, a comma or
 * another backslash included, it and the character are both literal. `null`: a quote stays open.
 */
function readValue(text: string, start: number): Value | null {
  // As nearly everybody writes it: one pair of apostrophes around it.
  const close = text[start] === "'" ? text.indexOf("'", start + 1) : -1;
  if (close > 0 && (close + 1 === text.length || text[close + 1] === ",")) {
    return { text: text.slice(start + 1, close), end: Math.min(close + 2, text.length) };
  }
  let value = "";
  let isQuoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "'") {
      isQuoted = !isQuoted;
    } else if (isQuoted) {
      value += character;
    } else if (character === ",") {
      return { text: value, end: at + 1 };
    } else if (character === "\\") {
      at++;
      value += text.charAt(at) === "'" ? "'" : `\\${text.charAt(at)}`;
    } else {
      value += character;
    }
  }
  return isQuoted ? null : { text: value, end: at };
}

function skipKey(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== "=" && !isWhite(text[at])) at++;
  return at;
}

function skipWhite(text: string, start: number): number {
  let at = start;
  while (isWhite(text[at])) at++;
  return at;
}

/** The specification does not allow white space at all; dbus-daemon skips these four before a key and before `=`. */
function isWhite(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\n" || character === "\r";
}

function invalid(text: string, at: number): MatchRuleError {
  return { code: "MatchRuleInvalid", text, column: at + 1 };
}
