/** Hot path: all sockets of a bus through the addon: one callback per wake-up, one batch each way. */

import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import {
  type Addon,
  CloseReason,
  type Poller,
  RECORD_WORDS,
  RecordKind,
} from "../native/binding.ts";
import { Memory, SLACK_BYTES } from "../wire/memory.ts";
import type { Connection, ConnectionOwner, NativeLink } from "./connection.ts";
import { type Credentials, credentialsOf } from "./credentials.ts";
import { RECEIVE_BYTES, type Stage } from "./stage.ts";

const RECORD_CAPACITY = 512;
/** Bytes read from one connection in one turn: no flooder owns a turn; 64 KiB of body and its header fit. */
const READ_BYTES = 65536 + 4096;
/** Pieces up to this are copied together; larger ones go by reference, as in the measured prototype. */
const COPY_BYTES = 1024;
/** Messages longer than this are received into a buffer of their own. */
const LARGE_BYTES = 32768;
/** The first buffer for a large message: more is only allocated when this much has really arrived. */
const FIRST_LARGE_BYTES = 1 << 20;
/** Room for a header beside a body. */
const HEADER_BYTES = 4096;
/** Buffers of one size kept for reuse. */
const SPARE_BUFFERS = 8;
const LARGEST_SPARE_BYTES = FIRST_LARGE_BYTES + 2 * HEADER_BYTES;

const {
  Bytes: BYTES,
  Accepted: ACCEPTED,
  Closed: CLOSED,
  AcceptFailed: ACCEPT_FAILED,
  SegmentReleased: SEGMENT_RELEASED,
  SendFailed: SEND_FAILED,
  Descriptors: DESCRIPTORS,
  Dropped: DROPPED,
} = RecordKind;
const {
  EndOfStream: END_OF_STREAM,
  TooManyDescriptors: TOO_MANY_DESCRIPTORS,
  DescriptorsLost: DESCRIPTORS_LOST,
} = CloseReason;
const { EPIPE: BROKEN_PIPE, ECONNRESET: CONNECTION_RESET } = constants.errno;

/** What the owner of the listeners decides. */
export interface Acceptor {
  /** A socket was accepted; null refuses it. */
  accepted(slot: number, listener: number, credentials: Credentials): Connection | null;
  /** No more sockets can be accepted for now. */
  acceptFailed(listener: number, errorName: string): void;
}

/** Has this thread a transport that hosts its event loop? */
let hasHost = false;

/** A large message that is still arriving. */
interface Arrival {
  readonly memory: Memory;
  readonly total: number;
}

export class NativeTransport implements NativeLink {
  readonly poller: Poller;
  readonly #isHost: boolean;
  #isInTurn = false;
  readonly #addon: Addon;
  readonly #stage: Stage;
  readonly #owner: ConnectionOwner;
  readonly #acceptor: Acceptor;
  readonly #records: Int32Array;
  readonly #unsentBytes: Float64Array;
  readonly #unsentFrom: Float64Array;
  readonly #descriptorCounts: Int32Array;
  readonly #connections: (Connection | null)[] = [];
  readonly #arrivals: Map<number, Arrival> = new Map();
  readonly #segments: (Memory | null)[] = [];
  /** Unused buffers by size. */
  readonly #spare: Map<number, Memory[]> = new Map();

  constructor(
    addon: Addon,
    stage: Stage,
    owner: ConnectionOwner,
    acceptor: Acceptor,
    maxQueuedDescriptors: number,
    maxDescriptors: number,
    isHost: boolean,
  ) {
    if (isHost && hasHost)
      throw new Error("another bus hosts the event loop of this thread already");
    this.#addon = addon;
    this.#stage = stage;
    this.#owner = owner;
    this.#acceptor = acceptor;
    this.#records = new Int32Array(RECORD_WORDS * RECORD_CAPACITY);
    this.#unsentBytes = new Float64Array(stage.maxConnections);
    this.#unsentFrom = new Float64Array(stage.maxConnections);
    this.#descriptorCounts = new Int32Array(stage.maxConnections);
    this.poller = addon.createPoller({
      arena: stage.arena.buffer,
      receiveOffset: 0,
      receiveLength: RECEIVE_BYTES,
      records: this.#records,
      operations: stage.operations,
      maxSlots: stage.maxConnections,
      unsentBytes: this.#unsentBytes,
      unsentFrom: this.#unsentFrom,
      descriptorCounts: this.#descriptorCounts,
      isHost,
      readLimit: READ_BYTES,
      copyLimit: COPY_BYTES,
      maxQueuedDescriptors,
      maxDescriptors,
      onTurn: (recordCount: number) => {
        this.#isInTurn = true;
        try {
          return this.#turn(recordCount);
        } finally {
          this.#isInTurn = false;
        }
      },
    });
    stage.usePoller(this.poller);
    this.#isHost = isHost;
    hasHost ||= isHost;
  }

