/** An aligned, bounds-checked cursor over bytes that a peer sent. */

import { isObjectPath } from "./object-path.ts";
import { Limit } from "./protocol.ts";
import { isSignature } from "./signature.ts";
import { type BodyViolation, bodyViolationText, BodyViolation as Violation } from "./validate.ts";
import { ProtocolViolation } from "./violation.ts";

/** So few bytes are looked at and read faster one by one than by a decoder. */
const SHORT_TEXT = 48;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads values one behind the other; alignment counts from the first of `bytes`. What is wrong is
 * thrown as a `ProtocolViolation` whose code is a key of `BodyViolation`.
 */
export class Reader {
  readonly isLittleEndian: boolean;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Offset in the message of the first byte, for violations. */
  readonly #origin: number;
  #at = 0;

  constructor(bytes: Uint8Array, isLittleEndian: boolean, origin = 0) {
    this.isLittleEndian = isLittleEndian;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#origin = origin;
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  /** Reads the zero bytes up to the next multiple of `alignment`, a power of two. */
  align(alignment: number): void {
    if ((this.#at & (alignment - 1)) === 0) return;
    while (this.#at % alignment !== 0) {
      if (this.#view.getUint8(this.#take(1)) !== 0) throw this.violation("Padding", this.#at - 1);
    }
  }

  readByte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  readBoolean(): boolean {
    const value = this.readUint32();
    if (value > 1) throw this.violation("Boolean", this.#at - 4);
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
    const at = this.#at;
    this.#skipTerminated(length);
    const short = this.#shortAscii(at, length);
    if (short !== null) return short;
    let text: string;
    try {
      text = decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.violation("Utf8", at);
    }
    if (text.includes("\0")) throw this.violation("Utf8", at);
    return text;
  }

  readObjectPath(): string {
    const length = this.readUint32();
    const at = this.#at;
    this.#skipTerminated(length);
    const text = this.#asciiText(at, length);
    if (!isObjectPath(text)) throw this.violation("ObjectPath", at);
    return text;
  }

  readSignature(): string {
    const at = this.#at;
    const length = this.readByte();
    this.#skipTerminated(length);
    const text = this.#asciiText(at + 1, length);
    if (!isSignature(text)) throw this.violation("Signature", at);
    return text;
  }

  /** Reads an array's length and the padding before its first element; returns where the array ends. */
  readArrayEnd(alignment: number): number {
    const length = this.readUint32();
    const lengthAt = this.#at - 4;
    if (length > Limit.arrayBytes) throw this.violation("ArrayTooLong", lengthAt);
    this.align(alignment);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw this.violation("NotEnoughData", lengthAt);
    return end;
  }

  /** A copy of the bytes up to `end`. */
  readBytesTo(end: number): Uint8Array {
    const byteLength = end - this.#at;
    const at = this.#take(byteLength);
    // `slice` of a Buffer would be a view, and a Buffer.
    return new Uint8Array(this.#bytes.subarray(at, at + byteLength));
  }

  /** The bytes up to `end` as they lie there, not copied. */
  viewBytesTo(end: number): Uint8Array {
    const byteLength = end - this.#at;
    const at = this.#take(byteLength);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, byteLength);
  }

  /** Throws unless the last byte has been read. */
  assertAtEnd(): void {
    if (this.#at !== this.#bytes.length) throw this.violation("TooMuchData", this.#at);
  }

  /** The violation of which `code` is the key, found at `at`. */
  violation(code: keyof typeof BodyViolation, at: number): ProtocolViolation {
    return new ProtocolViolation(code, bodyViolationText(Violation[code]), this.#origin + at);
  }

  /** Goes over `byteLength` bytes and the zero byte behind them. */
  #skipTerminated(byteLength: number): void {
    this.#take(byteLength);
    if (this.readByte() !== 0) throw this.violation("Termination", this.#at - 1);
  }

  /** The text at `at` if it is short, of ASCII alone and without U+0000, or null. */
  #shortAscii(at: number, byteLength: number): string | null {
    if (byteLength > SHORT_TEXT) return null;
    let text = "";
    for (let i = at; i < at + byteLength; i++) {
      const code = this.#bytes[i] as number; // taken before
      if (code === 0 || code > 0x7f) return null;
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** The text of bytes that are valid only if they are ASCII: others become characters no grammar has. */
  #asciiText(at: number, byteLength: number): string {
    return (
      this.#shortAscii(at, byteLength) ?? latin1.decode(this.#bytes.subarray(at, at + byteLength))
    );
  }

  #take(byteLength: number): number {
    const at = this.#at;
    if (at + byteLength > this.#bytes.length) throw this.violation("NotEnoughData", at);
    this.#at += byteLength;
    return at;
  }
}

const latin1 = new TextDecoder("latin1");
