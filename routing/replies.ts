/** Hot path: which calls wait for a reply, from whom. */

import { randomWord } from "../wire/random.ts";

const NONE = -1;
/** In the place of the slot before it: this slot is not in use. */
const FREE = -2;
const INITIAL_SLOTS = 1024;

/** A pending call as others see it: snapshots, and the errors for callers of a peer that is gone. */
export interface PendingReply {
  readonly caller: number;
  readonly callee: number;
  readonly serial: number;
}

/**
 * Reply slots: (caller, serial, callee), callers and callees by endpoint index.
 *
 * Slots lie in parallel arrays and are chained three ways (hash bucket, caller, callee), so that a
 * call and its reply allocate nothing, and a disconnect costs as much as it has slots.
 */
export class ReplyTable {
  readonly #secret: number = randomWord();
  readonly #factor: number = (randomWord() | 1) >>> 0;
  #capacity = INITIAL_SLOTS;
  #buckets: Int32Array = new Int32Array(INITIAL_SLOTS).fill(NONE);
  #caller: Int32Array = new Int32Array(INITIAL_SLOTS);
  #callee: Int32Array = new Int32Array(INITIAL_SLOTS);
  #serial: Uint32Array = new Uint32Array(INITIAL_SLOTS);
  /** How many had been made before it. */
  #order: Float64Array = new Float64Array(INITIAL_SLOTS);
  #nextInBucket: Int32Array = new Int32Array(INITIAL_SLOTS);
  #callerNext: Int32Array = new Int32Array(INITIAL_SLOTS);
  #callerPrevious: Int32Array = new Int32Array(INITIAL_SLOTS);
  #calleeNext: Int32Array = new Int32Array(INITIAL_SLOTS);
  #calleePrevious: Int32Array = new Int32Array(INITIAL_SLOTS);
  /** The newest slot of each endpoint, as caller and as callee, and how many it has as caller. */
  #callerFirst: Int32Array = new Int32Array(64).fill(NONE);
  #calleeFirst: Int32Array = new Int32Array(64).fill(NONE);
  #callerCount: Int32Array = new Int32Array(64);
  #free = NONE;
  #used = 0;
  #size = 0;
  #madeCount = 0;

  /** How many replies were ever expected. */
  get madeCount(): number {
    return this.#madeCount;
  }

  get size(): number {
    return this.#size;
  }

  /** How many replies `caller` waits for. */
  countOf(caller: number): number {
    return caller < this.#callerCount.length ? at(this.#callerCount, caller) : 0;
  }

