/** Basic values as words of a command line: how each type is written, as busctl reads it. */

import { fstatSync } from "node:fs";
import { isObjectPath } from "../wire/object-path.ts";
import { type BasicTypeCode, isSignature } from "../wire/signature.ts";

/** What people are told of a type when a word does not fit it. */
export interface BasicType {
  readonly expected: string;
  readonly example: string;
  /** The value as `marshal` takes it (of `h` the number of the descriptor), or null if the word does not fit. */
  readonly read: (word: string) => unknown;
}

export const BASIC_TYPES: Readonly<Record<BasicTypeCode, BasicType>> = {
  y: integer(0, 0xff, "42"),
  n: integer(-0x8000, 0x7fff, "-42"),
  q: integer(0, 0xffff, "42"),
  i: integer(-0x80000000, 0x7fffffff, "-42"),
  u: integer(0, 0xffffffff, "42"),
  x: bigInteger(-(1n << 63n), (1n << 63n) - 1n, "-42"),
  t: bigInteger(0n, (1n << 64n) - 1n, "42"),
  b: { expected: "true or false", example: "true", read: readBoolean },
  d: { expected: "a number", example: "1.5", read: readDouble },
  s: { expected: "a text", example: '"some text"', read: (word) => word },
  o: {
    expected: "an object path",
    example: "/org/example/Object",
    read: (word) => (isObjectPath(word) ? word : null),
  },
  g: {
    expected: "a signature",
    example: '"a{sv}"',
    read: (word) => (isSignature(word) ? word : null),
  },
  h: { expected: "the number of an open file descriptor", example: "0", read: readDescriptor },
};

/** As strtol does with base 0, and with the prefixes 0b and 0o. */
const INTEGER = /^\s*([+-]?)(0x[0-9a-f]+|0b[01]+|0o[0-7]+|0[0-7]*|[1-9][0-9]*)$/i;
const DECIMAL = /^\s*([+-]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)$/i;
const HEXADECIMAL = /^\s*([+-]?)0x([0-9a-f]+)\.?([0-9a-f]*)(?:p([+-]?[0-9]+))?$/i;
const SPECIAL = /^\s*([+-]?)(inf|infinity|nan)$/i;

function integer(lowest: number, highest: number, example: string): BasicType {
  const { expected, read } = bigInteger(BigInt(lowest), BigInt(highest), example);
  return {
    expected,
    example,
    read: (word) => {
      const value = read(word);
      return value === null ? null : Number(value);
    },
  };
}

function bigInteger(lowest: bigint, highest: bigint, example: string): BasicType {
  return {
    expected: `a whole number from ${lowest} to ${highest}`,
    example,
    read: (word) => {
      const value = readInteger(word);
      return value !== null && value >= lowest && value <= highest ? value : null;
    },
  };
}

function readInteger(word: string): bigint | null {
  const [, sign, digits] = INTEGER.exec(word) ?? [];
  if (digits === undefined) return null;
  // C's octal numbers begin with nothing but a zero.
  const magnitude = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return sign === "-" ? -magnitude : magnitude;
}

function readBoolean(word: string): boolean | null {
  if (/^(1|yes|y|true|t|on)$/i.test(word)) return true;
  return /^(0|no|n|false|f|off)$/i.test(word) ? false : null;
}

/** As strtod does. */
function readDouble(word: string): number | null {
  const [, decimalSign, decimal] = DECIMAL.exec(word) ?? [];
  if (decimal !== undefined) return signed(decimalSign, Number(decimal));
  const [, hexSign, whole, fraction = "", exponent = "0"] = HEXADECIMAL.exec(word) ?? [];
  if (whole !== undefined) {
    const mantissa = Number(`0x${whole}${fraction}`);
    return signed(hexSign, mantissa * 2 ** (Number(exponent) - 4 * fraction.length));
  }
  const [, sign, special] = SPECIAL.exec(word) ?? [];
  if (special === undefined) return null;
  return signed(sign, /^nan$/i.test(special) ? Number.NaN : Number.POSITIVE_INFINITY);
}

function signed(sign: string | undefined, magnitude: number): number {
  return sign === "-" ? -magnitude : magnitude;
}

function readDescriptor(word: string): number | null {
  const value = readInteger(word);
  if (value === null || value < 0n || value > 0x7fffffffn) return null;
  try {
    fstatSync(Number(value));
    return Number(value);
  } catch {
    return null;
  }
}
