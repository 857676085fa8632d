/** What the mechanism EXTERNAL says: hexadecimal text that names a user id. */

/** What almost everybody sends: a plain decimal number that needs no thought about its size. */
const PLAIN_NUMBER = /^(?:0|[1-9][0-9]{0,9})$/;
/** What strtoul(3) with base 0 reads to the end: blanks, a sign, then hexadecimal, octal or decimal. */
const NUMBER = /^[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))$/;
const MAX_UNSIGNED_LONG = (1n << 64n) - 1n;

/**
 * Decodes an argument of AUTH or DATA to one character for each byte; null if it is not hexadecimal.
 *
 * Like dbus-daemon 1.14 it takes an odd number of digits and reads the last one as the upper half of
 * a byte: "3" is "0", and `AUTH EXTERNAL 3` comes from root.
 */
export function decodeHex(text: string): string | null {
  let decoded = "";
  for (let i = 0; i < text.length; i += 2) {
    const upper = digitOf(text.charCodeAt(i));
    const lower = i + 1 < text.length ? digitOf(text.charCodeAt(i + 1)) : 0;
    if (upper < 0 || lower < 0) return null;
    decoded += String.fromCharCode((upper << 4) | lower);
  }
  return decoded;
}

/** What a hexadecimal digit stands for, or -1. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Encodes text the way arguments of AUTH and DATA are. */
export function encodeHex(text: string): string {
  return Buffer.from(text, "utf8").toString("hex");
}

/**
 * The user id that an authorization identity names, or null if it names none.
 *
 * The specification asks for a decimal number. dbus-daemon 1.14 reads it with strtoul(3) in any base,
 * so "0x3e8", "01750" and " 1000" are all user 1000 to it, and "01000" is not. Accepting what names
 * the user whom the kernel vouches for gives nothing away, so the same is done here. Names of users
 * are refused, as there: looking them up could ask a service that waits for this bus.
 */
export function userIdOf(identity: string): number | null {
  if (PLAIN_NUMBER.test(identity)) return Number(identity);
  const match = NUMBER.exec(identity);
  if (match === null) return null;
  const [, sign, hexadecimal, octal, decimal] = match;
  const digits =
    hexadecimal !== undefined ? `0x${hexadecimal}` : octal !== undefined ? `0o0${octal}` : decimal;
  const magnitude = BigInt(digits ?? 0);
  if (magnitude > MAX_UNSIGNED_LONG) return null;
  return Number(sign === "-" ? BigInt.asUintN(64, -magnitude) : magnitude);
}
