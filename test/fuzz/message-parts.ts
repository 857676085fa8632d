/** A message taken apart as far as it can be, to be put together differently. */

import type { Random } from "./random.ts";

const LITTLE = 0x6c;
const BIG = 0x42;
const FIXED_BYTES = 16;

export interface MessageParts {
  order: number;
  type: number;
  flags: number;
  version: number;
  serial: number;
  /** Each from its code to the end of its value; whatever cannot be told apart is in the last. */
  fields: Uint8Array[];
  body: Uint8Array;
}

/** Null if there is not even a fixed header. */
export function takeApart(bytes: Uint8Array): MessageParts | null {
  if (bytes.length < FIXED_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === LITTLE;
  const end = Math.min(bytes.length, FIXED_BYTES + view.getUint32(12, little));
  const fields: Uint8Array[] = [];
  for (let at = FIXED_BYTES; at < end; ) {
    const fieldEnd = Math.min(end, at + fieldLength(view, at, end, little));
    fields.push(bytes.slice(at, fieldEnd));
    at = (fieldEnd + 7) & ~7;
  }
  const [order = 0, type = 0, flags = 0, version = 0] = bytes;
  const body = bytes.slice(Math.min(bytes.length, (end + 7) & ~7));
  return { order, type, flags, version, serial: view.getUint32(8, little), fields, body };
}

/** With lengths that are right, whatever the parts are. */
export function putTogether(parts: MessageParts): Uint8Array {
  const { order, type, flags, version, serial, fields, body } = parts;
  const padded = fields.map((field, i) =>
    i < fields.length - 1 ? withPadding(field) : Buffer.from(field),
  );
  const fieldBytes = Buffer.concat(padded);
  const head = Buffer.from([order, type, flags, version, ...new Array<number>(12).fill(0)]);
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const little = order === LITTLE;
  view.setUint32(4, body.length, little);
  view.setUint32(8, serial, little);
  view.setUint32(12, fieldBytes.length, little);
  return Buffer.concat([head, withPadding(fieldBytes), body]);
}

/** A field of `code`, its value of type s, o, g or u, or of bytes that need not be anything. */
export function fieldOf(
  code: number,
  type: string,
  value: string | number,
  little: boolean,
): Uint8Array {
  const head = [code, type.length, ...Buffer.from(type), 0];
  const text = Buffer.from(String(value), "latin1");
  if (type === "g") return Buffer.from([...head, text.length, ...text, 0]);
  while (head.length % 4 !== 0) head.push(0);
  const word = Buffer.alloc(4);
  const number = typeof value === "number" ? value : text.length;
  if (little) word.writeUInt32LE(number >>> 0);
  else word.writeUInt32BE(number >>> 0);
  return Buffer.from([...head, ...word, ...(typeof value === "number" ? [] : [...text, 0])]);
}

/** The same message in the other byte order, as far as its fields are simple. */
export function turnedAround(parts: MessageParts): MessageParts {
  const fields = parts.fields.map((field) => {
    const turned = Uint8Array.from(field);
    if (field[1] === 1 && field[2] !== 0x67 && field.length >= 8) turned.subarray(4, 8).reverse();
    return turned;
  });
  return { ...parts, order: parts.order === LITTLE ? BIG : LITTLE, fields };
}

/** One thing about the message is different. */
export function mutateParts(
  parts: MessageParts,
  other: MessageParts,
  random: Random,
  newField: (random: Random, little: boolean) => Uint8Array,
): MessageParts {
  const { fields } = parts;
  const at = random.below(fields.length + 1);
  const little = parts.order === LITTLE;
  switch (random.below(9)) {
    case 0:
      return { ...parts, fields: fields.toSpliced(at, 1) };
    case 1:
      return { ...parts, fields: fields.toSpliced(at, 0, fields[at] ?? newField(random, little)) };
    case 2:
      return { ...parts, fields: fields.toSpliced(at, 0, newField(random, little)) };
    case 3:
      return { ...parts, fields: fields.toSpliced(at, 1, newField(random, little)) };
    case 4: {
      const theirs = random.pick([...other.fields, ...fields, newField(random, little)]);
      return { ...parts, fields: fields.toSpliced(at, 0, theirs) };
    }
    case 5:
      return turnedAround(parts);
    case 6:
      return { ...parts, body: random.pick([other.body, new Uint8Array(0)]) };
    case 7:
      return { ...parts, type: random.pick([0, 1, 2, 3, 4, 5, 255]), flags: random.below(256) };
    default:
      return { ...parts, fields: [...fields].sort(() => random() - 0.5) };
  }
}

function withPadding(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 7)]);
}

/** Of the field at `at`, if it is of a simple type; else all that is left. */
function fieldLength(view: DataView, at: number, end: number, little: boolean): number {
  if (at + 8 > end || view.getUint8(at + 1) !== 1) return end - at;
  switch (String.fromCharCode(view.getUint8(at + 2))) {
    case "s":
    case "o":
      return 9 + view.getUint32(at + 4, little);
    case "g":
      return 6 + view.getUint8(at + 4);
    case "u":
    case "i":
    case "b":
      return 8;
    case "y":
      return 5;
    default:
      return end - at;
  }
}
