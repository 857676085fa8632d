/** A growing buffer that aligns what is written to it. */

const INITIAL_BYTES = 256;
/** So few bytes are copied faster one by one than by a view that has to be made first. */
const COPY_LOOP_BYTES = 128;
/** So few characters are looked at and written faster one by one than by an encoder. */
const SHORT_TEXT = 64;
const encoder = new TextEncoder();

/** Writes values one behind the other; alignment counts from the first byte. */
export class Writer {
  readonly isLittleEndian: boolean;
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(isLittleEndian: boolean) {
    this.isLittleEndian = isLittleEndian;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written; valid until more is. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Copies what was written to `target`. */
  copyTo(target: Uint8Array, offset: number): void {
    if (this.#length > COPY_LOOP_BYTES) target.set(this.bytes, offset);
    else for (let i = 0; i < this.#length; i++) target[offset + i] = this.#bytes[i] as number; // below length
  }

  /** Forgets what was written and starts anew in the same buffer. */
  reset(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }

  /** Writes zero bytes up to the next multiple of `alignment`, a power of two. */
  align(alignment: number): void {
    this.#skip(-this.#length & (alignment - 1));
  }

  writeByte(value: number): void {
    const at = this.#skip(1);
    this.#view.setUint8(at, value);
  }

  writeInt16(value: number): void {
    this.align(2);
    const at = this.#skip(2);
    this.#view.setInt16(at, value, this.isLittleEndian);
  }

  writeUint16(value: number): void {
    this.align(2);
    const at = this.#skip(2);
    this.#view.setUint16(at, value, this.isLittleEndian);
  }

  writeInt32(value: number): void {
    this.align(4);
    const at = this.#skip(4);
    this.#view.setInt32(at, value, this.isLittleEndian);
  }

  writeUint32(value: number): void {
    this.align(4);
    const at = this.#skip(4);
    this.#view.setUint32(at, value, this.isLittleEndian);
  }

  writeBigInt64(value: bigint): void {
    this.align(8);
    const at = this.#skip(8);
    this.#view.setBigInt64(at, value, this.isLittleEndian);
  }

  writeBigUint64(value: bigint): void {
    this.align(8);
    const at = this.#skip(8);
    this.#view.setBigUint64(at, value, this.isLittleEndian);
  }

  writeDouble(value: number): void {
    this.align(8);
    const at = this.#skip(8);
    this.#view.setFloat64(at, value, this.isLittleEndian);
  }

  /** A STRING or OBJECT_PATH. The text has no lone surrogates and no U+0000. */
  writeString(text: string): void {
    if (this.writeShortAscii(text)) return;
    this.align(4);
    const lengthAt = this.#skip(4);
    this.#reserve(3 * text.length + 1);
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#length));
    this.#view.setUint32(lengthAt, written, this.isLittleEndian);
    this.#skip(written + 1);
  }

  /** The same, if it is short, of ASCII alone and without U+0000, as most are; false if nothing was written. */
  writeShortAscii(text: string): boolean {
    const { length } = text;
    if (length > SHORT_TEXT) return false;
    const lengthAt = this.#length + (-this.#length & 3);
    const at = lengthAt + 4;
    this.#reserve(at + length + 1 - this.#length);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 0x7f) {
        bytes.fill(0, at, at + i);
        return false;
      }
      bytes[at + i] = code;
    }
    this.#view.setUint32(lengthAt, length, this.isLittleEndian);
    this.#length = at + length + 1;
    return true;
  }

  /** A SIGNATURE of at most 255 characters, which are ASCII. */
  writeSignature(text: string): void {
    this.writeByte(text.length);
    for (let i = 0; i < text.length; i++) this.writeByte(text.charCodeAt(i));
    this.writeByte(0);
  }

  /** `bytes` as they are, without alignment or length. */
  writeBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Replaces the four bytes at `at`, which were written before. */
  setUint32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.isLittleEndian);
  }

  /** Makes room of zero bytes; returns where it starts. May replace the view: ask for that afterwards. */
  #skip(byteLength: number): number {
    this.#reserve(byteLength);
    const at = this.#length;
    this.#length += byteLength;
    return at;
  }

  #reserve(byteLength: number): void {
    const needed = this.#length + byteLength;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
