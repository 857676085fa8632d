/** Hot path: where routed messages wait for the end of the turn, and the arena they lie in. */

import type { Poller } from "../native/binding.ts";
import { Memory, SLACK_BYTES } from "../wire/memory.ts";
import { SENDER_FIELD_BYTES } from "../wire/stitch.ts";
import type { Connection } from "./connection.ts";

/** What all connections together may deliver in one turn. */
export const RECEIVE_BYTES: number = 4 << 20;
/** Room for messages that the bus itself makes in one turn, before it flushes early. */
const SCRATCH_BYTES = 1 << 20;
/** One SENDER field per byte order for each connection. */
const SENDER_BYTES = 2 * SENDER_FIELD_BYTES;

/** Int32 words of an operation, see native/binding.ts. */
const OPERATION_WORDS = 11;
const OPERATION_CAPACITY = 1 << 16;
const CLOSE_CONNECTION = -1;

/**
 * The arena: one ArrayBuffer, known to the addon as segment 0.
 *
 *     [ received bytes of this turn | SENDER fields by connection | scratch | slack ]
 *
 * Received bytes live until the end of the turn; what cannot be sent by then is copied out by whoever
 * writes to the socket. Pages that nobody touches cost nothing, so the sizes are generous.
 */
export class Stage {
  readonly arena: Memory;
  readonly operations: Int32Array;
  readonly maxConnections: number;
  /** The segment of the addon that was staged last; whoever wants to know sets it to 0 before. */
  stagedSegment = 0;
  /** Counts flushes, so that per-turn sums on connections need no clearing. */
  turn = 1;
  readonly #senderOffset: number;
  readonly #scratchOffset: number;
  readonly #scratchEnd: number;
  #scratchAt: number;
  #poller: Poller | null = null;
  #words = 0;
  /** Where the operation of the message being staged starts, or -1 before its first native receiver. */
  #operation = -1;
  /** Connections without a socket of the addon that got something this turn. */
  #outlets: Connection[] = [];

  #sequence = 0;
  #head: Memory;
  #headOffset = 0;
  #headLength = 0;
  #middleOffset = 0;
  #middleLength = 0;
  #tail: Memory;
  #tailOffset = 0;
  #tailLength = 0;
  #descriptors = 0;
  /** The message as one piece, made for the first receiver that is not the addon's. */
  #copy: Uint8Array | null = null;

