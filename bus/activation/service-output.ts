/** What started services print: passed on to where this process prints, and remembered for a while. */

import { write } from "node:fs";
import { Socket } from "node:net";
import { type Readable, Writable } from "node:stream";

const TAIL_BYTES = 4096;
const TAIL_LINES = 5;
const RETRY_MS = 20;

/**
 * A descriptor of this process as a stream whose writes never block it: if nobody reads there, the service
 * waits, as it would with a descriptor of its own.
 */
function relayTo(descriptor: number): Writable {
  const relay = new Writable({
    write: (chunk: Buffer, _encoding, done) => writeAll(descriptor, chunk, done),
  });
  // Every service is a source of the same two.
  return relay.setMaxListeners(0);
}

/** Output that nobody can have any more is dropped: no reason for a service to stop. */
function writeAll(descriptor: number, chunk: Buffer, done: () => void): void {
  write(descriptor, chunk, (error, written) => {
    if (error?.code === "EAGAIN") {
      setTimeout(() => writeAll(descriptor, chunk, done), RETRY_MS).unref();
    } else if (error !== null || written === chunk.length) {
      done();
    } else {
      writeAll(descriptor, chunk.subarray(written), done);
    }
  });
}

let relays: { readonly stdout: Writable; readonly stderr: Writable } | null = null;

/** The end of what one service has printed, on whichever of the two. */
export class ServiceOutput {
  readonly #streams: readonly Readable[];
  #tail: Buffer = Buffer.alloc(0);

  /** What comes from standard output, and from standard error; null for one that there is none of. */
  constructor(streams: readonly [stdout: Readable | null, stderr: Readable | null]) {
    relays ??= { stdout: relayTo(1), stderr: relayTo(2) };
    const [stdout, stderr] = streams;
    this.#streams = streams.filter((stream) => stream !== null);
    for (const stream of this.#streams) {
      stream.on("data", this.#remember);
      // A service that is killed may leave a broken stream; that it has ended is told elsewhere.
      stream.on("error", () => {});
    }
    stdout?.pipe(relays.stdout, { end: false });
    stderr?.pipe(relays.stderr, { end: false });
  }

  /** Calls `ended` once, when nobody can print any more and all that was printed has been read. */
  whenEnded(ended: () => void): void {
    let open = this.#streams.filter((stream) => !stream.closed);
    if (open.length === 0) ended();
    for (const stream of open) {
      stream.once("close", () => {
        open = open.filter((other) => other !== stream);
        if (open.length === 0) ended();
      });
    }
  }

  /** Goes on passing everything on, remembers nothing, and keeps nobody from ending. */
  release(): void {
    for (const stream of this.#streams) {
      stream.off("data", this.#remember);
      if (stream instanceof Socket) stream.unref();
    }
    this.#tail = Buffer.alloc(0);
  }

  /** The last lines, oldest first, as text that fits into a log or an error. */
  get lastLines(): readonly string[] {
    return (
      this.#tail
        .toString()
        .split(/\r\n|\n|\r/)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would obey is for no log
        .map((line) => line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "").trim())
        .filter((line) => line !== "")
        .slice(-TAIL_LINES)
    );
  }

  readonly #remember = (chunk: Buffer): void => {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
  };
}
