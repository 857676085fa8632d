/** Hot path: short strings of ASCII that were read before, so that they need not be made again. */

/** So long are the names, paths and signatures that come again and again. */
export const SHORT_TEXT_BYTES = 40;

const PLACES = 2048;
const texts: string[] = new Array<string>(PLACES).fill("");

/**
 * The string of the `length` bytes at `offset`, or null if they are more than 40, or none that was read lately, or
 * not ASCII without U+0000. `placeOf` says where `rememberText` is to put it.
 *
 * Gains 150 ns for a string, which V8 would be asked to make from outside of JavaScript.
 */
export function rememberedText(bytes: Uint8Array, offset: number, length: number): string | null {
  if (length > SHORT_TEXT_BYTES) return null;
  const text = texts[placeOf(bytes, offset, length)] as string; // below PLACES
  if (text.length !== length) return null;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) !== bytes[offset + i]) return null;
  }
  return text;
}

/** Remembers what the bytes spell, if they are short, in place of another string. */
export function rememberText(
  bytes: Uint8Array,
  offset: number,
  length: number,
  text: string,
): void {
  // Only of ASCII are there as many characters as bytes.
  if (length > SHORT_TEXT_BYTES || text.length !== length) return;
  texts[placeOf(bytes, offset, length)] = text;
}

function placeOf(bytes: Uint8Array, offset: number, length: number): number {
  let hash = length;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (bytes[offset + i] as number)) | 0; // within
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}
