/** A stream that is written to no faster than it is read. */

import { once } from "node:events";
import type { Writable } from "node:stream";

export class Output {
  readonly #stream: Writable;
  #error: Error | null = null;

  /** @throws the stream's error from `write` and `end`, unless it only says that nobody reads any more */
  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error: Error) => {
      this.#error ??= error;
    });
  }

  /** Resolves when there is room for more: with true, or with false if nobody reads any more. */
  async write(data: string | Uint8Array, stop: AbortSignal): Promise<boolean> {
    if (this.#error === null && !this.#stream.write(data)) {
      await once(this.#stream, "drain", { signal: stop }).catch(() => {});
    }
    return this.#isOpen();
  }

  /** Resolves when all that was written has left. Does not end standard output, which is not ours. */
  async end(): Promise<void> {
    if (this.#stream === process.stdout || this.#error !== null) return;
    await new Promise<void>((resolve) => this.#stream.end(resolve));
    this.#isOpen();
  }

  #isOpen(): boolean {
    if (this.#error === null) return true;
    if ("code" in this.#error && this.#error.code === "EPIPE") return false;
    throw this.#error;
  }
}
