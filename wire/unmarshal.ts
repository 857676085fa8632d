/** Bytes → values, by one plan of closures for each signature. */

import type { Memory } from "./memory.ts";
import { Limit } from "./protocol.ts";
import { EXACT_VALUES, type ReadOptions } from "./read-options.ts";
import { Reader } from "./reader.ts";
import { ALIGNMENT, FIXED_SIZE, parseSignature, perSignature, type Type } from "./signature.ts";
import { Variant } from "./variant.ts";

/**
 * The arguments in `bytes`, which start at a multiple of eight of their message.
 *
 * Without `options` they come in their exact form: y n q i u h d become numbers; x t bigints; b
 * booleans; s o g strings; arrays and structs arrays, except `ay`, a Uint8Array; dictionaries Maps, in
 * which the last of equal keys stays; variants `Variant`s. `NATURAL_VALUES` are options for another form.
 *
 * Throws a `ProtocolViolation` if the bytes are not the arguments of `signature`; its offset counts
 * from `origin`, the body's offset in the message. Throws a `RangeError` if an integer has no room in the form asked for.
 */
export function unmarshal(
  signature: string,
  bytes: Uint8Array,
  isLittleEndian = true,
  origin = 0,
  options: ReadOptions = EXACT_VALUES,
): unknown[] {
  const reader = new Reader(bytes, isLittleEndian, origin);
  const values = read(reader, FORMS[formOf(options)] as Form, signature, 0); // one for each number
  reader.assertAtEnd();
  return values;
}

/** As `unmarshal`, of a part of a memory, in the exact form. */
export function unmarshalAt(
  signature: string,
  memory: Memory,
  offset: number,
  length: number,
  isLittleEndian: boolean,
): unknown[] {
  reader.begin(memory, offset, length, isLittleEndian);
  const values = read(reader, EXACT, signature, 0);
  reader.assertAtEnd();
  return values;
}

const reader = new Reader(new Uint8Array(0), true);

/** Reads one value for each type of `signature`, inside of `depth` containers. */
export function readValues(reader: Reader, signature: string, depth = 0): unknown[] {
  return read(reader, EXACT, signature, depth);
}

/** As `unmarshalAt`, of the first arguments only: `signature` is the beginning of the body's. */
export function unmarshalLeading(
  signature: string,
  memory: Memory,
  offset: number,
  length: number,
  isLittleEndian: boolean,
): unknown[] {
  reader.begin(memory, offset, length, isLittleEndian);
  return read(reader, EXACT, signature, 0);
}

/** Reads one value of a complete type; `depth` counts the containers around it. */
type Plan = (reader: Reader, depth: number) => unknown;

/** A set of options, and the plans that were made for it. */
interface Form {
  readonly numbers: boolean;
  readonly objects: boolean;
  readonly unwraps: boolean;
  readonly views: boolean;
  readonly plansOf: (signature: string) => readonly Plan[];
}

const NUMBERS = 1;
const OBJECTS = 2;
const UNWRAPS = 4;
const VIEWS = 8;

const FORMS: readonly Form[] = Array.from({ length: 16 }, (_, bits) => {
  const form: Form = {
    numbers: (bits & NUMBERS) !== 0,
    objects: (bits & OBJECTS) !== 0,
    unwraps: (bits & UNWRAPS) !== 0,
    views: (bits & VIEWS) !== 0,
    plansOf: perSignature((signature) =>
      parseSignature(signature).map((type) => planOf(type, form)),
    ),
  };
  return form;
});
const EXACT = FORMS[0] as Form; // the first of sixteen

function formOf(options: ReadOptions): number {
  return (
    (options.integers64 === "number" ? NUMBERS : 0) |
    (options.dictionaries === "object" ? OBJECTS : 0) |
    (options.variants === "unwrap" ? UNWRAPS : 0) |
    (options.bytes === "view" ? VIEWS : 0)
  );
}

function read(reader: Reader, form: Form, signature: string, depth: number): unknown[] {
  const values: unknown[] = [];
  for (const plan of form.plansOf(signature)) values.push(plan(reader, depth));
  return values;
}

