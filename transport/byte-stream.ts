/** A connection over any two-way stream of bytes in this process, such as the end of a memory connection. */

import type { Connection, ConnectionOwner, Outlet } from "./connection.ts";
import { Inlet } from "./inlet.ts";
import type { Stage } from "./stage.ts";

/** What such a stream can do. It never calls back from inside one of its own functions. */
export interface ByteStream {
  /** Set by whoever uses the stream, before the first `write`. */
  onBytes: (bytes: Uint8Array) => void;
  /** Called once when the other side has closed the stream. */
  onClose: () => void;
  /** The caller does not change the bytes afterwards. */
  write(bytes: Uint8Array): void;
  setReading(isReading: boolean): void;
  close(): void;
}

/** Lets `connection` read from and write to `stream` until either ends. */
export function attachByteStream(
  connection: Connection,
  stream: ByteStream,
  stage: Stage,
  owner: ConnectionOwner,
): void {
  const inlet = new Inlet(stage);
  const deliver = (): void => {
    inlet.deliver(connection);
    owner.turnEnded();
    stage.flush();
  };
  connection.outlet = new ByteStreamOutlet(stream, deliver);
  stream.onBytes = (bytes) => {
    inlet.push(bytes);
    deliver();
  };
  stream.onClose = () => {
    connection.hungUp();
    owner.turnEnded();
    stage.flush();
  };
}

/** The stream takes all that is written, so that nothing ever waits here. */
class ByteStreamOutlet implements Outlet {
  readonly unsentBytes = 0;
  readonly unsentFrom = 0;
  readonly unsentMessages = 0;
  readonly #stream: ByteStream;
  readonly #deliver: () => void;

  constructor(stream: ByteStream, deliver: () => void) {
    this.#stream = stream;
    this.#deliver = deliver;
  }

  write(bytes: Uint8Array, _sequence: number): boolean {
    this.#stream.write(bytes);
    return false;
  }

  flush(): void {}

  setReading(isReading: boolean): void {
    this.#stream.setReading(isReading);
    // What came before reading stopped goes first.
    if (isReading) queueMicrotask(this.#deliver);
  }

  close(): void {
    this.#stream.close();
  }
}
