/** Hot path: checks that rules share, each made once per message. */

import { ARGUMENT_OTHER } from "../wire/args.ts";
import type { Strings } from "../wire/intern.ts";
import type { MessageKeys } from "./message-keys.ts";
import { NEXT_IN_CHAIN, RecordTable, TABLE_CELLS } from "./record-table.ts";
import { cell, mix, Records } from "./records.ts";
import {
  CHECK_PATH,
  CHECK_PATH_NAMESPACE,
  PREFIX_ARGUMENT,
  PREFIX_NONE,
  prefixOf,
} from "./rule-keys.ts";

const CHECK = TABLE_CELLS;
const VALUE = TABLE_CELLS + 1;
const REFERENCES = TABLE_CELLS + 2;
/** The number of the message it was last made for, doubled, plus 1 if it held. */
const MEMO = TABLE_CELLS + 3;
const PREDICATE_CELLS = TABLE_CELLS + 4;

/** Message numbers stay below this, so that a memo is a small integer. */
export const MESSAGE_NUMBER_LIMIT: number = 1 << 30;

const SLASH = 0x2f;

/**
 * The keys of rules that are not hashed, each distinct check once and reference-counted. A predicate
 * is evaluated at most once per message, however many rules have it.
 */
export class Predicates {
  readonly #strings: Strings;
  readonly #secret: number;
  readonly #messageKeys: MessageKeys;
  readonly #records: Records = new Records();
  readonly #table: RecordTable = new RecordTable(this.#records, (predicate) =>
    this.#hashOf(this.checkOf(predicate), this.valueOf(predicate)),
  );
  /** The values of argNpath, which are compared byte by byte. */
  readonly #paths: Map<number, Uint8Array> = new Map();

  constructor(strings: Strings, secret: number, messageKeys: MessageKeys) {
    this.#strings = strings;
    this.#secret = secret;
    this.#messageKeys = messageKeys;
  }

  get size(): number {
    return this.#table.size;
  }

  get usedBytes(): number {
    return this.#records.usedBytes + this.#table.usedBytes;
  }

  /** The predicate for a check (one of the CHECK_ numbers) against the string `value`, or 0. */
  find(check: number, value: number): number {
    const { cells } = this.#records;
    let predicate = this.#table.first(this.#hashOf(check, value));
    for (; predicate !== 0; predicate = cell(cells, predicate + NEXT_IN_CHAIN)) {
      if (cell(cells, predicate + CHECK) !== check) continue;
      if (cell(cells, predicate + VALUE) === value) break;
    }
    return predicate;
  }

  /** The same, made if there is none, and referred to once more. */
  acquire(check: number, value: number): number {
    const predicate = this.find(check, value) || this.#make(check, value);
    const { cells } = this.#records;
    cells[predicate + REFERENCES] = cell(cells, predicate + REFERENCES) + 1;
    return predicate;
  }

  /** Undoes one `acquire`. */
  release(predicate: number): void {
    const { cells } = this.#records;
    const references = cell(cells, predicate + REFERENCES) - 1;
    cells[predicate + REFERENCES] = references;
    if (references > 0) return;
    this.#table.remove(predicate);
    const prefix = prefixOf(cell(cells, predicate + CHECK));
    const value = cell(cells, predicate + VALUE);
    if (prefix !== PREFIX_NONE) this.#messageKeys.removePrefix(prefix, value);
    this.#strings.release(value);
    this.#paths.delete(predicate);
    this.#records.free(predicate, PREDICATE_CELLS);
  }

  checkOf(predicate: number): number {
    return cell(this.#records.cells, predicate + CHECK);
  }

  /** How many rules have it. */
  referencesOf(predicate: number): number {
    return cell(this.#records.cells, predicate + REFERENCES);
  }

  valueOf(predicate: number): number {
    return cell(this.#records.cells, predicate + VALUE);
  }

  /** Does it hold for the message? `number` is the message's, and no other message's since `forget`. */
  holds(predicate: number, message: MessageKeys, number: number): boolean {
    const { cells } = this.#records;
    const memo = cell(cells, predicate + MEMO);
    if (memo >> 1 === number) return (memo & 1) === 1;
    const check = cell(cells, predicate + CHECK);
    const isTrue = this.#evaluate(predicate, check, cell(cells, predicate + VALUE), message);
    cells[predicate + MEMO] = number * 2 + (isTrue ? 1 : 0);
    return isTrue;
  }

  /** Message numbers start again. */
  forget(): void {
    this.#table.clear(MEMO);
  }

  #evaluate(predicate: number, check: number, value: number, message: MessageKeys): boolean {
    if (check < CHECK_PATH) return message.argumentId(check) === value;
    if (check < CHECK_PATH_NAMESPACE)
      return this.#isRelatedPath(predicate, check - CHECK_PATH, message);
    if (check === CHECK_PATH_NAMESPACE) return this.#isBelowPath(value, message);
    return isDestination(value, message);
  }

  /** Equal, or one of both ends with a slash and the other one starts with it. */
  #isRelatedPath(predicate: number, index: number, message: MessageKeys): boolean {
    const { args } = message;
    const ours = this.#paths.get(predicate);
    if (ours === undefined || args.type(index) === ARGUMENT_OTHER) return false;
    const { bytes } = message.header.memory;
    const offset = args.offset(index);
    const theirLength = args.length(index);
    const shared = Math.min(ours.length, theirLength);
    if (ours.length !== theirLength) {
      if (shared === 0) return false;
      const last = ours.length < theirLength ? ours[shared - 1] : bytes[offset + shared - 1];
      if (last !== SLASH) return false;
    }
    for (let i = 0; i < shared; i++) if (ours[i] !== bytes[offset + i]) return false;
    return true;
  }

  #isBelowPath(value: number, message: MessageKeys): boolean {
    const { memory, pathOffset, pathLength } = message.header;
    const length = this.#strings.lengthOf(value);
    if (length > pathLength) return false;
    if (length > 1 && length < pathLength && memory.bytes[pathOffset + length] !== SLASH)
      return false;
    return this.#strings.find(memory, pathOffset, length) === value;
  }

  #make(check: number, value: number): number {
    const predicate = this.#records.allocate(PREDICATE_CELLS);
    this.#strings.retain(value);
    this.#records.cells[predicate + CHECK] = check;
    this.#records.cells[predicate + VALUE] = value;
    this.#table.insert(predicate, this.#hashOf(check, value));
    const prefix = prefixOf(check);
    if (prefix !== PREFIX_NONE) this.#messageKeys.addPrefix(prefix, value);
    if (prefix >= PREFIX_ARGUMENT) {
      this.#paths.set(predicate, new TextEncoder().encode(this.#strings.textOf(value)));
    }
    return predicate;
  }

  #hashOf(check: number, value: number): number {
    return mix(mix(this.#secret, check), value);
  }
}

function isDestination(value: number, message: MessageKeys): boolean {
  for (let i = 0; i < message.destinationCount; i++) {
    if (message.destinations[i] === value) return true;
  }
  return false;
}
