/** A connection inside this process: no socket, no addon, the same path through the bus. */

import type { Connection, ConnectionOwner, Outlet } from "./connection.ts";
import { Inlet } from "./inlet.ts";
import type { Stage } from "./stage.ts";

interface Chunk {
  readonly bytes: Uint8Array;
  readonly sequence: number;
}

/** What a live memory connection holds between its two ends. */
export interface MemorySnapshot {
  /** Written by the peer, not yet consumed by the bus. */
  readonly input: Uint8Array;
  /** Sent by the bus, not yet read by the peer. */
  readonly output: readonly Chunk[];
}

/**
 * Two ends of a byte stream in one process. Each direction is delivered in a microtask of its own,
 * in the order of writing, so that neither side is ever called back from inside its own call.
 */
export class MemoryTransport implements Outlet {
  readonly #connection: Connection;
  readonly #owner: ConnectionOwner;
  readonly #stage: Stage;
  readonly #inlet: Inlet;
  readonly #end: MemoryEnd;
  #output: Chunk[] = [];
  #staged = 0;
  #unsentBytes = 0;
  #isInputScheduled = false;
  #isOutputScheduled = false;
  #isReading = true;
  #isPeerReading = true;
  #isClosing = false;
  #isHungUp = false;
  #isOver = false;

  constructor(
    connection: Connection,
    stage: Stage,
    owner: ConnectionOwner,
    record: MemorySnapshot | null,
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.#stage = stage;
    this.#inlet = new Inlet(stage);
    this.#end = new MemoryEnd(this);
    connection.outlet = this;
    if (record !== null) {
      for (const chunk of record.output) {
        this.#output.push(chunk);
        this.#unsentBytes += chunk.bytes.length;
      }
      this.#scheduleOutput();
      this.push(record.input);
    }
  }

  /** The peer's end. */
  get end(): MemoryEnd {
    return this.#end;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get unsentFrom(): number {
    return this.#output[0]?.sequence ?? 0;
  }

  get unsentMessages(): number {
    return this.#output.length;
  }

  write(bytes: Uint8Array, sequence: number): boolean {
    this.#output.push({ bytes, sequence });
    this.#unsentBytes += bytes.length;
    return this.#staged++ === 0;
  }

  flush(): void {
    this.#staged = 0;
    this.#scheduleOutput();
  }

  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (isReading) this.#scheduleInput();
  }

  close(): void {
    this.#isClosing = true;
    this.#scheduleOutput();
  }

  /** The peer wrote. */
  push(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#inlet.push(bytes);
    this.#scheduleInput();
  }

  /** The peer takes output, or not. */
  setPeerReading(isReading: boolean): void {
    this.#isPeerReading = isReading;
    if (isReading) this.#scheduleOutput();
  }

  /** The peer closed its end and gets nothing more; what it wrote before is still routed. */
  hangUp(): void {
    this.#isHungUp = true;
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#connection.hungUp();
      this.#owner.turnEnded();
      this.#stage.flush();
    });
  }

  snapshot(): MemorySnapshot {
    return { input: this.#inlet.snapshot(), output: [...this.#output] };
  }

  #scheduleInput(): void {
    if (this.#isInputScheduled) return;
    this.#isInputScheduled = true;
    queueMicrotask(() => {
      this.#isInputScheduled = false;
      if (!this.#isReading || this.#connection.isClosed) return;
      this.#inlet.deliver(this.#connection);
      this.#owner.turnEnded();
      this.#stage.flush();
    });
  }

  #scheduleOutput(): void {
    if (this.#isOutputScheduled || this.#isOver) return;
    this.#isOutputScheduled = true;
    queueMicrotask(() => {
      this.#isOutputScheduled = false;
      while (this.#isPeerReading && !this.#isHungUp) {
        const chunk = this.#output.shift();
        if (chunk === undefined) break;
        this.#unsentBytes -= chunk.bytes.length;
        this.#end.onBytes(chunk.bytes);
      }
      if (this.#isClosing && this.#output.length === 0 && !this.#isOver) {
        this.#isOver = true;
        this.#end.onClose();
      }
    });
  }
}

/** The peer's end of a memory connection. */
export class MemoryEnd {
  /** Called with what the bus sends, in order. Set it before the first `write`. */
  onBytes: (bytes: Uint8Array) => void = () => {};
  /** Called once when the bus has closed the connection. */
  onClose: () => void = () => {};
  readonly #transport: MemoryTransport;

  constructor(transport: MemoryTransport) {
    this.#transport = transport;
  }

  /** Sends bytes to the bus; they are delivered in a microtask. The caller must not change them afterwards. */
  write(bytes: Uint8Array): void {
    this.#transport.push(bytes);
  }

  /** Stops or resumes taking what the bus sends; it queues meanwhile, within the bus's limits. */
  setReading(isReading: boolean): void {
    this.#transport.setPeerReading(isReading);
  }

  /** Ends the connection; `onBytes` is not called any more. */
  close(): void {
    this.#transport.hangUp();
  }
}