function planOf(type: Type, form: Form): Plan {
  switch (type.code) {
    case "y":
      return (reader) => reader.readByte();
    case "b":
      return (reader) => reader.readBoolean();
    case "n":
      return (reader) => reader.readInt16();
    case "q":
      return (reader) => reader.readUint16();
    case "i":
      return (reader) => reader.readInt32();
    case "u":
    case "h":
      return (reader) => reader.readUint32();
    case "x":
      if (form.numbers) return (reader) => safeNumber("x", reader.readBigInt64());
      return (reader) => reader.readBigInt64();
    case "t":
      if (form.numbers) return (reader) => safeNumber("t", reader.readBigUint64());
      return (reader) => reader.readBigUint64();
    case "d":
      return (reader) => reader.readDouble();
    case "s":
      return (reader) => reader.readString();
    case "o":
      return (reader) => reader.readObjectPath();
    case "g":
      return (reader) => reader.readSignature();
    case "v":
      return variantPlan(form);
    case "a":
      return arrayPlan(type.children[0] as Type, form); // an array has an element type
    case "(":
    case "{":
      return structPlan(type, form);
  }
}

function safeNumber(code: string, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`the ${code} ${value} is not a safe integer: read it as a bigint`);
}

function variantPlan(form: Form): Plan {
  return (reader, depth) => {
    const at = reader.at;
    const signature = reader.readSignature();
    const plans = form.plansOf(signature);
    if (plans.length !== 1) throw reader.violation("VariantSignature", at);
    const value = (plans[0] as Plan)(reader, deeper(reader, depth)); // just counted
    return form.unwraps ? value : new Variant(signature, value);
  };
}

function arrayPlan(element: Type, form: Form): Plan {
  if (element.code === "{") return dictionaryPlan(element, form);
  const code = element.code.charCodeAt(0);
  const alignment = ALIGNMENT[code] as number; // a code of a checked signature
  const isFixed = FIXED_SIZE[code] !== 0;
  if (element.code === "y") {
    if (form.views) return (reader) => reader.viewBytesTo(reader.readArrayEnd(1));
    return (reader) => reader.readBytesTo(reader.readArrayEnd(1));
  }

  const plan = planOf(element, form);
  return (reader, depth) => {
    const end = reader.readArrayEnd(alignment);
    const start = reader.at;
    const values: unknown[] = [];
    while (reader.at < end) {
      // dbus-daemon does not go down into elements of fixed size.
      values.push(plan(reader, isFixed ? depth : deeper(reader, depth)));
    }
    if (reader.at !== end) throw reader.violation("ArrayLength", start);
    return values;
  };
}

function dictionaryPlan(entry: Type, form: Form): Plan {
  const [key, value] = entry.children as readonly [Type, Type]; // a checked dict entry has two
  const readKey = planOf(key, form);
  const readValue = planOf(value, form);
  if (form.objects && (key.code === "s" || key.code === "o" || key.code === "g")) {
    return (reader, depth) => {
      const end = reader.readArrayEnd(8);
      const start = reader.at;
      const object: Record<string, unknown> = Object.create(null);
      while (reader.at < end) {
        reader.align(8);
        const inner = deeper(reader, deeper(reader, depth));
        const name = readKey(reader, inner) as string; // the key's type is string-like
        object[name] = readValue(reader, inner);
      }
      if (reader.at !== end) throw reader.violation("ArrayLength", start);
      return object;
    };
  }
  return (reader, depth) => {
    const end = reader.readArrayEnd(8);
    const start = reader.at;
    const map: Map<unknown, unknown> = new Map();
    while (reader.at < end) {
      reader.align(8);
      const inner = deeper(reader, deeper(reader, depth));
      const name = readKey(reader, inner);
      map.set(name, readValue(reader, inner));
    }
    if (reader.at !== end) throw reader.violation("ArrayLength", start);
    return map;
  };
}

function structPlan(type: Type, form: Form): Plan {
  const plans = type.children.map((child) => planOf(child, form));
  return (reader, depth) => {
    reader.align(8);
    const inner = deeper(reader, depth);
    const values: unknown[] = [];
    for (let i = 0; i < plans.length; i++) values.push((plans[i] as Plan)(reader, inner)); // below length
    return values;
  };
}

function deeper(reader: Reader, depth: number): number {
  if (depth >= Limit.totalDepth) throw reader.violation("Depth", reader.at);
  return depth + 1;
}
