/** Bytes → values, by one plan of closures for each signature. */

import type { Memory } from "./memory.ts";
import { Limit } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { ALIGNMENT, FIXED_SIZE, parseSignature, perSignature, type Type } from "./signature.ts";
import { Variant } from "./variant.ts";

/**
 * The arguments in `bytes`, which start at a multiple of eight of their message.
 *
 * y n q i u h d become numbers; x t bigints; b booleans; s o g strings; arrays and structs arrays,
 * except `ay`, a Uint8Array; dictionaries Maps, in which the last of equal keys stays; variants
 * `Variant`s.
 *
 * Throws a `ProtocolViolation` if the bytes are not the arguments of `signature`; its offset counts
 * from `origin`, the body's offset in the message.
 */
export function unmarshal(
  signature: string,
  bytes: Uint8Array,
  isLittleEndian = true,
  origin = 0,
): unknown[] {
  const reader = new Reader(bytes, isLittleEndian, origin);
  const values = readValues(reader, signature);
  reader.assertAtEnd();
  return values;
}

/** As `unmarshal`, of a part of a memory. */
export function unmarshalAt(
  signature: string,
  memory: Memory,
  offset: number,
  length: number,
  isLittleEndian: boolean,
): unknown[] {
  reader.begin(memory, offset, length, isLittleEndian);
  const values = readValues(reader, signature);
  reader.assertAtEnd();
  return values;
}

const reader = new Reader(new Uint8Array(0), true);

/** Reads one value for each type of `signature`, inside of `depth` containers. */
export function readValues(reader: Reader, signature: string, depth = 0): unknown[] {
  const values: unknown[] = [];
  for (const plan of plansOf(signature)) values.push(plan(reader, depth));
  return values;
}

/** As `unmarshal`, of the first arguments only: `signature` is the beginning of the body's. */
export function unmarshalLeading(
  signature: string,
  bytes: Uint8Array,
  isLittleEndian = true,
): unknown[] {
  return readValues(new Reader(bytes, isLittleEndian, 0), signature);
}

/** Reads one value of a complete type; `depth` counts the containers around it. */
type Plan = (reader: Reader, depth: number) => unknown;

const plansOf: (signature: string) => readonly Plan[] = perSignature((signature) =>
  parseSignature(signature).map(planOf),
);

function planOf(type: Type): Plan {
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
      return (reader) => reader.readBigInt64();
    case "t":
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
      return readVariant;
    case "a":
      return arrayPlan(type.children[0] as Type); // an array has an element type
    case "(":
    case "{":
      return structPlan(type);
  }
}

function readVariant(reader: Reader, depth: number): Variant {
  const at = reader.at;
  const signature = reader.readSignature();
  const [plan, ...others] = plansOf(signature);
  if (plan === undefined || others.length > 0) throw reader.violation("VariantSignature", at);
  return new Variant(signature, plan(reader, deeper(reader, depth)));
}

function arrayPlan(element: Type): Plan {
  const code = element.code.charCodeAt(0);
  const alignment = ALIGNMENT[code] as number; // a code of a checked signature
  const isFixed = FIXED_SIZE[code] !== 0;
  if (element.code === "y") return (reader) => reader.readBytesTo(reader.readArrayEnd(1));

  if (element.code === "{") return dictionaryPlan(element);
  const plan = planOf(element);
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

/** Entries are read as structs of two, without an array for each. */
function dictionaryPlan(entry: Type): Plan {
  const [key, value] = entry.children as readonly [Type, Type]; // a checked dict entry has two
  const keyPlan = planOf(key);
  const valuePlan = planOf(value);
  return (reader, depth) => {
    const end = reader.readArrayEnd(8);
    const start = reader.at;
    const entries: Map<unknown, unknown> = new Map();
    while (reader.at < end) {
      const outer = deeper(reader, depth);
      reader.align(8);
      const inner = deeper(reader, outer);
      const name = keyPlan(reader, inner);
      entries.set(name, valuePlan(reader, inner));
    }
    if (reader.at !== end) throw reader.violation("ArrayLength", start);
    return entries;
  };
}

function structPlan(type: Type): Plan {
  const plans = type.children.map(planOf);
  return (reader, depth) => {
    reader.align(8);
    const inner = deeper(reader, depth);
    const values: unknown[] = [];
    for (const plan of plans) values.push(plan(reader, inner));
    return values;
  };
}

function deeper(reader: Reader, depth: number): number {
  if (depth >= Limit.totalDepth) throw reader.violation("Depth", reader.at);
  return depth + 1;
}
