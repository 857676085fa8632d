/** Hot path: a hash table whose entries are records. */

import { cell, type Records, withRoomFor } from "./records.ts";

/** The first cell of every record in a table. */
export const NEXT_IN_CHAIN: number = 0;
/** How many cells the table needs at the start of a record. */
export const TABLE_CELLS: number = 1;

const INITIAL_CHAINS = 64;

/**
 * Chains of records by hash. The caller walks a chain and compares:
 *
 * `for (r = table.first(hash); r !== 0; r = cells[r + NEXT_IN_CHAIN]) if (…)`
 *
 * A record does not keep its hash, which is made from what it says: it is asked for when its chain is split.
 *
 * This is linear hashing (Litwin, VLDB 1980): each record that comes beyond the number of chains splits one chain, so
 * that no addition has to wait for all of them.
 */
export class RecordTable {
  readonly #records: Records;
  readonly #hashOf: (record: number) => number;
  #chains: Int32Array = new Int32Array(INITIAL_CHAINS);
  /** So many chains are in use: between half of `#mask + 1` and all of it. */
  #chainCount: number = INITIAL_CHAINS;
  #mask: number = INITIAL_CHAINS - 1;
  #size = 0;

  /** `hashOf` tells the hash of a record that is in the table. */
  constructor(records: Records, hashOf: (record: number) => number) {
    this.#records = records;
    this.#hashOf = hashOf;
  }

  /** Records in the table. */
  get size(): number {
    return this.#size;
  }

  get usedBytes(): number {
    return this.#chains.byteLength;
  }

  /** The first record of the chain for `hash`; records with other hashes may be in it. */
  first(hash: number): number {
    return cell(this.#chains, this.#chainOf(hash));
  }

  insert(record: number, hash: number): void {
    if (++this.#size > this.#chainCount) this.#splitOne();
    this.#link(record, hash);
  }

  remove(record: number): void {
    const { cells } = this.#records;
    const chain = this.#chainOf(this.#hashOf(record));
    const next = cell(cells, record + NEXT_IN_CHAIN);
    let before = cell(this.#chains, chain);
    this.#size--;
    if (before === record) {
      this.#chains[chain] = next;
      return;
    }
    while (cell(cells, before + NEXT_IN_CHAIN) !== record) {
      before = cell(cells, before + NEXT_IN_CHAIN);
    }
    cells[before + NEXT_IN_CHAIN] = next;
  }

  /** Sets one cell of every record to 0. */
  clear(cellOfRecord: number): void {
    const { cells } = this.#records;
    for (let record of this.#chains) {
      for (; record !== 0; record = cell(cells, record + NEXT_IN_CHAIN)) {
        cells[record + cellOfRecord] = 0;
      }
    }
  }

  #chainOf(hash: number): number {
    const chain = hash & this.#mask;
    return chain < this.#chainCount ? chain : chain & (this.#mask >> 1);
  }

  #link(record: number, hash: number): void {
    const chain = this.#chainOf(hash);
    this.#records.cells[record + NEXT_IN_CHAIN] = cell(this.#chains, chain);
    this.#chains[chain] = record;
  }

  /** Makes one chain more, out of the one whose records have been the next's, too. */
  #splitOne(): void {
    if (this.#chainCount > this.#mask) this.#mask = this.#mask * 2 + 1;
    this.#chains = withRoomFor(this.#chains, this.#chainCount);
    const old = this.#chainCount & (this.#mask >> 1);
    this.#chainCount++;
    let record = cell(this.#chains, old);
    this.#chains[old] = 0;
    while (record !== 0) {
      const next = cell(this.#records.cells, record + NEXT_IN_CHAIN);
      this.#link(record, this.#hashOf(record));
      record = next;
    }
  }
}
