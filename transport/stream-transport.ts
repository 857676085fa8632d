/** A connection over node:net: without the addon, and without descriptors. */

import type { Socket } from "node:net";
import type { Connection, ConnectionOwner, Outlet } from "./connection.ts";
import { Inlet } from "./inlet.ts";
import { NonceGate } from "./listening/nonce.ts";
import type { Stage } from "./stage.ts";

/** Where one written message ends, counted in bytes since the connection began. */
interface Mark {
  readonly end: number;
  readonly sequence: number;
}

/** Writes what is staged for a net socket with one `writev` per turn. */
export class StreamOutlet implements Outlet {
  readonly #socket: Socket;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writtenBytes = 0;
  readonly #marks: Mark[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get unsentBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  /** As exact as node tells: a write that the kernel has taken in part counts as not taken. */
  get unsentFrom(): number {
    this.#forgetSent();
    return this.#marks[0]?.sequence ?? 0;
  }

  get unsentMessages(): number {
    this.#forgetSent();
    return this.#marks.length;
  }

  write(bytes: Uint8Array, sequence: number): boolean {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#marks.push({ end: this.#writtenBytes + this.#queuedBytes, sequence });
    return this.#queue.length === 1;
  }

  flush(): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#writtenBytes += this.#queuedBytes;
    this.#queuedBytes = 0;
    this.#socket.cork();
    for (const bytes of queue) this.#socket.write(bytes);
    this.#socket.uncork();
    this.#forgetSent();
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  /** What the kernel does not take now is dropped: the peer may never read again. */
  close(): void {
    this.flush();
    this.#socket.destroy();
  }

  #forgetSent(): void {
    const sent = this.#writtenBytes - this.#socket.writableLength;
    let done = 0;
    for (const mark of this.#marks) {
      if (mark.end > sent) break;
      done++;
    }
    this.#marks.splice(0, done);
  }
}

/**
 * Lets `connection` read from and write to `socket` until either ends. What comes first has to be `nonce`,
 * if there is one.
 */
export function attachStream(
  connection: Connection,
  socket: Socket,
  stage: Stage,
  owner: ConnectionOwner,
  nonce: Uint8Array | null = null,
): void {
  const gate = nonce === null ? null : new NonceGate(nonce);
  const inlet = new Inlet(stage);
  connection.outlet = new StreamOutlet(socket);
  const deliver = (): void => {
    inlet.deliver(connection);
    owner.turnEnded();
    stage.flush();
  };
  socket.on("data", (chunk: Buffer) => {
    const passed = gate === null ? chunk : gate.pass(chunk);
    if (passed === null) connection.close("it does not know the nonce");
    else inlet.push(passed);
    deliver();
  });
  // Paused in the middle of a chunk: what was kept goes first.
  socket.on("resume", deliver);
  socket.on("error", (error: NodeJS.ErrnoException) => {
    // A peer that left is noticed by the end of its stream.
    if (error.code === "EPIPE" || error.code === "ECONNRESET") return;
    connection.close(`cannot receive or send: ${error.message}`);
  });
  socket.on("close", () => {
    connection.hungUp();
    owner.turnEnded();
    stage.flush();
  });
}