  /** Takes over a connected socket; `connect` makes its connection once the slot is known. */
  adopt(descriptor: number, connect: (slot: number) => Connection): Connection | number {
    const slot = this.poller.addConnection(descriptor);
    if (slot < 0) return slot;
    const connection = connect(slot);
    this.#connections[slot] = connection;
    return connection;
  }

  sendText(slot: number, text: string): void {
    const connection = this.#connections[slot] ?? null;
    if (connection === null) return;
    const stage = this.#stage;
    const { bytes } = stage.arena;
    const offset = stage.scratch(text.length);
    for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
    stage.message(stage.lastSequence, stage.arena, offset, text.length, 0, 0, stage.arena, 0, 0, 0);
    stage.to(connection);
  }

  unsentBytes(slot: number): number {
    return this.#unsentBytes[slot] as number; // slots are below maxSlots
  }

  unsentFrom(slot: number): number {
    return this.#unsentFrom[slot] as number; // slots are below maxSlots
  }

  unsentMessages(slot: number): number {
    return Math.max(this.poller.unsentMessages(slot), 0);
  }

  credentials(slot: number): Credentials {
    return credentialsOf(this.poller.credentials(slot), this.#addon);
  }

  setReading(slot: number, isReading: boolean): void {
    this.poller.setReading(slot, isReading);
  }

  close(slot: number): void {
    this.#connections[slot] = null;
    // What is staged in a turn is sure to be run at its end.
    if (this.#isInTurn) this.#stage.close(slot);
    else this.poller.close(slot);
    const arrival = this.#arrivals.get(slot);
    if (arrival === undefined) return;
    this.#arrivals.delete(slot);
    this.#spareBuffer(arrival.memory);
  }

  stop(): void {
    this.poller.stop();
    if (this.#isHost) hasHost = false;
  }

  #turn(recordCount: number): number {
    const records = this.#records;
    for (let i = 0; i < recordCount; i++) {
      const at = i * RECORD_WORDS;
      const slot = records[at] as number; // the addon wrote recordCount records
      switch (records[at + 1]) {
        case BYTES:
          this.#bytes(at, slot);
          break;
        case ACCEPTED:
          this.#accepted(at, slot);
          break;
        case CLOSED:
          this.#closed(slot, records[at + 6] as number); // as above
          break;
        case SEND_FAILED:
          this.#sendFailed(slot, records[at + 6] as number); // as above
          break;
        case DESCRIPTORS:
          this.#descriptors(slot);
          break;
        case DROPPED:
          this.#dropped(slot, records[at + 6] as number); // as above
          break;
        case ACCEPT_FAILED:
          this.#acceptor.acceptFailed(
            records[at + 2] as number,
            errorName(records[at + 6] as number),
          ); // as above
          break;
        case SEGMENT_RELEASED:
          this.#recycle(records[at + 2] as number); // as above
          break;
      }
    }
    this.#owner.turnEnded();
    return this.#stage.endTurn();
  }

  #bytes(at: number, slot: number): void {
    const records = this.#records;
    const connection = this.#connections[slot] ?? null;
    if (connection === null) return;
    const segment = records[at + 2] as number; // the addon wrote this record
    const offset = records[at + 3] as number; // as above
    const length = records[at + 4] as number; // as above
    if (segment > 0) {
      this.#arrived(connection, slot, segment, length);
      return;
    }
    const consumed = connection.input(this.#stage.arena, offset, offset + length);
    if (connection.waitingDescriptors !== this.#descriptorCounts[slot]) this.#descriptors(slot);
    records[at + 5] = consumed;
    if (connection.needed > LARGE_BYTES && !connection.isClosed) {
      this.#receiveLarge(slot, offset + consumed, length - consumed, connection.needed);
      records[at + 5] = length;
    }
  }

  /** There are more or fewer descriptors that no message has claimed. */
  #descriptors(slot: number): void {
    const connection = this.#connections[slot] ?? null;
    if (connection === null) return;
    const count = this.#descriptorCounts[slot] as number; // slots are below maxSlots
    const before = connection.waitingDescriptors;
    if (count === before) return;
    connection.waitingDescriptors = count;
    this.#owner.descriptorsWait(connection, count, before);
  }

  #dropped(slot: number, count: number): void {
    const connection = this.#connections[slot] ?? null;
    if (connection !== null) this.#owner.messagesDropped(connection, count);
  }

