/** A block of bytes that messages lie in, with both views that the hot path reads it through. */

/** Bytes that may be read (not written) past the end of any message: hashing reads whole words. */
export const SLACK_BYTES = 16;

/**
 * One ArrayBuffer and its views, made once and kept for as long as the buffer lives, because making
 * views is the dearest thing that a hot path could do with it.
 *
 * `segment` is the number by which the native addon knows the buffer (0 is the arena), or -1 if it
 * has never heard of it.
 */
export class Memory {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  segment: number;

  constructor(buffer: ArrayBuffer, segment = -1) {
    this.buffer = buffer;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.segment = segment;
  }

  /** A memory that holds a copy of `bytes` and the slack that readers rely on. */
  static of(bytes: Uint8Array): Memory {
    const memory = new Memory(new ArrayBuffer(bytes.length + SLACK_BYTES));
    memory.bytes.set(bytes);
    return memory;
  }
}
