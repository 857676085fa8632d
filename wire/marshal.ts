/** Values → bytes, by one plan of closures for each signature. */

import { isObjectPath } from "./object-path.ts";
import { Limit } from "./protocol.ts";
import {
  ALIGNMENT,
  FIXED_SIZE,
  isSignature,
  isSingleCompleteType,
  parseSignature,
  perSignature,
  type Type,
} from "./signature.ts";
import { Writer } from "./writer.ts";

/** A value that its signature has no room for. The message says where: `body[2].a{sv}["Icon"]`. */
export class ValueError extends TypeError {
  readonly code = "ERR_DBUS_VALUE";
  /** What is wrong, such as "expected y, got string". */
  readonly reason: string;
  /** Where, from the outermost container, such as `["Icon"]`; empty for the argument itself. */
  readonly path: string;

  constructor(reason: string, path: string, where: string) {
    super(`${where}${path}: ${reason}`);
    this.name = "ValueError";
    this.reason = reason;
    this.path = path;
  }
}

/**
 * The marshalled arguments `values` of `signature`.
 *
 * y n q i u h d are numbers; x t bigints, or numbers that are safe integers; b booleans; s o g
 * strings. Arrays are arrays; `ay` may be a Uint8Array, and a dictionary is a Map, a plain object or an
 * array of pairs. Structs are arrays. A variant is a `Variant`, or anything with its `signature` and
 * `value`; or a string (s), a boolean (b) or a Uint8Array (ay), which can be of no other type. Numbers,
 * arrays and objects could: they need a `Variant`.
 *
 * Throws a `ValueError` if a value does not fit, and a `TypeError` if `signature` is not valid.
 */
export function marshal(
  signature: string,
  values: readonly unknown[],
  isLittleEndian = true,
): Uint8Array {
  // Away while it is in use: a getter among the values may marshal, too.
  const writer = isLittleEndian && spare !== null ? spare : new Writer(isLittleEndian);
  spare = null;
  marshalInto(writer, signature, values);
  if (!isLittleEndian || writer.length > SPARE_BYTES) return writer.bytes;
  const bytes = writer.bytes.slice();
  writer.reset();
  spare = writer;
  return bytes;
}

/** A writer that grew before: one copy at the end costs less than growing again. */
let spare: Writer | null = null;
const SPARE_BYTES = 1 << 16;

/** As `marshal`, to the end of what `writer` holds, which is a multiple of eight bytes long. */
export function marshalInto(writer: Writer, signature: string, values: readonly unknown[]): void {
  const types = parseSignature(signature);
  if (values.length !== types.length) {
    throw new ValueError(`expected ${types.length} arguments, got ${values.length}`, "", "body");
  }
  const plans = plansOf(signature);
  let index = 0;
  try {
    for (const plan of plans) {
      plan(writer, values[index], 0);
      index++;
    }
  } catch (error) {
    throw inside(error, "", `body[${index}].${types[index]?.signature}`);
  }
}

/** Writes one value of a complete type; `depth` counts the containers around it. */
type Plan = (writer: Writer, value: unknown, depth: number) => void;

const plansOf: (signature: string) => readonly Plan[] = perSignature((signature) =>
  parseSignature(signature).map(planOf),
);

