/** The bytes of a capture file → the messages in it. */

import { type CapturedMessage, CaptureError, type CaptureFormat } from "./captured-message.ts";
import { PcapFormat } from "./pcap.ts";
import { PcapngFormat } from "./pcapng.ts";

const INITIAL_BYTES = 4096;
const MAGIC_BYTES = 4;

/**
 * The messages of a pcap or pcapng file, whose bytes may be cut anywhere; a file stream of Node does as `chunks`.
 *
 * Throws a `CaptureError` where the file cannot be read any further: what was given before stays good.
 * Keeps one message at a time, of at most 128 MiB, and only those bytes of it that have come.
 */
export async function* readCapture(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<CapturedMessage, void> {
  const blocks = new Blocks();
  for await (const chunk of chunks) yield* blocks.push(chunk);
  blocks.end();
}

class Blocks {
  #format: CaptureFormat | null = null;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  #length = 0;
  /** Where in the file the buffer begins. */
  #byteOffset = 0;

  /** The messages that `chunk` completes; all must be taken before the next `push`. */
  *push(chunk: Uint8Array): Generator<CapturedMessage> {
    this.#append(chunk);
    let at = 0;
    for (;;) {
      const byteLength = this.#nextBlock(at);
      if (byteLength === 0) break;
      const block = new DataView(this.#buffer.buffer, at, byteLength);
      const message = this.#format?.readBlock(block, this.#byteOffset + at) ?? null;
      if (message !== null) yield message;
      at += byteLength;
    }
    this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    this.#byteOffset += at;
  }

  /** The file ends here, which must not be within a block. */
  end(): void {
    if (this.#format === null) throw notACapture();
    if (this.#length > 0) {
      throw new CaptureError(
        "Truncated",
        `the file ends within what begins at byte ${this.#byteOffset}`,
        this.#byteOffset + this.#length,
      );
    }
  }

  /** How long the block at `at` is, or 0 if it is not complete. */
  #nextBlock(at: number): number {
    const available = this.#length - at;
    if (this.#format === null) {
      if (available < MAGIC_BYTES) return 0;
      this.#format = formatOf(new DataView(this.#buffer.buffer, at, MAGIC_BYTES));
    }
    const { headByteLength } = this.#format;
    if (available < headByteLength) return 0;
    const head = new DataView(this.#buffer.buffer, at, headByteLength);
    const byteLength = this.#format.blockByteLength(head, this.#byteOffset + at);
    return byteLength > available ? 0 : byteLength;
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

function formatOf(magic: DataView): CaptureFormat {
  if (PcapngFormat.isMagic(magic)) return new PcapngFormat();
  const format = PcapFormat.of(magic);
  if (format === null) throw notACapture();
  return format;
}

function notACapture(): CaptureError {
  return new CaptureError("NotACapture", "this is neither a pcap nor a pcapng file", 0);
}
