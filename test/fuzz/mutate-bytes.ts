/** Mutations that know nothing of what the bytes mean but a list of words. */

import type { Random } from "./random.ts";

const INTERESTING_WORDS = [
  0, 1, 4, 7, 8, 16, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x3ffffff, 0x4000000,
  0x4000001, 0x8000000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
];
const LONGEST_REPETITION = 4096;

/** One to several mutations of `input`, at most `maximumBytes` long; `other` is what splices come from. */
export function mutateBytes(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  words: readonly string[],
  maximumBytes: number,
): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(input);
  for (let left = 1 + random.below(random.pick([1, 2, 4, 8])); left > 0; left--) {
    bytes = mutateOnce(bytes, other, random, words);
    if (bytes.length > maximumBytes) bytes = bytes.subarray(0, maximumBytes);
  }
  return bytes;
}

function mutateOnce(
  bytes: Uint8Array,
  other: Uint8Array,
  random: Random,
  words: readonly string[],
): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(bytes.length - at, random.pick([1, 4, 16, 256])) + 1);
  switch (random.below(11)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 1:
      return changed(bytes, at, () => random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]));
    case 2:
      return changed(bytes, at, (byte) => byte + random.pick([-1, 1, -4, 4, -8, 8]));
    case 3:
      return withWord(bytes, at & ~random.pick([0, 3]), random);
    case 4:
      return replaced(bytes, at, length, []);
    case 5: {
      const piece = bytes.subarray(at, at + length);
      const most = Math.floor(LONGEST_REPETITION / Math.max(1, piece.length));
      const times = 1 + random.below(random.pick([1, 3, 8, 40, Math.max(1, most)]));
      return replaced(bytes, at, 0, repeated(piece, times));
    }
    case 6:
      return replaced(bytes, at, random.pick([0, length]), latin1(random, words));
    case 7: {
      const from = random.below(other.length + 1);
      return replaced(
        bytes,
        at,
        random.pick([0, length, bytes.length]),
        other.subarray(from, from + random.below(other.length - from + 1)),
      );
    }
    case 8:
      return bytes.subarray(0, random.pick([at, Math.max(0, bytes.length - 1 - random.below(4))]));
    case 9: {
      const piece = Uint8Array.from(bytes.subarray(at, at + length));
      const rest = replaced(bytes, at, length, []);
      return replaced(rest, random.below(rest.length + 1), 0, piece);
    }
    default:
      return replaced(
        bytes,
        at,
        0,
        Array.from({ length: 1 + random.below(8) }, () => random.below(256)),
      );
  }
}

/** `bytes` with `length` of them at `at` replaced. */
export function replaced(
  bytes: Uint8Array,
  at: number,
  length: number,
  by: ArrayLike<number>,
): Uint8Array {
  const result = new Uint8Array(bytes.length - Math.min(length, bytes.length - at) + by.length);
  result.set(bytes.subarray(0, at));
  result.set(by, at);
  result.set(bytes.subarray(at + length), at + by.length);
  return result;
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (at < bytes.length) bytes[at] = change(bytes[at] as number); // inside
  return bytes;
}

/** A number that a length or a count could lie with, over four bytes or two. */
function withWord(bytes: Uint8Array, at: number, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = random.pick([2, 4]);
  if (at + size > bytes.length) return bytes;
  const little = random.below(2) === 0;
  const old = size === 2 ? view.getUint16(at, little) : view.getUint32(at, little);
  const value = random.pick([
    random.pick(INTERESTING_WORDS),
    bytes.length - at,
    old + random.pick([-8, -4, -1, 1, 4, 8]),
  ]);
  if (size === 2) view.setUint16(at, value, little);
  else view.setUint32(at, value, little);
  return bytes;
}

function repeated(piece: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(piece.length * times);
  for (let i = 0; i < times; i++) result.set(piece, i * piece.length);
  return result;
}

function latin1(random: Random, words: readonly string[]): Uint8Array {
  return words.length === 0 ? new Uint8Array(0) : Buffer.from(random.pick(words), "latin1");
}
