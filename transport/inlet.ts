/** Chunks of a stream or of memory into the arena, and the incomplete rest kept for next time. */

import { Memory } from "../wire/memory.ts";
import type { Connection } from "./connection.ts";
import { RECEIVE_BYTES, type Stage } from "./stage.ts";

/**
 * The way in for a connection without a socket of the addon.
 *
 * Bytes are copied into the arena (or, for a long message, into a memory of their own), because
 * routing reads messages there; what a connection does not consume is kept.
 */
export class Inlet {
  readonly #stage: Stage;
  #chunks: Uint8Array[] = [];
  #byteLength = 0;
  /** Bytes below which another attempt is useless. */
  #needed = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Bytes that have arrived and are not consumed. */
  get waitingBytes(): number {
    return this.#byteLength;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#byteLength += bytes.length;
  }

  /** Feeds the connection all that it takes. */
  deliver(connection: Connection): void {
    while (this.#byteLength > 0 && this.#byteLength >= this.#needed) {
      if (connection.isPaused || connection.isClosed) return;
      const memory = this.#gather();
      const length = this.#byteLength;
      const consumed = connection.input(memory, 0, length);
      // Staged messages refer to these bytes, which the next chunk overwrites.
      this.#stage.flush();
      this.#needed = connection.needed;
      this.#byteLength = length - consumed;
      this.#chunks = this.#byteLength > 0 ? [memory.bytes.slice(consumed, length)] : [];
      if (consumed === 0) return;
    }
  }

  /** The bytes that wait, as one piece. */
  snapshot(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  #gather(): Memory {
    const long = this.#byteLength > RECEIVE_BYTES;
    const memory = long ? Memory.of(new Uint8Array(this.#byteLength)) : this.#stage.arena;
    let at = 0;
    for (const chunk of this.#chunks) {
      memory.bytes.set(chunk, at);
      at += chunk.length;
    }
    return memory;
  }
}
