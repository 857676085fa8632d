/** An annotated hex dump of one message, for people. */

import { FIXED_HEADER_BYTES, HeaderField, MessageType } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { ALIGNMENT, parseSignature, type Type } from "./signature.ts";
import { readValues } from "./unmarshal.ts";
import { ProtocolViolation } from "./violation.ts";

const LITTLE = 0x6c;
const BIG = 0x42;
const ROW_BYTES = 8;
const ROW_CHARACTERS = 3 * ROW_BYTES;
const TEXT_CHARACTERS = 80;

/**
 * A line or more for each value of the message: its offset, its bytes, what it is. From where the
 * message cannot be read, a line that says why, and the bytes alone.
 */
export function dumpMessage(bytes: Uint8Array): string {
  const dump = new Dump(bytes);
  try {
    dump.message();
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    dump.rest(error.message);
  }
  return dump.text;
}

class Dump {
  readonly #bytes: Uint8Array;
  readonly #reader: Reader;
  readonly #lines: string[] = [];
  /** How many of the bytes have their line. */
  #shown = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new Reader(bytes, bytes[0] === LITTLE);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  message(): void {
    const reader = this.#reader;
    const order = reader.readByte();
    const type = reader.readByte();
    const flags = reader.readByte();
    const version = reader.readByte();
    const orderText = order === LITTLE ? "little-endian" : order === BIG ? "big-endian" : "order?";
    this.#show(0, `${orderText}, ${typeName(type)}, flags ${flags}, protocol version ${version}`);
    this.#show(0, `body of ${reader.readUint32()} bytes`);
    this.#show(0, `serial ${reader.readUint32()}`);
    const fieldsLength = reader.readUint32();
    this.#show(0, `header fields of ${fieldsLength} bytes`);
    let signature = "";
    while (reader.at < FIXED_HEADER_BYTES + fieldsLength) {
      this.#pad(8);
      const code = reader.readByte();
      const fieldType = reader.readSignature();
      this.#show(0, `${fieldName(code)} of type ${fieldType}`);
      const value = this.#values(fieldType, 1);
      if (code === HeaderField.Signature) signature = String(value);
    }
    this.#pad(8);
    this.#values(signature, 0);
    reader.assertAtEnd();
  }

  /** Shows the bytes that have no line yet. */
  rest(why: string): void {
    this.#lines.push(`!!!! ${why}`);
    this.#rows(this.#bytes.length, "");
  }

  /** Shows the values of a signature; returns the last if it is basic. */
  #values(signature: string, depth: number): unknown {
    let last: unknown = null;
    for (const type of parseSignature(signature)) last = this.#value(type, depth);
    return last;
  }

  #value(type: Type, depth: number): unknown {
    const reader = this.#reader;
    this.#pad(ALIGNMENT[type.code.charCodeAt(0)] as number); // a code of a checked signature
    if (type.code === "v") {
      const signature = reader.readSignature();
      this.#show(depth, `variant of type ${signature}`);
      this.#values(signature, depth + 1);
      return null;
    }
    if (type.code === "(" || type.code === "{") {
      this.#show(depth, type.signature);
      for (const field of type.children) this.#value(field, depth + 1);
      return null;
    }
    if (type.code === "a") {
      this.#array(type.children[0] as Type, depth); // an array has an element type
      return null;
    }
    const [value] = readValues(reader, type.code);
    this.#show(depth, `${type.code} ${shortText(value)}`);
    return value;
  }

  #array(element: Type, depth: number): void {
    const reader = this.#reader;
    const byteLength = reader.readUint32();
    this.#show(depth, `array of ${element.signature}, ${byteLength} bytes`);
    this.#pad(ALIGNMENT[element.code.charCodeAt(0)] as number); // a code of a checked signature
    const end = reader.at + byteLength;
    if (element.code === "y") {
      reader.readBytesTo(end);
      this.#show(depth + 1, "bytes");
      return;
    }
    while (reader.at < end) this.#value(element, depth + 1);
  }

  #pad(alignment: number): void {
    this.#reader.align(alignment);
    if (this.#reader.at > this.#shown) this.#show(0, "(padding)");
  }

  /** Shows what has been read since the last line. */
  #show(depth: number, text: string): void {
    const label = "  ".repeat(depth) + text;
    if (this.#reader.at === this.#shown) this.#lines.push(row(this.#shown, "", label));
    this.#rows(this.#reader.at, label);
  }

  #rows(end: number, label: string): void {
    let text = label;
    for (; this.#shown < end; this.#shown = Math.min(this.#shown + ROW_BYTES, end)) {
      const bytes = this.#bytes.subarray(this.#shown, Math.min(this.#shown + ROW_BYTES, end));
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      this.#lines.push(row(this.#shown, hex, text));
      text = "";
    }
  }
}

function row(offset: number, hex: string, label: string): string {
  const start = offset.toString(16).padStart(4, "0");
  return `${start}  ${hex.padEnd(ROW_CHARACTERS)} ${label}`.trimEnd();
}

function typeName(type: number): string {
  return Object.entries(MessageType).find(([, value]) => value === type)?.[0] ?? `type ${type}`;
}

function fieldName(code: number): string {
  return Object.entries(HeaderField).find(([, value]) => value === code)?.[0] ?? `field ${code}`;
}

function shortText(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > TEXT_CHARACTERS ? `${text.slice(0, TEXT_CHARACTERS)}…` : text;
}
