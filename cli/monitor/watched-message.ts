/** A message that has passed over a bus: seen just now, or read from a capture file. */

import type { MessageHeader } from "../../wire/message.ts";

export interface WatchedMessage {
  /** Its arguments are made when they are first asked for. */
  readonly message: MessageHeader & { readonly body: readonly unknown[] };
  /** The whole message as it came. */
  readonly bytes: Uint8Array;
  /** Since 1970-01-01 UTC. */
  readonly timeMicroseconds: number;
}
