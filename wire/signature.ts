/** Signatures: their grammar, checked on bytes or text, and the types they spell, parsed and cached. */

import { Limit } from "./protocol.ts";

/** One complete type of a signature. Structs and dict entries have their codes "(" and "{". */
export interface Type {
  readonly code: TypeCode;
  /** The type as spelled, such as "a{sv}". */
  readonly signature: string;
  /** The fields of a struct or dict entry, or the one element type of an array. */
  readonly children: readonly Type[];
}

export type BasicTypeCode =
  | "y"
  | "b"
  | "n"
  | "q"
  | "i"
  | "u"
  | "x"
  | "t"
  | "d"
  | "s"
  | "o"
  | "g"
  | "h";
export type TypeCode = BasicTypeCode | "v" | "a" | "(" | "{";

const ARRAY = 0x61;
const STRUCT_BEGIN = 0x28;
const STRUCT_END = 0x29;
const DICT_ENTRY_BEGIN = 0x7b;
const DICT_ENTRY_END = 0x7d;
const VARIANT = 0x76;

const {
  arrayDepth: ARRAY_DEPTH,
  structDepth: STRUCT_DEPTH,
  signatureBytes: SIGNATURE_BYTES,
} = Limit;

/** Signatures of which a parsed form is kept. */
const REMEMBERED_SIGNATURES = 1024;

const textBytes = new Uint8Array(SIGNATURE_BYTES);
const textSpans = new Uint8Array(SIGNATURE_BYTES + 1);

/** 1 at the codes of basic types. */
const BASIC: Uint8Array = codeTable("ybnqiuxtdsogh", 1);

/** Alignment of each type by its code; 0 where there is no such type. */
export const ALIGNMENT: Uint8Array = codeTable("ygv", 1);
for (const code of "nq") ALIGNMENT[code.charCodeAt(0)] = 2;
for (const code of "biuhsoa") ALIGNMENT[code.charCodeAt(0)] = 4;
for (const code of "xtd({") ALIGNMENT[code.charCodeAt(0)] = 8;

/** Bytes of a value of each type that always has the same size (structs are not looked into), or 0. */
export const FIXED_SIZE: Uint8Array = codeTable("y", 1);
for (const code of "nq") FIXED_SIZE[code.charCodeAt(0)] = 2;
for (const code of "biuh") FIXED_SIZE[code.charCodeAt(0)] = 4;
for (const code of "xtd") FIXED_SIZE[code.charCodeAt(0)] = 8;

/** Is `text` a valid signature, of any number of complete types? */
export function isSignature(text: string): boolean {
  // Most variants are of one basic type: their signatures need no walk.
  if (text.length === 1 && BASIC[text.charCodeAt(0)] === 1) return true;
  return checkText(text) >= 0;
}

/** Is `text` the signature of exactly one type, as a variant's must be? */
export function isSingleCompleteType(text: string): boolean {
  return checkText(text) === 1;
}

/**
 * The complete types of `text`; the same tree for the same text, while it is remembered.
 * Throws a `TypeError` if `text` is not a valid signature.
 */
export const parseSignature: (text: string) => readonly Type[] = perSignature((text) => {
  const count = checkText(text);
  if (count < 0) {
    throw new TypeError(
      `${JSON.stringify(text)} is not a valid signature: wrong at character ${~count}`,
    );
  }
  const types: Type[] = [];
  for (let at = 0; at < text.length; ) {
    const type = typeAt(text, at);
    types.push(type);
    at += type.signature.length;
  }
  return types;
});

/** Remembers what `make` made of each signature. */
export function perSignature<T>(make: (signature: string) => T): (signature: string) => T {
  const remembered: Map<string, T> = new Map();
  return (signature) => {
    const known = remembered.get(signature);
    if (known !== undefined) return known;
    const made = make(signature);
    // Peers choose signatures: what they make us remember must be bounded.
    if (remembered.size >= REMEMBERED_SIGNATURES) remembered.clear();
    remembered.set(signature, made);
    return made;
  };
}