function planOf(type: Type): Plan {
  switch (type.code) {
    case "y":
      return integer("y", 0, 0xff, (writer, value) => writer.writeByte(value));
    case "n":
      return integer("n", -0x8000, 0x7fff, (writer, value) => writer.writeInt16(value));
    case "q":
      return integer("q", 0, 0xffff, (writer, value) => writer.writeUint16(value));
    case "i":
      return integer("i", -0x80000000, 0x7fffffff, (writer, value) => writer.writeInt32(value));
    case "u":
    case "h":
      return integer(type.code, 0, 0xffffffff, (writer, value) => writer.writeUint32(value));
    case "x":
      return bigInteger("x", -(1n << 63n), (1n << 63n) - 1n, (writer, value) =>
        writer.writeBigInt64(value),
      );
    case "t":
      return bigInteger("t", 0n, (1n << 64n) - 1n, (writer, value) => writer.writeBigUint64(value));
    case "b":
      return (writer, value) => {
        if (typeof value !== "boolean") throw misfit("b", value);
        writer.writeUint32(value ? 1 : 0);
      };
    case "d":
      return (writer, value) => {
        if (typeof value !== "number") throw misfit("d", value);
        writer.writeDouble(value);
      };
    case "s":
      return (writer, value) => {
        if (typeof value !== "string") throw misfit("s", value);
        if (writer.writeShortAscii(value)) return;
        if (NOT_TEXT.test(value)) throw misfit("s without U+0000 and lone surrogates", value);
        writer.writeString(value);
      };
    case "o":
      return (writer, value) => {
        if (typeof value !== "string" || !isObjectPath(value)) throw misfit("o", value);
        writer.writeString(value);
      };
    case "g":
      return (writer, value) => {
        if (typeof value !== "string" || !isSignature(value)) throw misfit("g", value);
        writer.writeSignature(value);
      };
    case "v":
      return writeVariant;
    case "a":
      return arrayPlan(type, type.children[0] as Type); // an array has an element type
    case "(":
    case "{":
      return structPlan(type);
  }
}

const NOT_TEXT = /\0|\p{Surrogate}/u;

function integer(
  code: string,
  lowest: number,
  highest: number,
  write: (writer: Writer, value: number) => void,
): Plan {
  return (writer, value) => {
    if (typeof value !== "number" || !Number.isInteger(value)) throw misfit(code, value);
    if (value < lowest || value > highest) throw misfit(`${code} (${lowest} to ${highest})`, value);
    write(writer, value);
  };
}

function bigInteger(
  code: string,
  lowest: bigint,
  highest: bigint,
  write: (writer: Writer, value: bigint) => void,
): Plan {
  return (writer, value) => {
    if (typeof value !== "bigint" && !Number.isSafeInteger(value)) throw misfit(code, value);
    const big = BigInt(value as bigint | number); // just checked
    if (big < lowest || big > highest) throw misfit(`${code} (${lowest} to ${highest})`, value);
    write(writer, big);
  };
}

function writeVariant(writer: Writer, value: unknown, depth: number): void {
  if (typeof value === "string") writeAs(writer, "s", value, depth);
  else if (typeof value === "boolean") writeAs(writer, "b", value, depth);
  else if (value instanceof Uint8Array) writeAs(writer, "ay", value, depth);
  else if (
    typeof value === "object" &&
    value !== null &&
    "signature" in value &&
    "value" in value
  ) {
    const { signature } = value;
    if (typeof signature !== "string") throw misfit("a variant of one complete type", signature);
    writeAs(writer, signature, value.value, depth);
  } else throw misfit("v (a Variant)", value);
}

function writeAs(writer: Writer, signature: string, content: unknown, depth: number): void {
  const plan = variantPlanOf(signature);
  writer.writeSignature(signature);
  plan(writer, content, deeper(depth));
}

const variantPlanOf: (signature: string) => Plan = perSignature((signature) => {
  if (!isSingleCompleteType(signature)) throw misfit("a variant of one complete type", signature);
  return plansOf(signature)[0] as Plan; // there is one complete type
});

function arrayPlan(type: Type, element: Type): Plan {
  const writeElements = elementsPlan(type, element);
  const alignment = ALIGNMENT[element.code.charCodeAt(0)] as number; // a code of a checked signature
  return (writer, value, depth) => {
    writer.writeUint32(0);
    const lengthAt = writer.length - 4;
    writer.align(alignment);
    const start = writer.length;
    writeElements(writer, value, depth);
    const byteLength = writer.length - start;
    if (byteLength > Limit.arrayBytes) {
      throw new ValueError(`an array of ${byteLength} bytes is longer than 64 MiB`, "", "");
    }
    writer.setUint32(lengthAt, byteLength);
  };
}

