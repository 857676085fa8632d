/** Hot path: bytes of names and paths to small integers, so that no message makes a string. */

import { Buffer } from "node:buffer";
import { Memory, SLACK_BYTES } from "./memory.ts";
import { outgrown } from "./outgrown.ts";
import { randomWord } from "./random.ts";

/** Strings nobody holds are forgotten, all at once, when there are more of them than this … */
const LOOSE_COUNT_LIMIT = 16384;
/** … or when they take more bytes than this. Hostile names can therefore not grow the table. */
const LOOSE_BYTE_LIMIT = 4 << 20;
/** Both limits are higher where more than so many times as much is held: what it takes to forget grows with that. */
const HELD_PER_LOOSE = 4;

const INITIAL_IDS = 1024;
const INITIAL_SLOTS = 2048;
/** Of so many slots one is left empty at least, so that a search ends soon. */
const SLOTS_PER_EMPTY = 4;
/** So many slots move to the larger table with each new string, so that none waits for all of them. */
const SLOTS_PER_MOVE = 4;
const NO_SLOTS = new Int32Array(0);
/** Texts are made once for the ids that were asked for last, if they are no longer than this. */
const CACHED_TEXTS = 1024;
const CACHED_TEXT_BYTES = 1024;
const INITIAL_BYTES = 1 << 16;
/** Keeps the bytes of a last word that belong to the string, by its length modulo 4. */
const TAIL_MASK = new Int32Array([0, 0xff, 0xffff, 0xffffff]);

/**
 * The string table of one bus.
 *
 * An id is a small positive integer; 0 is "no such string". `hold` and `release` count references;
 * `intern` inserts without holding. A loose (unheld) id stays valid until the next `sweep`, which
 * the router calls between messages only. Bytes are hashed with a secret of the table, so that no
 * peer can craft collisions.
 */
export class Strings {
  readonly #seed: number = randomWord() >>> 1;
  /** A hash table: an id in the low bits, which are as many as the index has; the hash in those above; or 0. */
  #slots: Int32Array = new Int32Array(INITIAL_SLOTS);
  #mask: number = INITIAL_SLOTS - 1;
  /** The table before it grew, whole, until all of its slots have moved; then empty. */
  #oldSlots: Int32Array = NO_SLOTS;
  #movedSlots = 0;
  #lengths: Int32Array = new Int32Array(INITIAL_IDS);
  #offsets: Int32Array = new Int32Array(INITIAL_IDS);
  #references: Int32Array = new Int32Array(INITIAL_IDS);
  /** What a string is known to be valid as; see `StringKind` in header.ts. 0 until it was asked. */
  #kinds: Uint8Array = new Uint8Array(INITIAL_IDS);
  readonly #texts: string[] = new Array<string>(CACHED_TEXTS).fill("");
  readonly #textIds: Int32Array = new Int32Array(CACHED_TEXTS);
  #free: number[] = [];
  #next = 1;
  #store: Memory = new Memory(new ArrayBuffer(INITIAL_BYTES));
  #storeEnd = 0;
  #looseCount = 0;
  #looseBytes = 0;
  #lastHash = 0;
  #scratch: Memory = new Memory(new ArrayBuffer(4096 + SLACK_BYTES));

  /** How many ids may exist, for arrays indexed by id; grows. */
  get capacity(): number {
    return this.#lengths.length;
  }

