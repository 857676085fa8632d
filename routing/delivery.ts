/** Hot path: the message in hand, given to its receivers; who cannot take more is disconnected afterwards. */

import type { Stage } from "../transport/stage.ts";
import { appendSender } from "../wire/stitch.ts";
import type { RoutingCounters } from "./counters.ts";
import type { Directory } from "./directory.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Intake } from "./intake.ts";
import { type Ledger, Verdict } from "./ledger.ts";
import type { RoutingLimits } from "./limits.ts";
import type { Sequence } from "./sequence.ts";

const { Admitted: ADMITTED } = Verdict;

export class Delivery {
  readonly #stage: Stage;
  readonly #directory: Directory;
  readonly #intake: Intake;
  readonly #sequence: Sequence;
  readonly #limits: RoutingLimits;
  readonly #counters: RoutingCounters;
  readonly #ledger: Ledger;
  readonly #withheld: (sender: Endpoint, receiver: Endpoint) => void;
  readonly #disconnect: (receiver: Endpoint, reason: string) => void;
  /** Was the last answer of `isFull` for the sender's user alone? Others may still have something queued. */
  isShareSpent = false;
  /**
   * Receivers to disconnect when the current message is done, and not before: a departure is itself
   * a change of names with messages to others, and must not happen in the middle of another one.
   */
  readonly #doomed: Endpoint[] = [];

  constructor(
    stage: Stage,
    directory: Directory,
    intake: Intake,
    sequence: Sequence,
    limits: RoutingLimits,
    counters: RoutingCounters,
    ledger: Ledger,
    withheld: (sender: Endpoint, receiver: Endpoint) => void,
    disconnect: (receiver: Endpoint, reason: string) => void,
  ) {
    this.#stage = stage;
    this.#directory = directory;
    this.#intake = intake;
    this.#sequence = sequence;
    this.#limits = limits;
    this.#counters = counters;
    this.#ledger = ledger;
    this.#withheld = withheld;
    this.#disconnect = disconnect;
  }

  /** Stages the message in hand with its sender's name stitched in. */
  stageMessage(sender: Endpoint): void {
    const { header } = this.#intake;
    const stage = this.#stage;
    const memory = header.memory;
    appendSender(header, sender.senderFieldLength);
    stage.message(
      sender.lastSequence,
      memory,
      header.offset,
      header.headerLength,
      stage.senderOffset(sender.index, header.isLittleEndian),
      (sender.senderFieldLength + 7) & ~7,
      memory,
      header.bodyOffset,
      header.bodyLength,
      this.#intake.descriptorSet,
    );
  }

  /**
   * Gives the staged message of `sender`, null for the bus, to the first `count` of `receivers`, which are
   * indexes. A full queue ends the receiver's connection, except if it is full for the sender's user alone.
   */
  toReceivers(
    sender: Endpoint | null,
    receivers: Int32Array,
    count: number,
    unixFds: number,
    except: Endpoint | null,
  ): void {
    let delivered = 0;
    for (let i = 0; i < count; i++) {
      const receiver = this.#directory.at(receivers[i] as number); // match filled in count of them
      if (receiver === null || receiver === except) continue;
      if (unixFds !== 0 && !receiver.connection.passesDescriptors) continue;
      if (this.isFull(receiver, sender, unixFds)) {
        if (this.isShareSpent && sender !== null) {
          receiver.missedCount++;
          this.#withheld(sender, receiver);
          continue;
        }
        const what = receiver.isMonitor ? "what it monitors" : "the signals that it subscribed to";
        this.doom(receiver, `it does not read ${what}`);
        continue;
      }
      this.#stage.to(receiver.connection);
      delivered++;
    }
    this.#counters.delivered += delivered;
  }

  /** Is there no room for the staged message in the queue of `receiver`? Its descriptors count from now on. */
  isFull(receiver: Endpoint, sender: Endpoint | null, unixFds = 0): boolean {
    this.isShareSpent = false;
    // Who has missed one message must not be given a later one.
    if (receiver.doom !== "") return true;
    const stage = this.#stage;
    const queued = receiver.connection.queuedBytes(stage.turn);
    const bytes = queued + stage.messageLength;
    if (bytes > receiver.freeBytes) {
      const verdict = this.#ledger.chargeBytes(receiver, sender, stage.messageLength, queued);
      if (verdict !== ADMITTED) return this.#refuse(verdict);
    }
    if (bytes > receiver.peakQueuedBytes) receiver.peakQueuedBytes = bytes;
    if (unixFds === 0) return false;
    const { last } = this.#sequence;
    const verdict = this.#ledger.chargeDescriptors(receiver, sender, unixFds, last, stage.turn);
    return verdict !== ADMITTED && this.#refuse(verdict);
  }

  /** `receiver` missed what it must not miss: it is disconnected when the current message is done. */
  doom(receiver: Endpoint, reason: string): void {
    if (receiver.doom !== "") return;
    this.#counters.slowReceivers++;
    const queued = receiver.connection.queuedBytes(this.#stage.turn);
    receiver.doom = `${reason}: ${queued} bytes wait, ${this.#limits.maxOutgoingBytes} may`;
    this.#doomed.push(receiver);
  }

  disconnectDoomed(): void {
    while (this.#doomed.length > 0) {
      const receiver = this.#doomed.shift();
      if (receiver !== undefined) this.#disconnect(receiver, receiver.doom);
    }
  }

  #refuse(verdict: Verdict): boolean {
    this.isShareSpent = verdict === Verdict.ShareSpent;
    return true;
  }
}
