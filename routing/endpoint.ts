/** Anything with an address that routing can deliver to: one shape for all of them. */

import type { Connection } from "../transport/connection.ts";
import type { Backlog } from "./backlog.ts";
import type { Payer } from "./ledger.ts";
import type { WaitingDescriptors } from "./waiting-descriptors.ts";

/**
 * A connection as routing sees it. Names are ids of the bus's string table; the directory keeps
 * `senders` true as names change owners.
 */
export class Endpoint {
  /** The connection's index; subscriptions and reply slots know the endpoint by it. */
  readonly index: number;
  readonly connection: Connection;
  // Multicast looks at the next three for each receiver: they share a cache line.
  /** Why it is to be disconnected when the current message has been routed, or "". */
  doom = "";
  /** The ledger's: up to so many bytes may wait here without its being asked. */
  freeBytes = 0;
  /** The most bytes that it has had waiting. */
  peakQueuedBytes = 0;
  /** The user at the other end; another one from the handshake on, if that says who it is. */
  payer: Payer;
  /** The accounting's: where it is among the payer's connections. */
  payerPosition = 0;
  /** The unique name, or "" before Hello. */
  uniqueName = "";
  /** 0 before Hello, and for a monitor, which has no name any more but the one it is addressed by. */
  uniqueId = 0;
  isMonitor = false;
  /** Length of the SENDER field, without padding, that is appended to messages from here. */
  senderFieldLength = 0;
  /** The unique name and every well-known name primarily owned, as ids: what `sender=` may say. */
  senders: Int32Array = new Int32Array(2);
  senderCount = 0;
  /** Serial of the last message that the bus itself sent here. */
  lastSerial = 0;
  /** Number of messages that were accepted from here. */
  acceptedCount = 0;
  /** Sequence number of the latest message accepted from here. */
  lastSequence = 0;
  /** The most match rules and names that it has had at a time, for Debug.Stats. */
  peakRules = 0;
  peakNames = 0;
  /** The most that it has had waiting for names being found, and that has waited for it. */
  peakPendingBytes = 0;
  peakPendingUnixFds = 0;
  peakQueuedUnixFds = 0;
  /** Messages from here that reached nobody, and messages for it that its full queue refused. */
  undeliveredCount = 0;
  missedCount = 0;
  /** Was the log told that its queue is full? Once is enough. */
  isReportedFull = false;

  /** Has it said Hello? A monitor has, though it is registered no more. */
  isCompleted = false;
  /** The ledger's: whose bytes wait here, while more than a few do. */
  backlog: Backlog | null = null;
  /** The ledger's: descriptors that may still wait in this process; null until the first ones. */
  descriptors: WaitingDescriptors | null = null;
  /** The ledger's: for so many replies it may wait without being asked again. */
  replyAllowance = 0;
  /** The ledger's: how many names and match rules its user was charged for. */
  chargedNames = 0;
  chargedRules = 0;

  constructor(connection: Connection, payer: Payer) {
    this.index = connection.index;
    this.connection = connection;
    this.payer = payer;
  }

  get isRegistered(): boolean {
    return this.uniqueId !== 0;
  }

  /** For the log: who this is, as far as it is known. */
  get description(): string {
    const { processId, userId } = this.connection.credentials;
    const name = this.uniqueName === "" ? "unregistered peer" : this.uniqueName;
    return `${name} (pid ${processId ?? "unknown"}, uid ${userId ?? "unknown"})`;
  }

  /** Descriptors that wait for it in this process, those of this turn not counted. */
  get queuedUnixFds(): number {
    return this.descriptors?.unsent(this.connection.unsentFrom()) ?? 0;
  }

  nextSerial(): number {
    this.lastSerial = this.lastSerial === 0xffffffff ? 1 : this.lastSerial + 1;
    return this.lastSerial;
  }

  addSender(id: number): void {
    if (this.senderCount === this.senders.length) {
      const longer = new Int32Array(this.senders.length * 2);
      longer.set(this.senders);
      this.senders = longer;
    }
    this.senders[this.senderCount++] = id;
  }

  removeSender(id: number): void {
    const { senders } = this;
    // From the end: who leaves gives up the newest name first.
    let at = this.senderCount - 1;
    while (at >= 0 && senders[at] !== id) at--;
    if (at < 0) return;
    this.senderCount--;
    for (; at < this.senderCount; at++) senders[at] = senders[at + 1] as number; // at + 1 ≤ senderCount
  }
}