function elementsPlan(type: Type, element: Type): Plan {
  if (element.code === "{") return dictionaryPlan(type, element);
  const plan = planOf(element);
  const isFixed = FIXED_SIZE[element.code.charCodeAt(0)] !== 0;
  return (writer, value, depth) => {
    if (element.code === "y" && value instanceof Uint8Array) {
      writer.writeBytes(value);
      return;
    }
    if (!Array.isArray(value)) throw misfit(type.signature, value);
    // dbus-daemon does not go down into elements of fixed size, nor into an empty array.
    const inner = isFixed || value.length === 0 ? depth : deeper(depth);
    let index = 0;
    try {
      for (; index < value.length; index++) plan(writer, value[index], inner);
    } catch (error) {
      throw inside(error, `[${index}]`, "");
    }
  };
}

function dictionaryPlan(type: Type, entry: Type): Plan {
  const [key, value] = entry.children as readonly [Type, Type]; // a checked dict entry has two
  const keyPlan = planOf(key);
  const valuePlan = planOf(value);
  const writeEntry = (writer: Writer, name: unknown, item: unknown, depth: number): void => {
    writer.align(8);
    try {
      keyPlan(writer, name, depth);
    } catch (error) {
      throw inside(error, `[key ${textOf(name)}]`, "");
    }
    try {
      valuePlan(writer, item, depth);
    } catch (error) {
      throw inside(error, `[${textOf(name)}]`, "");
    }
  };
  return (writer, entries, depth) => {
    if (entries instanceof Map) {
      for (const [name, item] of entries) writeEntry(writer, name, item, deeper(deeper(depth)));
    } else if (Array.isArray(entries)) {
      for (const [index, pair] of entries.entries()) {
        if (!Array.isArray(pair) || pair.length !== 2) {
          throw inside(misfit(`${entry.signature} (a pair)`, pair), `[${index}]`, "");
        }
        writeEntry(writer, pair[0], pair[1], deeper(deeper(depth)));
      }
    } else if (isPlainObject(entries)) {
      for (const name of Object.keys(entries)) {
        writeEntry(writer, keyOf(name, key), entries[name], deeper(deeper(depth)));
      }
    } else throw misfit(type.signature, entries);
  };
}

/** Has it no prototype, or Object's, of whatever realm? */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The key that an object's property stands for: integers are spelled in decimal. */
function keyOf(name: string, key: Type): unknown {
  if ("sog".includes(key.code) || !/^-?\d+$/.test(name)) return name;
  return key.code === "x" || key.code === "t" ? BigInt(name) : Number(name);
}

function structPlan(type: Type): Plan {
  const plans = type.children.map(planOf);
  return (writer, value, depth) => {
    if (!Array.isArray(value)) throw misfit(type.signature, value);
    if (value.length !== plans.length) {
      throw misfit(`${type.signature} (${plans.length} fields)`, value);
    }
    writer.align(8);
    const inner = deeper(depth);
    let index = 0;
    try {
      for (const plan of plans) {
        plan(writer, value[index], inner);
        index++;
      }
    } catch (error) {
      throw inside(error, `[${index}]`, "");
    }
  };
}

function deeper(depth: number): number {
  if (depth >= Limit.totalDepth) throw new ValueError("values are nested deeper than 64", "", "");
  return depth + 1;
}

function misfit(expected: string, value: unknown): ValueError {
  return new ValueError(`expected ${expected}, got ${described(value)}`, "", "");
}

/** `error` as seen from one container further out. */
function inside(error: unknown, step: string, where: string): unknown {
  return error instanceof ValueError
    ? new ValueError(error.reason, step + error.path, where)
    : error;
}

function described(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `array of ${value.length}`;
  if (typeof value === "number" || typeof value === "bigint") return `${typeof value} ${value}`;
  if (typeof value === "string") return `string ${textOf(value)}`;
  return typeof value;
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
