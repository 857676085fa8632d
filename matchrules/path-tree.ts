/** Which values of argNpath lie below a path that ends with a slash. */

import type { Strings } from "../wire/intern.ts";
import { NEXT_IN_CHAIN, RecordTable, TABLE_CELLS } from "./record-table.ts";
import { cell, mix, Records, withRoomFor } from "./records.ts";

const STRING = TABLE_CELLS;
const PARENT = TABLE_CELLS + 1;
const FIRST_CHILD = TABLE_CELLS + 2;
const PREVIOUS_SIBLING = TABLE_CELLS + 3;
const NEXT_SIBLING = TABLE_CELLS + 4;
const USES = TABLE_CELLS + 5;
const NODE_CELLS = TABLE_CELLS + 6;

/**
 * A tree of strings. The parent of a string is its longest stem: its longest proper prefix that ends
 * with a slash. Stems that nobody uses are in the tree as long as something is below them.
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
    for (let slash = text.indexOf("/"); slash >= 0; slash = text.indexOf("/", slash + 1)) {
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

  /** Writes all used strings below `id` to `target` (or a longer copy of it) from `count` on; see `collected`. */
  collect(id: number, target: Int32Array, count: number): Int32Array {
    const { cells } = this.#records;
    const root = this.#findNode(id);
    let list = target;
    this.collected = count;
    let node = root === 0 ? 0 : cell(cells, root + FIRST_CHILD);
    while (node !== 0) {
      if (cell(cells, node + USES) > 0) {
        list = withRoomFor(list, this.collected);
        list[this.collected++] = cell(cells, node + STRING);
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