/**
 * Checks the `length` bytes at `offset`: returns how many complete types they spell, or the
 * complement (`~`) of the index of the first byte that is wrong.
 *
 * For each array at index i, `spans[spansAt + i]` becomes the number of bytes that its type takes.
 * `spans` needs 256 places from `spansAt`.
 *
 * As dbus-daemon 1.14 counts, which is laxer than the specification: only arrays directly within
 * arrays add up to 32, and structs and dict entries may each nest 32 deep. What data may nest is
 * limited again when it is read.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-signatures
 */
export function checkSignature(
  bytes: Uint8Array,
  offset: number,
  length: number,
  spans: Uint8Array,
  spansAt: number,
): number {
  if (length > SIGNATURE_BYTES) return ~SIGNATURE_BYTES;
  let count = 0;
  let at = 0;
  while (at < length) {
    at = checkType(bytes, offset, at, length, spans, spansAt, 0, 0, 0);
    if (at < 0) return at;
    count++;
  }
  return count;
}

/** Checks one complete type at index `at`; returns the index behind it or the complement of a wrong one. */
function checkType(
  bytes: Uint8Array,
  offset: number,
  at: number,
  length: number,
  spans: Uint8Array,
  spansAt: number,
  arrays: number,
  structs: number,
  dictEntries: number,
): number {
  if (at >= length) return ~at;
  const code = bytes[offset + at] as number; // inside the signature
  if (BASIC[code] === 1 || code === VARIANT) return at + 1;
  if (code === ARRAY) {
    if (arrays === ARRAY_DEPTH) return ~at;
    const end: number =
      at + 1 < length && bytes[offset + at + 1] === DICT_ENTRY_BEGIN
        ? checkDictEntry(bytes, offset, at + 1, length, spans, spansAt, structs, dictEntries)
        : checkType(
            bytes,
            offset,
            at + 1,
            length,
            spans,
            spansAt,
            arrays + 1,
            structs,
            dictEntries,
          );
    spans[spansAt + at] = end - at;
    return end;
  }
  if (code !== STRUCT_BEGIN || structs === STRUCT_DEPTH) return ~at;
  let field = at + 1;
  do {
    field = checkType(bytes, offset, field, length, spans, spansAt, 0, structs + 1, dictEntries);
    if (field < 0) return field;
  } while (bytes[offset + field] !== STRUCT_END || field >= length);
  return field + 1;
}

function checkDictEntry(
  bytes: Uint8Array,
  offset: number,
  at: number,
  length: number,
  spans: Uint8Array,
  spansAt: number,
  structs: number,
  dictEntries: number,
): number {
  if (dictEntries === STRUCT_DEPTH) return ~at;
  const key = at + 1;
  if (key >= length || BASIC[bytes[offset + key] as number] !== 1) return ~key; // inside the signature
  const end = checkType(
    bytes,
    offset,
    key + 1,
    length,
    spans,
    spansAt,
    0,
    structs,
    dictEntries + 1,
  );
  if (end < 0) return end;
  return end < length && bytes[offset + end] === DICT_ENTRY_END ? end + 1 : ~end;
}

function checkText(text: string): number {
  if (text.length > SIGNATURE_BYTES) return ~SIGNATURE_BYTES;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return ~i;
    textBytes[i] = code;
  }
  return checkSignature(textBytes, 0, text.length, textSpans, 0);
}

/** The type that starts at `at` of a valid signature. */
function typeAt(text: string, at: number): Type {
  const code = text[at] as TypeCode; // the signature has been checked
  const children: Type[] = [];
  let end = at + 1;
  if (code === "a") {
    const element = typeAt(text, end);
    children.push(element);
    end += element.signature.length;
  } else if (code === "(" || code === "{") {
    while (text[end] !== ")" && text[end] !== "}") {
      const field = typeAt(text, end);
      children.push(field);
      end += field.signature.length;
    }
    end++;
  }
  return { code, signature: text.slice(at, end), children };
}

function codeTable(codes: string, value: number): Uint8Array {
  const table = new Uint8Array(256);
  for (const code of codes) table[code.charCodeAt(0)] = value;
  return table;
}
