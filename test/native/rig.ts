/** A poller whose records are written down, and sockets to talk to it, for the tests of this folder. */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "@jest/globals";
import {
  type Addon,
  loadAddon,
  OPERATION_WORDS,
  type Poller,
  type PollerOptions,
  RECORD_WORDS,
  RecordKind,
} from "../../native/binding.ts";

export const addon: Addon = loadAddon();

const folder = dirname(fileURLToPath(import.meta.url));

/** Which file `addon` came from, for child processes and threads. */
export const addonFile: string = process.env["ONEHOP_ADDON"]
  ? resolve(process.env["ONEHOP_ADDON"])
  : join(folder, "../../native/build/onehop.node");

/** A script in test/native/programs. */
export function program(name: string): string {
  return join(folder, "programs", name);
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** The descriptor that a function which may also return -errno has given. */
export function opened(fd: number): number {
  expect(fd).toBeGreaterThanOrEqual(0);
  return fd;
}

export function pair(): readonly [number, number] {
  const result = addon.socketPair();
  if (typeof result === "number") throw new Error(`socketpair: ${result}`);
  return result;
}

/** What a record said, with its bytes copied out. */
export interface Seen {
  readonly slot: number;
  readonly kind: number;
  readonly words: readonly number[];
  readonly bytes: Uint8Array;
}

/** A part of a message: bytes for the arena, or a range of a segment. */
export type Piece = Uint8Array | { segment: number; offset: number; length: number };

const NOTHING: Piece = new Uint8Array(0);
const RECEIVE_LENGTH = 1 << 20;
const SCRATCH_LENGTH = 1 << 22;

export class Rig {
  readonly poller: Poller;
  readonly arena: Uint8Array;
  readonly records: Int32Array;
  readonly operations: Int32Array;
  readonly unsentBytes: Float64Array;
  readonly unsentFrom: Float64Array;
  readonly descriptorCounts: Int32Array;
  readonly seen: Seen[] = [];
  /** Called with each record; a number lowers what is consumed of a Bytes record. */
  onRecord: (seen: Seen, rig: Rig) => number | undefined = () => undefined;
  /** Called at the end of each turn that had records. */
  onTurn: () => void = () => undefined;
  readonly segments = new Map<number, Uint8Array>();
  #words = 0;
  #scratch = RECEIVE_LENGTH;
  #waiting: (() => void)[] = [];

  constructor(options: Partial<PollerOptions> & { recordCapacity?: number } = {}) {
    const maxSlots = options.maxSlots ?? 64;
    const arena = new ArrayBuffer(RECEIVE_LENGTH + SCRATCH_LENGTH);
    this.arena = new Uint8Array(arena);
    this.records = new Int32Array((options.recordCapacity ?? 64) * RECORD_WORDS);
    this.operations = new Int32Array(1 << 17);
    this.unsentBytes = new Float64Array(maxSlots);
    this.unsentFrom = new Float64Array(maxSlots);
    this.descriptorCounts = new Int32Array(maxSlots);
    this.poller = addon.createPoller({
      arena,
      receiveOffset: 0,
      receiveLength: RECEIVE_LENGTH,
      records: this.records,
      operations: this.operations,
      maxSlots,
      unsentBytes: this.unsentBytes,
      unsentFrom: this.unsentFrom,
      descriptorCounts: this.descriptorCounts,
      isHost: false,
      readLimit: 65536,
      copyLimit: 1024,
      maxQueuedDescriptors: 300,
      maxDescriptors: 1000,
      onTurn: (count) => this.#turn(count),
      ...options,
    });
  }

  /** A connection of this poller and the raw descriptor of its other end. */
  connect(): { slot: number; peer: number } {
    const [ours, peer] = pair();
    return { slot: opened(this.poller.addConnection(ours)), peer };
  }

  segment(byteLength: number): number {
    const buffer = new ArrayBuffer(byteLength);
    const number = this.poller.addSegment(buffer);
    expect(number).toBeGreaterThan(0);
    this.segments.set(number, new Uint8Array(buffer));
    return number;
  }

  /** Stages an operation; in a turn it runs when the turn ends, else with `flush`. */
  stage(
    to: number | readonly number[],
    sequence: number,
    head: Piece,
    middle: Uint8Array = new Uint8Array(0),
    tail: Piece = NOTHING,
    set = 0,
  ): void {
    const slots = typeof to === "number" ? [to] : to;
    const operation = this.operations.subarray(this.#words);
    const [headSegment, headOffset, headLength] = this.#place(head);
    const [, middleOffset, middleLength] = this.#place(middle);
    const [tailSegment, tailOffset, tailLength] = this.#place(tail);
    operation.set([typeof to === "number" ? to : -slots.length, sequence | 0]);
    operation.set([headSegment, headOffset, headLength, middleOffset, middleLength], 2);
    operation.set([tailSegment, tailOffset, tailLength, set], 7);
    this.#words += OPERATION_WORDS;
    if (typeof to === "number") return;
    operation.set(slots, OPERATION_WORDS);
    this.#words += slots.length;
  }

  flush(): void {
    this.poller.flush(this.#takeWords());
  }

  /** Waits for turns until this holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((done) => this.#waiting.push(done));
  }

  /** What was read from a slot so far. */
  input(slot: number): Uint8Array {
    return Buffer.concat(
      this.seen
        .filter((seen) => seen.slot === slot && seen.kind === RecordKind.Bytes)
        .map((seen) => seen.bytes),
    );
  }

  kinds(kind: RecordKind): Seen[] {
    return this.seen.filter((seen) => seen.kind === kind);
  }

  #turn(count: number): number {
    for (let at = 0; at < count * RECORD_WORDS; at += RECORD_WORDS) {
      const words = [...this.records.subarray(at, at + RECORD_WORDS)];
      const [slot = 0, kind = 0, segment = 0, offset = 0, length = 0] = words;
      const memory = segment > 0 ? this.segments.get(segment) : this.arena;
      const bytes =
        kind === RecordKind.Bytes && memory
          ? memory.slice(offset, offset + length)
          : new Uint8Array(0);
      const seen = { slot, kind, words, bytes };
      this.seen.push(seen);
      const consumed = this.onRecord(seen, this);
      if (consumed !== undefined) this.records[at + 5] = consumed;
    }
    this.onTurn();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
    return this.#takeWords();
  }

  #takeWords(): number {
    const words = this.#words;
    this.#words = 0;
    this.#scratch = RECEIVE_LENGTH;
    return words;
  }

  #place(piece: Piece): [number, number, number] {
    if (!(piece instanceof Uint8Array)) return [piece.segment, piece.offset, piece.length];
    const offset = this.#scratch;
    this.arena.set(piece, offset);
    this.#scratch += piece.length;
    return [0, offset, piece.length];
  }
}

/** Reads what has arrived at a raw descriptor, up to `most` bytes; closes descriptors it gets. */
export function drain(fd: number, most = 1 << 30): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let length = 0; length < most; ) {
    const into = new Uint8Array(Math.min(65536, most - length));
    const { byteLength, descriptors } = addon.receive(fd, into, 253);
    for (const descriptor of descriptors) addon.closeDescriptor(descriptor);
    if (byteLength <= 0) break;
    chunks.push(into.subarray(0, byteLength));
    length += byteLength;
  }
  return Buffer.concat(chunks);
}

/** Bytes that differ from place to place. */
export function pattern(byteLength: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let state = seed * 2654435761;
  for (let i = 0; i < byteLength; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
