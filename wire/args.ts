/** Hot path: the string and path arguments that a match rule may ask about, walked on demand. */

import type { Header } from "./header.ts";
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
 * The walk goes no further than it is asked to, and ends for good at the first argument whose
 * length it would have to work out (a container): dbus-daemon's rules can reach behind one, so the
 * walk skips containers with the help of `skip`. The body has been validated before.
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
        const signatureEnd = typeEnd(bytes, header.signatureOffset + this.#signatureAt);
        this.#bodyAt = skip(header, header.signatureOffset + this.#signatureAt, this.#bodyAt);
        this.#signatureAt = signatureEnd - header.signatureOffset;
      }
    }
  }
}

/** Skips one complete value of a validated body; returns the offset behind it, relative to the body. */
function skip(header: Header, typeAt: number, at: number): number {
  const { view, bytes } = header.memory;
  const little = header.isLittleEndian;
  const base = header.bodyOffset;
  const code = bytes[typeAt] as number; // inside the signature
  switch (code) {
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
      return start + 5 + view.getUint32(base + start, little);
    }
    case SIGNATURE:
      return at + 2 + view.getUint8(base + at);
    case 0x76: {
      // v: its signature lies in the body
      const length = view.getUint8(base + at);
      return skip(header, base + at + 1, at + 2 + length);
    }
    case 0x61: {
      // a: the length does not count the padding before the first element
      const start = align(at, 4);
      const length = view.getUint32(base + start, little);
      return align(start + 4, alignmentOf(bytes[typeAt + 1] as number)) + length; // an array has an element type
    }
    default: {
      // ( or {
      let behind = align(at, 8);
      let element = typeAt + 1;
      while (bytes[element] !== 0x29 && bytes[element] !== 0x7d) {
        behind = skip(header, element, behind);
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
