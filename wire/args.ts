/** Hot path: the string and path arguments that a match rule may ask about, walked on demand. */

import type { Header } from "./header.ts";
import type { Memory } from "./memory.ts";
import { Limit } from "./protocol.ts";

/** The argument is missing or of a type that no match rule can ask about. */
export const ARGUMENT_OTHER = 0;
export const ARGUMENT_STRING = 1;
export const ARGUMENT_PATH = 2;

const COUNT = Limit.matchRuleArgument + 1;

const STRING = 0x73;
const OBJECT_PATH = 0x6f;
const SIGNATURE = 0x67;

/**
 * The leading arguments of the message that was last given to `begin`.
 *
 * The walk goes no further than it is asked to. The body has been validated before.
 */
export class Arguments {
  readonly #types: Uint8Array = new Uint8Array(COUNT);
  readonly #offsets: Int32Array = new Int32Array(COUNT);
  readonly #lengths: Int32Array = new Int32Array(COUNT);
  #header: Header;
  #known = 0;
  #signatureAt = 0;
  #bodyAt = 0;

  constructor(header: Header) {
    this.#header = header;
  }

  /** Forgets the last message and starts at the first argument of `header`'s. */
  begin(header: Header): void {
    this.#header = header;
    this.#known = 0;
    this.#signatureAt = 0;
    this.#bodyAt = 0;
  }

  /** `ARGUMENT_STRING`, `ARGUMENT_PATH`, or `ARGUMENT_OTHER`. */
  type(index: number): number {
    if (index >= this.#known) this.#walk(index);
    return this.#types[index] as number; // index is at most 63, checked when the rule was parsed
  }

  /** Where the string's bytes start in the header's memory; valid if `type` is not `ARGUMENT_OTHER`. */
  offset(index: number): number {
    return this.#offsets[index] as number; // as above
  }

  /** Bytes of the string, without its zero byte. */
  length(index: number): number {
    return this.#lengths[index] as number; // as above
  }

  #walk(index: number): void {
    const header = this.#header;
    const { view, bytes } = header.memory;
    const base = header.bodyOffset;
    while (this.#known <= index) {
      const known = this.#known++;
      this.#types[known] = ARGUMENT_OTHER;
      if (this.#signatureAt >= header.signatureLength) continue;
      const code = bytes[header.signatureOffset + this.#signatureAt];
      if (code === STRING || code === OBJECT_PATH) {
        const at = align(this.#bodyAt, 4);
        const length = view.getUint32(base + at, header.isLittleEndian);
        this.#types[known] = code === STRING ? ARGUMENT_STRING : ARGUMENT_PATH;
        this.#offsets[known] = base + at + 4;
        this.#lengths[known] = length;
        this.#bodyAt = at + 5 + length;
        this.#signatureAt++;
      } else {
        const typeAt = header.signatureOffset + this.#signatureAt;
        this.#bodyAt = skipValue(header.memory, typeAt, base, this.#bodyAt, header.isLittleEndian);
        this.#signatureAt = typeEnd(bytes, typeAt) - header.signatureOffset;
      }
    }
  }
}

/**
 * Skips one complete value of validated bytes: its type is at `typeAt`, the value at or after `at`,
 * which counts from `base`, as alignment does. Returns the offset behind it, counted from `base`.
 */
export function skipValue(
  memory: Memory,
  typeAt: number,
  base: number,
  at: number,
  isLittleEndian: boolean,
): number {
  const { view, bytes } = memory;
  switch (view.getUint8(typeAt)) {
    case 0x79: // y
      return at + 1;
    case 0x6e: // n
    case 0x71: // q
      return align(at, 2) + 2;
    case 0x62: // b
    case 0x69: // i
    case 0x75: // u
    case 0x68: // h
      return align(at, 4) + 4;
    case 0x78: // x
    case 0x74: // t
    case 0x64: // d
      return align(at, 8) + 8;
    case STRING:
    case OBJECT_PATH: {
      const start = align(at, 4);
      return start + 5 + view.getUint32(base + start, isLittleEndian);
    }
    case SIGNATURE:
      return at + 2 + view.getUint8(base + at);
    case 0x76: {
      // v: its signature lies in the value
      const length = view.getUint8(base + at);
      return skipValue(memory, base + at + 1, base, at + 2 + length, isLittleEndian);
    }
    case 0x61: {
      // a: the length does not count the padding before the first element
      const start = align(at, 4);
      const length = view.getUint32(base + start, isLittleEndian);
      return align(start + 4, alignmentOf(view.getUint8(typeAt + 1))) + length;
    }
    default: {
      // ( or {
      let behind = align(at, 8);
      let element = typeAt + 1;
      while (bytes[element] !== 0x29 && bytes[element] !== 0x7d) {
        behind = skipValue(memory, element, base, behind, isLittleEndian);
        element = typeEnd(bytes, element);
      }
      return behind;
    }
  }
}

/** The offset behind the complete type that starts at `at` in a valid signature. */
function typeEnd(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end] === 0x61) end++;
  if (bytes[end] !== 0x28 && bytes[end] !== 0x7b) return end + 1;
  let depth = 0;
  do {
    const code = bytes[end++];
    if (code === 0x28 || code === 0x7b) depth++;
    else if (code === 0x29 || code === 0x7d) depth--;
  } while (depth > 0);
  return end;
}

function alignmentOf(code: number): number {
  switch (code) {
    case 0x79:
    case SIGNATURE:
    case 0x76:
      return 1;
    case 0x6e:
    case 0x71:
      return 2;
    case 0x78:
    case 0x74:
    case 0x64:
    case 0x28:
    case 0x7b:
      return 8;
    default:
      return 4;
  }
}

function align(at: number, alignment: number): number {
  return (at + alignment - 1) & -alignment;
}