  /** Strings in the table. */
  get size(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** The id of these bytes, or 0 if the table has never seen them. */
  find(memory: Memory, offset: number, length: number): number {
    const hash = this.#hash(memory.view, offset, length);
    this.#lastHash = hash;
    const id = this.#findIn(this.#slots, hash, memory, offset, length);
    if (id !== 0 || this.#oldSlots === NO_SLOTS) return id;
    return this.#findIn(this.#oldSlots, hash, memory, offset, length);
  }

  #findIn(slots: Int32Array, hash: number, memory: Memory, offset: number, length: number): number {
    const view = memory.view;
    const mask = slots.length - 1;
    const store = this.#store.view;
    const wordsEnd = offset + (length & ~3);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = word(slots, slot);
      if (found === 0) return 0;
      const id = found & mask;
      if (((found ^ hash) & ~mask) !== 0 || word(this.#lengths, id) !== length) continue;
      let theirs = word(this.#offsets, id);
      let ours = offset;
      for (; ours < wordsEnd; ours += 4, theirs += 4) {
        if (store.getInt32(theirs, true) !== view.getInt32(ours, true)) break;
      }
      if (ours < wordsEnd) continue;
      if ((length & 3) === 0) return id;
      const tail = view.getInt32(ours, true) & word(TAIL_MASK, length & 3);
      if (store.getInt32(theirs, true) === tail) return id;
    }
  }

  #hash(view: DataView, offset: number, length: number): number {
    const wordsEnd = offset + (length & ~3);
    let hash = Math.imul(length, 0x9e3779b1) ^ this.#seed;
    let at = offset;
    for (; at < wordsEnd; at += 4) {
      hash = Math.imul(hash ^ view.getInt32(at, true), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    const tail = (length & 3) === 0 ? 0 : view.getInt32(at, true) & word(TAIL_MASK, length & 3);
    hash = Math.imul(hash ^ tail, 0xc2b2ae35);
    return hash ^ (hash >>> 13);
  }

  /** The id of these bytes; inserted, not held, if new. */
  intern(memory: Memory, offset: number, length: number): number {
    const id = this.find(memory, offset, length);
    return id === 0 ? this.#insert(memory, offset, length) : id;
  }

  /** The id of `text`, or 0. */
  findText(text: string): number {
    const length = this.#write(text);
    return this.find(this.#scratch, 0, length);
  }

  /** The id of `text`, held once more until `release`. */
  hold(text: string): number {
    const length = this.#write(text);
    const id = this.intern(this.#scratch, 0, length);
    this.retain(id);
    return id;
  }

  /** Holds a string that is in the table already. */
  retain(id: number): void {
    const references = word(this.#references, id);
    if (references === 0) {
      this.#looseCount--;
      this.#looseBytes -= word(this.#lengths, id);
    }
    this.#references[id] = references + 1;
  }

  /** Undoes one `hold` or `retain`. */
  release(id: number): void {
    const references = word(this.#references, id) - 1;
    if (references < 0) throw new Error(`string ${id} was released more often than held`);
    this.#references[id] = references;
    if (references === 0) {
      this.#looseCount++;
      this.#looseBytes += word(this.#lengths, id);
    }
  }

  textOf(id: number): string {
    if (id === 0) return "";
    const at = id % CACHED_TEXTS;
    if (word(this.#textIds, at) === id) return this.#texts[at] as string; // at is below its length
    const length = word(this.#lengths, id);
    const { buffer } = this.#store.bytes;
    const text = Buffer.from(buffer, word(this.#offsets, id), length).toString("utf8");
    if (length <= CACHED_TEXT_BYTES) {
      this.#textIds[at] = id;
      this.#texts[at] = text;
    }
    return text;
  }

  /** Does the string begin with these bytes? */
  startsWith(id: number, memory: Memory, offset: number, length: number): boolean {
    if (word(this.#lengths, id) < length) return false;
    const { bytes } = this.#store;
    const start = word(this.#offsets, id);
    for (let i = 0; i < length; i++) {
      if (bytes[start + i] !== memory.bytes[offset + i]) return false;
    }
    return true;
  }

  /** Bytes of the string. */
  lengthOf(id: number): number {
    return word(this.#lengths, id);
  }

  kindsOf(id: number): number {
    return word(this.#kinds, id);
  }

  addKind(id: number, kind: number): void {
    this.#kinds[id] = word(this.#kinds, id) | kind;
  }

  /** Forgets all loose strings if there are too many of them; true if it did: loose ids are then invalid. */
  sweep(): boolean {
    const held = this.#storeEnd - this.#looseBytes;
    const count = Math.max(LOOSE_COUNT_LIMIT, (this.size - this.#looseCount) / HELD_PER_LOOSE);
    const bytes = Math.max(LOOSE_BYTE_LIMIT, held / HELD_PER_LOOSE);
    if (this.#looseCount < count && this.#looseBytes < bytes) return false;
    const old = this.#store;
    this.#store = new Memory(new ArrayBuffer(Math.max(INITIAL_BYTES, held * 2)));
    this.#storeEnd = 0;
    for (let id = 1; id < this.#next; id++) {
      const length = word(this.#lengths, id);
      if (length < 0) continue;
      if (word(this.#references, id) === 0) {
        this.#forget(id);
        continue;
      }
      const offset = word(this.#offsets, id);
      this.#store.bytes.set(old.bytes.subarray(offset, offset + length), this.#storeEnd);
      this.#offsets[id] = this.#storeEnd;
      this.#storeEnd = padded(this.#storeEnd + length);
    }
    this.#looseCount = 0;
    this.#looseBytes = 0;
    this.#rehash();
    return true;
  }

  #forget(id: number): void {
    this.#lengths[id] = -1;
    const at = id % CACHED_TEXTS;
    if (word(this.#textIds, at) === id) {
      this.#textIds[at] = 0;
      this.#texts[at] = "";
    }
    this.#kinds[id] = 0;
    this.#free.push(id);
  }

  #insert(memory: Memory, offset: number, length: number): number {
    if (this.#free.length === 0 && this.#next === this.#lengths.length) this.#grow();
    const slotCount = this.#slots.length;
    if (this.#oldSlots !== NO_SLOTS) this.#moveSlots(SLOTS_PER_MOVE);
    if (this.size >= slotCount - slotCount / SLOTS_PER_EMPTY) this.#growSlots();
    const id = this.#free.pop() ?? this.#next++;
    this.#lengths[id] = length;
    this.#references[id] = 0;
    this.#kinds[id] = 0;
    const end = padded(this.#storeEnd + length);
    if (end + SLACK_BYTES > this.#store.bytes.length) this.#growStore(end);
    this.#store.bytes.set(memory.bytes.subarray(offset, offset + length), this.#storeEnd);
    // The last word is compared whole, so what follows the string in it must be zero.
    this.#store.bytes.fill(0, this.#storeEnd + length, end);
    this.#offsets[id] = this.#storeEnd;
    this.#storeEnd = end;
    this.#looseCount++;
    this.#looseBytes += length;
    this.#place(id, this.#lastHash);
    return id;
  }

  #place(id: number, hash: number): void {
    let slot = hash & this.#mask;
    while (word(this.#slots, slot) !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = (hash & ~this.#mask) | id;
  }

  #grow(): void {
    const capacity = this.#lengths.length * 2;
    this.#lengths = grown(this.#lengths, capacity);
    this.#offsets = grown(this.#offsets, capacity);
    this.#references = grown(this.#references, capacity);
    const kinds = new Uint8Array(capacity);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
  }

  #growSlots(): void {
    this.#moveSlots(this.#oldSlots.length);
    this.#oldSlots = this.#slots;
    this.#movedSlots = 0;
    this.#slots = new Int32Array(2 * this.#oldSlots.length);
    this.#mask = this.#slots.length - 1;
  }

  #moveSlots(count: number): void {
    const old = this.#oldSlots;
    const end = Math.min(this.#movedSlots + count, old.length);
    for (let slot = this.#movedSlots; slot < end; slot++) {
      const id = word(old, slot) & (old.length - 1);
      if (id === 0) continue;
      const hash = this.#hash(this.#store.view, word(this.#offsets, id), word(this.#lengths, id));
      this.#place(id, hash);
    }
    this.#movedSlots = end;
    if (end < old.length || old === NO_SLOTS) return;
    outgrown(old);
    this.#oldSlots = NO_SLOTS;
  }

  /** Fills the table anew with all strings. */
  #rehash(): void {
    this.#slots.fill(0);
    this.#oldSlots = NO_SLOTS;
    for (let id = 1; id < this.#next; id++) {
      const length = word(this.#lengths, id);
      if (length < 0) continue;
      this.#place(id, this.#hash(this.#store.view, word(this.#offsets, id), length));
    }
  }

  #growStore(needed: number): void {
    const store = new Memory(new ArrayBuffer(Math.max(needed + SLACK_BYTES, this.#storeEnd * 2)));
    store.bytes.set(this.#store.bytes.subarray(0, this.#storeEnd));
    outgrown(this.#store.bytes);
    this.#store = store;
  }

  #write(text: string): number {
    const most = text.length * 3;
    if (most + SLACK_BYTES > this.#scratch.bytes.length) {
      this.#scratch = new Memory(new ArrayBuffer(most * 2 + SLACK_BYTES));
    }
    const { bytes } = this.#scratch;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      // Names are ASCII; what is not is left to Buffer.
      if (code > 0x7f) return Buffer.from(bytes.buffer).write(text, "utf8");
      bytes[i] = code;
    }
    return text.length;
  }
}

function padded(offset: number): number {
  return (offset + 3) & ~3;
}

function grown(array: Int32Array, capacity: number): Int32Array {
  const copy = new Int32Array(capacity);
  copy.set(array);
  return copy;
}

/** Reads inside the bounds that the caller keeps, so that the type has no `undefined`. */
function word(array: Int32Array | Uint8Array, index: number): number {
  return array[index] as number; // every index used here is below the array's length
}
