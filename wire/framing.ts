/** A stream of chunks → whole messages, for clients and tests. */

import { messageLength } from "./message-codec.ts";
import { FIXED_HEADER_BYTES, Limit } from "./protocol.ts";

const INITIAL_BYTES = 4096;

/** Puts the chunks of one stream together and cuts it where messages end. */
export class MessageFramer {
  readonly #limit: number;
  #buffer: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  /** Messages longer than `maximumBytes` are violations. */
  constructor(maximumBytes: number = Limit.messageBytes) {
    this.#limit = maximumBytes;
  }

  /** Bytes of the message that is not complete yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  /**
   * The messages that `chunk` completes, in order, each in bytes of its own.
   *
   * Throws a `ProtocolViolation` if one claims to be longer than allowed or starts with an unknown
   * byte order; the stream is lost then.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#append(chunk);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (this.#length - at >= FIXED_HEADER_BYTES) {
      const byteLength = messageLength(this.#buffer.subarray(at, this.#length), this.#limit);
      if (byteLength > this.#length - at) break;
      messages.push(this.#buffer.slice(at, at + byteLength));
      at += byteLength;
    }
    this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    return messages;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }
}
