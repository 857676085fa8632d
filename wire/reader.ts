/** An aligned, bounds-checked cursor over bytes that a peer sent. */

import type { Memory } from "./memory.ts";
import { isObjectPath } from "./object-path.ts";
import { Limit } from "./protocol.ts";
import { rememberedText, rememberText } from "./short-texts.ts";
import { isSignature, perSignature } from "./signature.ts";
import { type BodyViolation, bodyViolationText, BodyViolation as Violation } from "./validate.ts";
import { ProtocolViolation } from "./violation.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What `Buffer` makes of bytes that are not UTF-8, and of the bytes that really spell it. */
const REPLACEMENT = "\ufffd";
/** The signatures of one character by their code: most variants have one. */
const SINGLE_TYPES: readonly (string | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  [..."ybnqiuxtdsoghv"].find((text) => text.charCodeAt(0) === code),
);

const IS_PLAIN = /^[!-~]*$/;
const isValidSignature: (text: string) => boolean = perSignature(isSignature);

/**
 * Reads values one behind the other; alignment counts from the first of `bytes`. What is wrong is
 * thrown as a `ProtocolViolation` whose code is a key of `BodyViolation`.
 */
export class Reader {
  isLittleEndian: boolean;
  #bytes: Uint8Array;
  #view: DataView;
  /** Offset in the message of the first byte, for violations. */
  readonly #origin: number;
  /** The first byte, the next one and the end are counted from where `bytes` begins. */
  #start = 0;
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array, isLittleEndian: boolean, origin = 0) {
    this.isLittleEndian = isLittleEndian;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
    this.#origin = origin;
  }

  /** Starts anew on a part of a memory: a reader that is used again saves three objects for each message. */
  begin(memory: Memory, offset: number, length: number, isLittleEndian: boolean): void {
    this.isLittleEndian = isLittleEndian;
    this.#bytes = memory.bytes;
    this.#view = memory.view;
    this.#start = offset;
    this.#at = offset;
    this.#end = offset + length;
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at - this.#start;
  }

  /** Reads the zero bytes up to the next multiple of `alignment`, a power of two. */
  align(alignment: number): void {
    while (((this.#at - this.#start) & (alignment - 1)) !== 0) {
      if (this.#view.getUint8(this.#take(1)) !== 0) throw this.violation("Padding", this.at - 1);
    }
  }

  readByte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  readBoolean(): boolean {
    const value = this.readUint32();
    if (value > 1) throw this.violation("Boolean", this.at - 4);
    return value === 1;
  }

  readInt16(): number {
    this.align(2);
    return this.#view.getInt16(this.#take(2), this.isLittleEndian);
  }

  readUint16(): number {
    this.align(2);
    return this.#view.getUint16(this.#take(2), this.isLittleEndian);
  }

  readInt32(): number {
    this.align(4);
    return this.#view.getInt32(this.#take(4), this.isLittleEndian);
  }

  readUint32(): number {
    this.align(4);
    return this.#view.getUint32(this.#take(4), this.isLittleEndian);
  }

  readBigInt64(): bigint {
    this.align(8);
    return this.#view.getBigInt64(this.#take(8), this.isLittleEndian);
  }

  readBigUint64(): bigint {
    this.align(8);
    return this.#view.getBigUint64(this.#take(8), this.isLittleEndian);
  }

  readDouble(): number {
    this.align(8);
    return this.#view.getFloat64(this.#take(8), this.isLittleEndian);
  }

  readString(): string {
    const length = this.readUint32();
    const at = this.#terminated(length);
    const known = rememberedText(this.#bytes, at, length);
    if (known !== null) return known;
    // Faster for short strings than TextDecoder, which is asked where Buffer leaves it open.
    let text = this.#textAt(at, length, "utf8");
    if (text.includes(REPLACEMENT)) {
      try {
        text = decoder.decode(this.#bytes.subarray(at, at + length));
      } catch {
        throw this.violation("Utf8", at - this.#start);
      }
    }
    if (text.includes("\0")) throw this.violation("Utf8", at - this.#start);
    rememberText(this.#bytes, at, length, text);
    return text;
  }

  readObjectPath(): string {
    const length = this.readUint32();
    const at = this.#terminated(length);
    const text = this.#asciiAt(at, length);
    if (!isObjectPath(text)) throw this.violation("ObjectPath", at - this.#start);
    return text;
  }

  readSignature(): string {
    const at = this.at;
    const length = this.readByte();
    const start = this.#terminated(length);
    if (length === 1) {
      const single = SINGLE_TYPES[this.#view.getUint8(start)];
      if (single !== undefined) return single;
    }
    const text = this.#asciiAt(start, length);
    if (!isValidSignature(text)) throw this.violation("Signature", at);
    return text;
  }

  /** Reads an array's length and the padding before its first element; returns where the array ends. */
  readArrayEnd(alignment: number): number {
    const length = this.readUint32();
    const lengthAt = this.at - 4;
    if (length > Limit.arrayBytes) throw this.violation("ArrayTooLong", lengthAt);
    this.align(alignment);
    const end = this.at + length;
    if (this.#start + end > this.#end) throw this.violation("NotEnoughData", lengthAt);
    return end;
  }

  /** A copy of the bytes up to `end`. */
  readBytesTo(end: number): Uint8Array {
    const byteLength = end - this.at;
    const at = this.#take(byteLength);
    // `slice` of a Buffer would be a view, and a Buffer.
    return new Uint8Array(this.#bytes.subarray(at, at + byteLength));
  }

  /** The bytes up to `end` as they lie there, not copied. */
  viewBytesTo(end: number): Uint8Array {
    const byteLength = end - this.at;
    const at = this.#take(byteLength);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, byteLength);
  }

  /** Throws unless the last byte has been read. */
  assertAtEnd(): void {
    if (this.#at !== this.#end) throw this.violation("TooMuchData", this.at);
  }

  /** The violation of which `code` is the key, found at `at`. */
  violation(code: keyof typeof BodyViolation, at: number): ProtocolViolation {
    return new ProtocolViolation(code, bodyViolationText(Violation[code]), this.#origin + at);
  }

  /** Where the next `byteLength` bytes lie, which a zero byte has to follow. */
  #terminated(byteLength: number): number {
    const at = this.#take(byteLength);
    if (this.readByte() !== 0) throw this.violation("Termination", this.at - 1);
    return at;
  }

  /** The text of bytes that are valid only if they are ASCII: others become characters no grammar has. */
  #asciiAt(at: number, length: number): string {
    const known = rememberedText(this.#bytes, at, length);
    if (known !== null) return known;
    const text = this.#textAt(at, length, "latin1");
    // A character beyond ASCII, or U+0000, is in no grammar, and must not be taken for a string's.
    if (IS_PLAIN.test(text)) rememberText(this.#bytes, at, length, text);
    return text;
  }

  #textAt(at: number, length: number, encoding: "utf8" | "latin1"): string {
    const { buffer, byteOffset } = this.#bytes;
    return Buffer.from(buffer, byteOffset + at, length).toString(encoding);
  }

  #take(byteLength: number): number {
    const at = this.#at;
    if (at + byteLength > this.#end) throw this.violation("NotEnoughData", this.at);
    this.#at += byteLength;
    return at;
  }
}