  constructor(maxConnections: number) {
    this.maxConnections = maxConnections;
    this.#senderOffset = RECEIVE_BYTES;
    this.#scratchOffset = this.#senderOffset + maxConnections * SENDER_BYTES;
    this.#scratchEnd = this.#scratchOffset + SCRATCH_BYTES;
    this.#scratchAt = this.#scratchOffset;
    this.arena = new Memory(new ArrayBuffer(this.#scratchEnd + SLACK_BYTES), 0);
    this.operations = new Int32Array(OPERATION_CAPACITY);
    this.#head = this.arena;
    this.#tail = this.arena;
  }

  /** From now on connections with a slot are written by this poller. */
  usePoller(poller: Poller): void {
    this.#poller = poller;
  }

  /** Where the SENDER field of a connection lies in the arena. */
  senderOffset(connectionIndex: number, isLittleEndian: boolean): number {
    const offset = this.#senderOffset + connectionIndex * SENDER_BYTES;
    return isLittleEndian ? offset : offset + SENDER_FIELD_BYTES;
  }

  /** The most that one message may take of the scratch area. */
  readonly scratchMessageBytes: number = SCRATCH_BYTES / 2;

  /** Eight-byte-aligned room in the arena for a message that the bus makes; flushes if it is used up. */
  scratch(byteLength: number): number {
    const needed = (byteLength + SLACK_BYTES + 7) & ~7;
    if (this.#scratchAt + needed > this.#scratchEnd) this.flush();
    const offset = this.#scratchAt;
    this.#scratchAt += needed;
    return offset;
  }

  /** The message that the following `to` calls send: up to three pieces, the middle one in the arena. */
  message(
    sequence: number,
    head: Memory,
    headOffset: number,
    headLength: number,
    middleOffset: number,
    middleLength: number,
    tail: Memory,
    tailOffset: number,
    tailLength: number,
    descriptors: number,
  ): void {
    this.#sequence = sequence;
    this.#head = head;
    this.#headOffset = headOffset;
    this.#headLength = headLength;
    this.#middleOffset = middleOffset;
    this.#middleLength = middleLength;
    this.#tail = tail;
    this.#tailOffset = tailOffset;
    this.#tailLength = tailLength;
    this.#descriptors = descriptors;
    this.#operation = -1;
    this.#copy = null;
  }

  /** Sequence number of the message staged last, for bytes that are no message (the handshake). */
  get lastSequence(): number {
    return this.#sequence;
  }

  /** Bytes of the current message. */
  get messageLength(): number {
    return this.#headLength + this.#middleLength + this.#tailLength;
  }

  /** Stages the current message for one more receiver. */
  to(connection: Connection): void {
    const { slot } = connection;
    if (slot >= 0 && this.#words + OPERATION_WORDS + 2 > OPERATION_CAPACITY) this.#flushNative();
    if (connection.stagedTurn !== this.turn) {
      connection.stagedTurn = this.turn;
      connection.stagedBytes = 0;
    }
    connection.stagedBytes += this.#headLength + this.#middleLength + this.#tailLength;
    if (slot < 0) {
      this.#toOutlet(connection);
      return;
    }
    const words = this.operations;
    const start = this.#operation;
    if (start >= 0) {
      const count = words[start] as number; // written below
      if (count >= 0) {
        words[start] = -2;
        words[this.#words++] = count;
      } else {
        words[start] = count - 1;
      }
      words[this.#words++] = slot;
      return;
    }
    const at = this.#words;
    this.#operation = at;
    words[at] = slot;
    words[at + 1] = this.#sequence | 0;
    words[at + 2] = this.#nativeSegment(this.#head);
    words[at + 3] = this.#headOffset;
    words[at + 4] = this.#headLength;
    words[at + 5] = this.#middleOffset;
    words[at + 6] = this.#middleLength;
    words[at + 7] = this.#nativeSegment(this.#tail);
    words[at + 8] = this.#tailOffset;
    words[at + 9] = this.#tailLength;
    words[at + 10] = this.#descriptors;
    this.#words = at + OPERATION_WORDS;
  }

  /** Closes what has this slot, behind what was staged for it. */
  close(slot: number): void {
    if (this.#words + OPERATION_WORDS > OPERATION_CAPACITY) this.#flushNative();
    const at = this.#words;
    this.#operation = -1;
    this.operations[at] = CLOSE_CONNECTION;
    this.operations[at + 1] = slot;
    this.#words = at + OPERATION_WORDS;
  }

  /** A set of the `count` oldest descriptors that came over `connection`, for this turn; negative if too few. */
  takeDescriptors(connection: Connection, count: number): number {
    return this.#poller === null ? -1 : this.#poller.takeDescriptors(connection.slot, count);
  }

  /** A set of descriptors that the caller gives away, for this turn. */
  putDescriptors(descriptors: readonly number[]): number {
    return this.#poller === null ? -1 : this.#poller.putDescriptors(descriptors);
  }

  /** Keeps a set beyond the turn, until `releaseDescriptors`. */
  retainDescriptors(set: number): void {
    this.#poller?.retainDescriptors(set);
  }

  releaseDescriptors(set: number): void {
    this.#poller?.releaseDescriptors(set);
  }

  /** Sends what is staged now; in the middle of a turn only when room runs out. */
  flush(): void {
    this.#flushNative();
    this.endTurn();
  }

  /**
   * Ends the turn for everything but the native operations, and returns how many words of those
   * there are: the poller runs them when the turn's callback returns.
   */
  endTurn(): number {
    const outlets = this.#outlets;
    if (outlets.length > 0) {
      this.#outlets = [];
      for (const connection of outlets) connection.outlet?.flush();
    }
    const words = this.#words;
    this.#words = 0;
    this.#operation = -1;
    this.#scratchAt = this.#scratchOffset;
    this.turn++;
    return words;
  }

  #flushNative(): void {
    if (this.#words === 0) return;
    const words = this.#words;
    this.#words = 0;
    this.#operation = -1;
    // What was staged is now either sent or counted as unsent.
    this.turn++;
    this.#poller?.flush(words);
  }

  #toOutlet(connection: Connection): void {
    if (this.#copy === null) {
      const copy = new Uint8Array(this.messageLength);
      const middle = this.#headLength;
      const tail = middle + this.#middleLength;
      copy.set(piece(this.#head, this.#headOffset, this.#headLength));
      copy.set(piece(this.arena, this.#middleOffset, this.#middleLength), middle);
      copy.set(piece(this.#tail, this.#tailOffset, this.#tailLength), tail);
      this.#copy = copy;
    }
    const outlet = connection.outlet;
    if (outlet === null) return;
    if (outlet.write(this.#copy, this.#sequence)) this.#outlets.push(connection);
  }

  /** A memory from elsewhere (a large message of a stream) is shown to the addon once it is needed. */
  #nativeSegment(memory: Memory): number {
    if (memory.segment < 0 && this.#poller !== null) {
      memory.segment = this.#poller.addSegment(memory.buffer);
    }
    if (memory.segment > 0) this.stagedSegment = memory.segment;
    return memory.segment;
  }
}

function piece(memory: Memory, offset: number, length: number): Uint8Array {
  return memory.bytes.subarray(offset, offset + length);
}
