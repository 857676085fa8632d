/** Which values of argNpath lie below a path that ends with a slash. */

import type { Strings } from "../wire/intern.ts";
import type { Memory } from "../wire/memory.ts";
import { NEXT_IN_CHAIN, RecordTable, TABLE_CELLS } from "./record-table.ts";
import { cell, mix, Records, withRoomFor } from "./records.ts";

const STRING = TABLE_CELLS;
const PARENT = TABLE_CELLS + 1;
const FIRST_CHILD = TABLE_CELLS + 2;
const PREVIOUS_SIBLING = TABLE_CELLS + 3;
const NEXT_SIBLING = TABLE_CELLS + 4;
const USES = TABLE_CELLS + 5;
const NODE_CELLS = TABLE_CELLS + 6;

/** A string has a node for so many of its stems at most: what it costs must not be a subscriber's choice. */
const STEM_LIMIT = 16;
const SLASH = 0x2f;

/**
 * A tree of strings. The parent of a string is its longest stem: its longest proper prefix that ends
 * with a slash, or if it has more than 16 stems the 16th. Stems that nobody uses are in the tree as long as
 * something is below them.
 *
 * A rule with `arg0path='/a/b/c'` also matches a message whose argument is `/a/`. No prefix of the
 * argument leads to that rule; this tree does, from `/a/` down.
 */
export class PathTree {
  readonly #strings: Strings;
  readonly #records: Records = new Records();
  readonly #nodes: RecordTable = new RecordTable(this.#records, (node) =>
    mix(0, this.#get(node, STRING)),
  );

  constructor(strings: Strings) {
    this.#strings = strings;
  }

  get usedBytes(): number {
    return this.#records.usedBytes + this.#nodes.usedBytes;
  }

  /** One use more of the string `id`. */
  add(id: number): void {
    const text = this.#strings.textOf(id);
    let parent = 0;
    let slash = text.indexOf("/");
    for (let i = 0; i < STEM_LIMIT && slash >= 0; i++, slash = text.indexOf("/", slash + 1)) {
      const stem = this.#strings.hold(text.slice(0, slash + 1));
      parent = this.#findNode(stem) || this.#makeNode(stem, parent);
      this.#strings.release(stem);
    }
    const node = this.#findNode(id) || this.#makeNode(id, parent);
    this.#set(node, USES, this.#get(node, USES) + 1);
  }

  /** One use less. */
  remove(id: number): void {
    let node = this.#findNode(id);
    this.#set(node, USES, this.#get(node, USES) - 1);
    while (node !== 0 && this.#get(node, USES) === 0 && this.#get(node, FIRST_CHILD) === 0) {
      const parent = this.#get(node, PARENT);
      this.#dropNode(node);
      node = parent;
    }
  }

  /**
   * Writes all used strings below these bytes, which end with a slash, to `target` (or a longer copy of it) from
   * `count` on; see `collected`.
   */
  collect(
    memory: Memory,
    offset: number,
    length: number,
    target: Int32Array,
    count: number,
  ): Int32Array {
    const { cells } = this.#records;
    const stem = stemLength(memory, offset, length);
    const root = this.#findNode(this.#strings.find(memory, offset, stem));
    let list = target;
    this.collected = count;
    let node = root === 0 ? 0 : cell(cells, root + FIRST_CHILD);
    while (node !== 0) {
      const id = cell(cells, node + STRING);
      if (cell(cells, node + USES) > 0 && this.#isBelow(id, stem, memory, offset, length)) {
        list = withRoomFor(list, this.collected);
        list[this.collected++] = id;
      }
      let next = cell(cells, node + FIRST_CHILD);
      while (next === 0 && node !== root) {
        next = cell(cells, node + NEXT_SIBLING);
        if (next === 0) node = cell(cells, node + PARENT);
      }
      node = next;
    }
    return list;
  }

  /** How many entries the target of the last `collect` has. */
  collected = 0;

  /** Is a string below the stem also below the whole? */
  #isBelow(id: number, stem: number, memory: Memory, offset: number, length: number): boolean {
    if (stem === length) return true;
    return (
      this.#strings.lengthOf(id) > length && this.#strings.startsWith(id, memory, offset, length)
    );
  }

  #findNode(id: number): number {
    const { cells } = this.#records;
    let node = this.#nodes.first(mix(0, id));
    while (node !== 0 && cell(cells, node + STRING) !== id)
      node = cell(cells, node + NEXT_IN_CHAIN);
    return node;
  }

  #makeNode(id: number, parent: number): number {
    this.#strings.retain(id);
    const node = this.#records.allocate(NODE_CELLS);
    this.#nodes.insert(node, mix(0, id));
    this.#set(node, STRING, id);
    this.#set(node, PARENT, parent);
    if (parent !== 0) {
      const sibling = this.#get(parent, FIRST_CHILD);
      this.#set(node, NEXT_SIBLING, sibling);
      if (sibling !== 0) this.#set(sibling, PREVIOUS_SIBLING, node);
      this.#set(parent, FIRST_CHILD, node);
    }
    return node;
  }

  #dropNode(node: number): void {
    const [previous, next] = [this.#get(node, PREVIOUS_SIBLING), this.#get(node, NEXT_SIBLING)];
    const parent = this.#get(node, PARENT);
    if (previous !== 0) this.#set(previous, NEXT_SIBLING, next);
    else if (parent !== 0) this.#set(parent, FIRST_CHILD, next);
    if (next !== 0) this.#set(next, PREVIOUS_SIBLING, previous);
    this.#nodes.remove(node);
    this.#strings.release(this.#get(node, STRING));
    this.#records.free(node, NODE_CELLS);
  }

  #get(node: number, field: number): number {
    return cell(this.#records.cells, node + field);
  }

  #set(node: number, field: number, value: number): void {
    this.#records.cells[node + field] = value;
  }
}

/** The length of the longest stem of these bytes that has a node; they end with a slash. */
function stemLength({ bytes }: Memory, offset: number, length: number): number {
  let stems = 0;
  for (let i = 0; i < length; i++) {
    if (bytes[offset + i] === SLASH && ++stems === STEM_LIMIT) return i + 1;
  }
  return length;
}