  /** The rest of a large message goes to a buffer of its own, which grows as bytes really arrive. */
  #receiveLarge(slot: number, offset: number, have: number, total: number): void {
    const memory = this.#buffer(Math.min(total, Math.max(FIRST_LARGE_BYTES, 2 * have)));
    memory.bytes.set(this.#stage.arena.bytes.subarray(offset, offset + have));
    this.#arrivals.set(slot, { memory, total });
    this.poller.receiveInto(
      slot,
      memory.segment,
      have,
      Math.min(total, memory.bytes.length - SLACK_BYTES),
    );
  }

  #arrived(connection: Connection, slot: number, segment: number, have: number): void {
    const arrival = this.#arrivals.get(slot);
    if (arrival === undefined || arrival.memory.segment !== segment) return;
    if (have < arrival.total) {
      const memory = this.#buffer(Math.min(arrival.total, 2 * have));
      memory.bytes.set(arrival.memory.bytes.subarray(0, have));
      this.#arrivals.set(slot, { memory, total: arrival.total });
      this.#spareBuffer(arrival.memory);
      const want = Math.min(arrival.total, memory.bytes.length - SLACK_BYTES);
      this.poller.receiveInto(slot, memory.segment, have, want);
      return;
    }
    this.#arrivals.delete(slot);
    this.#stage.stagedSegment = 0;
    connection.input(arrival.memory, 0, have);
    this.#descriptors(slot);
    // Only what is staged comes back with a SegmentReleased record.
    if (this.#stage.stagedSegment !== segment) this.#spareBuffer(arrival.memory);
  }

  #closed(slot: number, code: number): void {
    const connection = this.#connections[slot] ?? null;
    if (connection === null) return;
    if (code === END_OF_STREAM || code === CONNECTION_RESET) connection.hungUp();
    else if (code === TOO_MANY_DESCRIPTORS)
      connection.close("it sent more descriptors than may wait");
    else if (code === DESCRIPTORS_LOST) {
      connection.close("its descriptors could not be received: this process has too many open");
    } else connection.close(`cannot receive: ${errorName(code)}`);
  }

  /** A peer that is gone is noticed by its end of stream, after what it sent before has been routed. */
  #sendFailed(slot: number, code: number): void {
    if (code === BROKEN_PIPE || code === CONNECTION_RESET) return;
    this.#connections[slot]?.close(`cannot send: ${errorName(code)}`);
  }

  #accepted(at: number, slot: number): void {
    const records = this.#records;
    const listener = records[at + 2] as number; // the addon wrote this record
    const connection = this.#acceptor.accepted(slot, listener, {
      processId: records[at + 3] as number, // as above
      userId: (records[at + 4] as number) >>> 0, // as above
      groupId: (records[at + 5] as number) >>> 0, // as above
      groups: null,
      securityLabel: null,
      processDescriptor: null,
    });
    if (connection === null) {
      this.#stage.close(slot);
      return;
    }
    this.#connections[slot] = connection;
  }

  #buffer(byteLength: number): Memory {
    // A body that is a power of two long fits with its header.
    const size =
      2 ** Math.ceil(Math.log2(Math.max(1, byteLength - HEADER_BYTES))) + 2 * HEADER_BYTES;
    const spare = this.#spare.get(size)?.pop();
    if (spare !== undefined) return spare;
    const memory = new Memory(new ArrayBuffer(size));
    memory.segment = this.poller.addSegment(memory.buffer);
    this.#segments[memory.segment] = memory;
    return memory;
  }

  /** The addon sends nothing from this segment any more. */
  #recycle(segment: number): void {
    const memory = this.#segments[segment] ?? null;
    // A memory that the stage showed to the addon (a long message of a stream) is for one use.
    if (memory === null) this.poller.removeSegment(segment);
    else this.#spareBuffer(memory);
  }

  /** Keeps a buffer that nothing refers to for the next large message, or lets it go. */
  #spareBuffer(memory: Memory): void {
    const size = memory.bytes.length;
    const spare = this.#spare.get(size) ?? [];
    if (spare.length < SPARE_BUFFERS && size <= LARGEST_SPARE_BYTES) {
      this.#spare.set(size, spare);
      spare.push(memory);
    } else {
      this.#segments[memory.segment] = null;
      this.poller.removeSegment(memory.segment);
    }
  }
}

function errorName(code: number): string {
  // getSystemErrorName knows libuv's errors only, and ETOOMANYREFS is not one of them.
  const found = Object.entries(constants.errno).find(([, number]) => number === code);
  return found === undefined ? getSystemErrorName(-code) : found[0];
}
