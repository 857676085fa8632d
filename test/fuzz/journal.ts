/** The input in hand, written where another process finds it when this one hangs or dies. */

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

const HEAD_BYTES = 8;
/** Longer than any target allows. */
const MOST_BYTES = 1 << 20;

export class Journal {
  readonly #fd: number;
  readonly #buffer: Buffer;
  #count = 0;

  constructor(file: string) {
    this.#fd = openSync(file, "w");
    this.#buffer = Buffer.alloc(HEAD_BYTES + MOST_BYTES);
  }

  /** From now on `input` is to blame. */
  note(input: Uint8Array): void {
    this.#buffer.writeUInt32LE(++this.#count, 0);
    this.#buffer.writeUInt32LE(input.length, 4);
    this.#buffer.set(input, HEAD_BYTES);
    writeSync(this.#fd, this.#buffer, 0, HEAD_BYTES + input.length, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** What a journal says: how many inputs there were, and the last of them. */
export function readJournal(file: string): { count: number; input: Uint8Array } {
  const bytes = readFileSync(file);
  if (bytes.length < HEAD_BYTES) return { count: 0, input: new Uint8Array(0) };
  const length = bytes.readUInt32LE(4);
  return {
    count: bytes.readUInt32LE(0),
    input: Uint8Array.from(bytes.subarray(HEAD_BYTES, HEAD_BYTES + length)),
  };
}
