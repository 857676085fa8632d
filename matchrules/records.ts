/** Hot path: records of integers, one array for all of them. */

import { outgrown } from "../wire/outgrown.ts";

/** The longest record has a key for each of 64 arguments, the other keys, and its own cells. */
const LENGTH_LIMIT = 96;
const INITIAL_CELLS = 1024;

/**
 * Records of any few lengths in one Int32Array, and free lists by length.
 *
 * A record is the index of its first cell; 0 is no record. Rules by the million cost the garbage
 * collector nothing this way, and some hundred bytes each in place of some eight hundred as objects.
 */
export class Records {
  /** Replaced when it grows: read it again after every `allocate`. */
  cells: Int32Array = new Int32Array(INITIAL_CELLS);
  /** Heads of the free lists; the first cell of a free record is the next one. */
  readonly #free: Int32Array = new Int32Array(LENGTH_LIMIT);
  #end = 1;
  #used = 0;

  /** Bytes in records that are in use. */
  get usedBytes(): number {
    return this.#used * Int32Array.BYTES_PER_ELEMENT;
  }

  /** A record of `length` zeros. */
  allocate(length: number): number {
    this.#used += length;
    const free = cell(this.#free, length);
    if (free !== 0) {
      this.#free[length] = cell(this.cells, free);
      this.cells[free] = 0;
      return free;
    }
    const record = this.#end;
    this.#end += length;
    if (this.#end > this.cells.length) this.#grow();
    return record;
  }

  /** Gives back a record of `length` cells. */
  free(record: number, length: number): void {
    this.#used -= length;
    this.cells.fill(0, record, record + length);
    this.cells[record] = cell(this.#free, length);
    this.#free[length] = record;
  }

  /** By half, not by double: at a million rules the difference is what most machines have to spare. */
  #grow(): void {
    const cells = new Int32Array(this.cells.length + (this.cells.length >> 1));
    cells.set(this.cells);
    outgrown(this.cells);
    this.cells = cells;
  }
}

/** Reads inside the bounds that the caller keeps, so that the type has no `undefined`. */
export function cell(array: Int32Array, index: number): number {
  return array[index] as number; // every index used with it is below the array's length
}

/** `array`, or a copy of it that is long enough for `index`. */
export function withRoomFor(array: Int32Array, index: number): Int32Array {
  if (index < array.length) return array;
  const copy = new Int32Array(Math.max(index + 1, array.length * 2));
  copy.set(array);
  outgrown(array);
  return copy;
}

/** One step of a hash over integers. */
export function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
