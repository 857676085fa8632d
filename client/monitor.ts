/** Everything that passes over a bus, to iterate over, with a bound on what is kept. */

import { AsyncQueue } from "./async-queue.ts";
import type { ReceivedMessage } from "./received-message.ts";

export interface MonitorOptions {
  /**
   * Bytes of messages that are kept while nobody takes them; default 8 MiB. Beyond that the connection is not
   * read, and the bus keeps what it can, and disconnects the monitor in the end.
   */
  readonly maxBufferedBytes?: number;
}

export interface MonitoredMessage {
  /** Its arguments are made when `body` is first asked for; its descriptors have been closed already. */
  readonly message: ReceivedMessage;
  /** The whole message as it came, in bytes of its own. */
  readonly bytes: Uint8Array;
  /** When it was read, in microseconds since 1970. */
  readonly receivedMicroseconds: number;
}

/** The connection of a monitor. */
export interface MonitoredConnection {
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

const DEFAULT_MAX_BUFFERED_BYTES = 8 << 20;

/** Leaving the loop, `return` or disposing closes the client, which is good for nothing else now. */
export class Monitor implements AsyncIterableIterator<MonitoredMessage, undefined> {
  readonly #queue: AsyncQueue<MonitoredMessage> = new AsyncQueue();
  readonly #connection: MonitoredConnection;
  readonly #maxBufferedBytes: number;
  #bufferedBytes = 0;
  #isPaused = false;

  /** Use `Client.becomeMonitor`. */
  constructor(connection: MonitoredConnection, options: MonitorOptions) {
    this.#connection = connection;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
  }

  /** Bytes of messages that nobody has taken. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** For the client: a message has come. */
  take(message: ReceivedMessage, bytes: Uint8Array): void {
    const monitored = { message, bytes, receivedMicroseconds: nowMicroseconds() };
    this.#bufferedBytes += bytes.length;
    this.#queue.push(monitored);
    if (this.#bufferedBytes < this.#maxBufferedBytes || this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pause();
  }

  /** For the client: the connection is no more. */
  end(error: unknown): void {
    this.#queue.end(error);
  }

  async next(): Promise<IteratorResult<MonitoredMessage, undefined>> {
    const result = await this.#queue.next();
    if (result.done !== true) this.#bufferedBytes -= result.value.bytes.length;
    if (this.#isPaused && 2 * this.#bufferedBytes <= this.#maxBufferedBytes) {
      this.#isPaused = false;
      this.#connection.resume();
    }
    return result;
  }

  async return(): Promise<IteratorResult<MonitoredMessage, undefined>> {
    await this.#connection.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** Beyond this the two clocks have gone apart: the machine slept, or its clock was set. */
const MAX_DRIFT_MS = 2;
let originMs = performance.timeOrigin;

/** The time of day, finer than Date tells it. */
function nowMicroseconds(): number {
  const sinceOriginMs = performance.now();
  const nowMs = Date.now();
  if (Math.abs(originMs + sinceOriginMs - nowMs) > MAX_DRIFT_MS) originMs = nowMs - sinceOriginMs;
  return Math.round((originMs + sinceOriginMs) * 1000);
}