  /** How many replies others wait for from `callee`, counted one by one: for statistics. */
  owedBy(callee: number): number {
    let count = 0;
    let slot = callee < this.#calleeFirst.length ? at(this.#calleeFirst, callee) : NONE;
    for (; slot !== NONE; slot = at(this.#calleeNext, slot)) count++;
    return count;
  }

  /** Expects a reply; false if `caller` already waits for one from `callee` with this serial. */
  expect(caller: number, serial: number, callee: number): boolean {
    if (this.#find(caller, serial, callee) !== NONE) return false;
    this.#makeRoom(Math.max(caller, callee));
    const slot = this.#allocate();
    this.#caller[slot] = caller;
    this.#callee[slot] = callee;
    this.#serial[slot] = serial;
    this.#order[slot] = this.#madeCount++;
    const bucket = this.#bucket(caller, serial);
    this.#nextInBucket[slot] = at(this.#buckets, bucket);
    this.#buckets[bucket] = slot;
    link(slot, caller, this.#callerFirst, this.#callerNext, this.#callerPrevious);
    link(slot, callee, this.#calleeFirst, this.#calleeNext, this.#calleePrevious);
    this.#callerCount[caller] = at(this.#callerCount, caller) + 1;
    this.#size++;
    return true;
  }

  /** Does `caller` wait for a reply to `serial` from `callee`? */
  isExpected(caller: number, serial: number, callee: number): boolean {
    return this.#find(caller, serial, callee) !== NONE;
  }

  /** Takes the slot that a reply from `callee` fills; false if none waits for it. */
  take(caller: number, serial: number, callee: number): boolean {
    const slot = this.#find(caller, serial, callee);
    if (slot === NONE) return false;
    this.#remove(slot);
    return true;
  }

  /** Forgets what `caller` waits for: it is gone. */
  forgetCaller(caller: number): void {
    if (caller >= this.#callerFirst.length) return;
    let slot = at(this.#callerFirst, caller);
    while (slot !== NONE) {
      const next = at(this.#callerNext, slot);
      this.#remove(slot);
      slot = next;
    }
  }

  /** Removes and returns the calls that wait for `callee`, the newest first, as dbus-daemon has it. */
  takeCallee(callee: number): PendingReply[] {
    const pending: PendingReply[] = [];
    if (callee >= this.#calleeFirst.length) return pending;
    let slot = at(this.#calleeFirst, callee);
    while (slot !== NONE) {
      const next = at(this.#calleeNext, slot);
      pending.push(this.#pendingAt(slot));
      this.#remove(slot);
      slot = next;
    }
    return pending;
  }

  /** Removes and returns the calls that are among the first `count` that were ever made, the oldest first. */
  takeMadeBefore(count: number): PendingReply[] {
    const found: number[] = [];
    for (let slot = 0; slot < this.#used; slot++) {
      if (at(this.#callerPrevious, slot) === FREE) continue;
      if (at(this.#order, slot) < count) found.push(slot);
    }
    found.sort((one, other) => at(this.#order, one) - at(this.#order, other));
    return found.map((slot) => {
      const pending = this.#pendingAt(slot);
      this.#remove(slot);
      return pending;
    });
  }

  /** What `caller` waits for, oldest first. */
  *pendingOf(caller: number): Generator<PendingReply> {
    if (caller >= this.#callerFirst.length) return;
    const slots: number[] = [];
    let slot = at(this.#callerFirst, caller);
    for (; slot !== NONE; slot = at(this.#callerNext, slot)) slots.push(slot);
    for (const each of slots.reverse()) {
      yield { caller, callee: at(this.#callee, each), serial: at(this.#serial, each) };
    }
  }

  #pendingAt(slot: number): PendingReply {
    return {
      caller: at(this.#caller, slot),
      callee: at(this.#callee, slot),
      serial: at(this.#serial, slot),
    };
  }

  #find(caller: number, serial: number, callee: number): number {
    let slot = at(this.#buckets, this.#bucket(caller, serial));
    while (slot !== NONE) {
      if (
        at(this.#serial, slot) === serial &&
        at(this.#caller, slot) === caller &&
        at(this.#callee, slot) === callee
      ) {
        return slot;
      }
      slot = at(this.#nextInBucket, slot);
    }
    return NONE;
  }

  #bucket(caller: number, serial: number): number {
    // Callers choose their serials: without a secret, they could choose ones that share a bucket.
    let hash = Math.imul(serial ^ this.#secret, 0x9e3779b1) ^ Math.imul(caller + 1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), this.#factor);
    return (hash ^ (hash >>> 13)) & (this.#capacity - 1);
  }

  #remove(slot: number): void {
    const caller = at(this.#caller, slot);
    const callee = at(this.#callee, slot);
    const bucket = this.#bucket(caller, at(this.#serial, slot));
    let before = NONE;
    for (let each = at(this.#buckets, bucket); each !== slot; ) {
      before = each;
      each = at(this.#nextInBucket, each);
    }
    if (before === NONE) this.#buckets[bucket] = at(this.#nextInBucket, slot);
    else this.#nextInBucket[before] = at(this.#nextInBucket, slot);
    unlink(slot, caller, this.#callerFirst, this.#callerNext, this.#callerPrevious);
    unlink(slot, callee, this.#calleeFirst, this.#calleeNext, this.#calleePrevious);
    this.#callerCount[caller] = at(this.#callerCount, caller) - 1;
    this.#callerPrevious[slot] = FREE;
    this.#nextInBucket[slot] = this.#free;
    this.#free = slot;
    this.#size--;
  }

  #allocate(): number {
    if (this.#free !== NONE) {
      const slot = this.#free;
      this.#free = at(this.#nextInBucket, slot);
      return slot;
    }
    if (this.#used === this.#capacity) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    this.#capacity = capacity;
    this.#caller = longer(this.#caller, capacity);
    this.#callee = longer(this.#callee, capacity);
    const serial = new Uint32Array(capacity);
    serial.set(this.#serial);
    this.#serial = serial;
    const order = new Float64Array(capacity);
    order.set(this.#order);
    this.#order = order;
    this.#nextInBucket = longer(this.#nextInBucket, capacity);
    this.#callerNext = longer(this.#callerNext, capacity);
    this.#callerPrevious = longer(this.#callerPrevious, capacity);
    this.#calleeNext = longer(this.#calleeNext, capacity);
    this.#calleePrevious = longer(this.#calleePrevious, capacity);
    this.#buckets = new Int32Array(capacity).fill(NONE);
    // It only grows when no slot is free, so all of them are in use.
    for (let slot = 0; slot < this.#used; slot++) {
      const bucket = this.#bucket(at(this.#caller, slot), at(this.#serial, slot));
      this.#nextInBucket[slot] = at(this.#buckets, bucket);
      this.#buckets[bucket] = slot;
    }
  }

  #makeRoom(index: number): void {
    if (index < this.#callerFirst.length) return;
    const before = this.#callerFirst.length;
    const capacity = 2 ** Math.ceil(Math.log2(index + 1));
    this.#callerFirst = longer(this.#callerFirst, capacity).fill(NONE, before);
    this.#calleeFirst = longer(this.#calleeFirst, capacity).fill(NONE, before);
    this.#callerCount = longer(this.#callerCount, capacity);
  }
}

function link(
  slot: number,
  owner: number,
  first: Int32Array,
  next: Int32Array,
  previous: Int32Array,
): void {
  const old = at(first, owner);
  next[slot] = old;
  previous[slot] = NONE;
  if (old !== NONE) previous[old] = slot;
  first[owner] = slot;
}

function unlink(
  slot: number,
  owner: number,
  first: Int32Array,
  next: Int32Array,
  previous: Int32Array,
): void {
  const before = at(previous, slot);
  const after = at(next, slot);
  if (before === NONE) first[owner] = after;
  else next[before] = after;
  if (after !== NONE) previous[after] = before;
}

function longer(array: Int32Array, capacity: number): Int32Array {
  const copy = new Int32Array(capacity);
  copy.set(array);
  return copy;
}

/** Reads inside bounds that the table keeps, so that the type has no `undefined`. */
function at(array: Int32Array | Uint32Array | Float64Array, index: number): number {
  return array[index] as number; // every index used here is below the array's length
}
