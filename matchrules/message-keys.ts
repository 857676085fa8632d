/** Hot path: the ids by which one message asks the index. */

import { ARGUMENT_OTHER, ARGUMENT_STRING, Arguments } from "../wire/args.ts";
import { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import { Limit } from "../wire/protocol.ts";
import { PathTree } from "./path-tree.ts";
import { cell, withRoomFor } from "./records.ts";
import {
  CHECK_DESTINATION,
  CHECK_EQUAL,
  PREFIX_ARGUMENT,
  PREFIX_LIMIT,
  PREFIX_NAME,
  PREFIX_NONE,
  PREFIX_PATH,
  prefixOf,
} from "./rule-keys.ts";

const { matchRuleBytes: RULE_BYTES, matchRuleArgument: LAST_ARGUMENT } = Limit;
const SLASH = 0x2f;
const DOT = 0x2e;
const NOT_ASKED = -1;
const NO_PREFIXES = new Int32Array(0);
const INITIAL_PREFIXES = 16;

/**
 * The current message as the index sees it, worked out when first asked for and only once.
 *
 * Prefixes are looked up for those lengths only that some rule's prefix has. No string of a rule is
 * longer than a rule may be, so what a sender writes beyond that is not even read.
 */
export class MessageKeys {
  header: Header;
  args: Arguments;
  destinations: Int32Array = new Int32Array(0);
  destinationCount = 0;
  readonly #strings: Strings;
  readonly #tree: PathTree;
  readonly #argumentIds: Int32Array = new Int32Array(LAST_ARGUMENT + 1).fill(NOT_ASKED);
  readonly #askedArguments: Int32Array = new Int32Array(LAST_ARGUMENT + 1);
  #askedCount = 0;
  /** How many hashed prefixes there are of each length. */
  readonly #pathLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  readonly #nameLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  readonly #argumentLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  readonly #oneValue: Int32Array = new Int32Array(1);
  /** By prefix key: which prefixes of its value there are, and how many. */
  readonly #prefixes: Int32Array[] = Array.from({ length: PREFIX_LIMIT }, () => NO_PREFIXES);
  readonly #prefixCounts: Int32Array = new Int32Array(PREFIX_LIMIT).fill(NOT_ASKED);
  readonly #askedPrefixes: Int32Array = new Int32Array(PREFIX_LIMIT);
  #askedPrefixCount = 0;

  constructor(strings: Strings) {
    this.#strings = strings;
    this.#tree = new PathTree(strings);
    this.header = new Header(Memory.of(new Uint8Array(0)));
    this.args = new Arguments(this.header);
  }

  get usedBytes(): number {
    return this.#tree.usedBytes;
  }

  /** Starts on another message. */
  begin(header: Header, args: Arguments, destinations: Int32Array, destinationCount: number): void {
    this.header = header;
    this.args = args;
    this.destinations = destinations;
    this.destinationCount = destinationCount;
    for (let i = 0; i < this.#askedCount; i++) {
      this.#argumentIds[cell(this.#askedArguments, i)] = NOT_ASKED;
    }
    this.#askedCount = 0;
    for (let i = 0; i < this.#askedPrefixCount; i++) {
      this.#prefixCounts[cell(this.#askedPrefixes, i)] = NOT_ASKED;
    }
    this.#askedPrefixCount = 0;
  }

  /** The id of a STRING argument; 0 if it is none or no rule can have it. */
  argumentId(index: number): number {
    const known = cell(this.#argumentIds, index);
    if (known !== NOT_ASKED) return known;
    let id = 0;
    if (this.args.type(index) === ARGUMENT_STRING && this.args.length(index) <= RULE_BYTES) {
      id = this.#strings.find(this.header.memory, this.args.offset(index), this.args.length(index));
    }
    this.#argumentIds[index] = id;
    this.#askedArguments[this.#askedCount++] = index;
    return id;
  }

  /** Finds all values of the key `prefix` that match the message, for `prefixesOf`; returns how many. */
  findPrefixes(prefix: number): number {
    const known = cell(this.#prefixCounts, prefix);
    if (known !== NOT_ASKED) return known;
    this.#askedPrefixes[this.#askedPrefixCount++] = prefix;
    this.#prefixCounts[prefix] = 0;
    if (prefix === PREFIX_PATH) this.#findPaths();
    else if (prefix === PREFIX_NAME) this.#findNames();
    else this.#findArgumentPaths(prefix);
    return cell(this.#prefixCounts, prefix);
  }

  /** What `findPrefixes` has found for this key: so many of these ids. */
  prefixesOf(prefix: number): Int32Array {
    return this.#prefixes[prefix] ?? NO_PREFIXES;
  }

  /** Finds all values with which this check holds for the message, for `valuesOf`; returns how many. */
  findValues(check: number): number {
    const prefix = prefixOf(check);
    if (prefix !== PREFIX_NONE) return this.findPrefixes(prefix);
    if (check === CHECK_DESTINATION) return this.destinationCount;
    this.#oneValue[0] = this.argumentId(check - CHECK_EQUAL);
    return cell(this.#oneValue, 0) === 0 ? 0 : 1;
  }

  /** What `findValues` has found last for this check: so many of these ids. */
  valuesOf(check: number): Int32Array {
    const prefix = prefixOf(check);
    if (prefix !== PREFIX_NONE) return this.prefixesOf(prefix);
    return check === CHECK_DESTINATION ? this.destinations : this.#oneValue;
  }

  /** The index looks for the value `id` of the key `prefix` once more. */
  addPrefix(prefix: number, id: number): void {
    const lengths = this.#lengthsOf(prefix);
    const length = this.#strings.lengthOf(id);
    lengths[length] = cell(lengths, length) + 1;
    if (prefix >= PREFIX_ARGUMENT) this.#tree.add(id);
  }

  /** Undoes one `addPrefix`. */
  removePrefix(prefix: number, id: number): void {
    const lengths = this.#lengthsOf(prefix);
    const length = this.#strings.lengthOf(id);
    lengths[length] = cell(lengths, length) - 1;
    if (prefix >= PREFIX_ARGUMENT) this.#tree.remove(id);
  }

  #lengthsOf(prefix: number): Int32Array {
    if (prefix === PREFIX_PATH) return this.#pathLengths;
    return prefix === PREFIX_NAME ? this.#nameLengths : this.#argumentLengths;
  }

  /** The path itself and its ancestors, the root among them. */
  #findPaths(): void {
    const { memory, pathOffset, pathLength } = this.header;
    const { bytes } = memory;
    if (pathLength === 0) return;
    this.#addPath(1);
    const end = Math.min(pathLength, RULE_BYTES);
    for (let length = 2; length <= end; length++) {
      if (length === pathLength || bytes[pathOffset + length] === SLASH) this.#addPath(length);
    }
  }

  #addPath(length: number): void {
    if (cell(this.#pathLengths, length) === 0) return;
    this.#addPrefix(PREFIX_PATH, this.header.pathOffset, length);
  }

  /** Argument 0 itself, and what is before each of its dots. */
  #findNames(): void {
    const { args } = this;
    if (args.type(0) !== ARGUMENT_STRING) return;
    const offset = args.offset(0);
    const whole = args.length(0);
    const end = Math.min(whole, RULE_BYTES);
    const { bytes } = this.header.memory;
    for (let length = 1; length <= end; length++) {
      if (cell(this.#nameLengths, length) === 0) continue;
      if (length === whole || bytes[offset + length] === DOT) {
        this.#addPrefix(PREFIX_NAME, offset, length);
      }
    }
  }

  /** The argument itself, its stems, and if it ends with a slash, all that is below it. */
  #findArgumentPaths(prefix: number): void {
    const { args } = this;
    const index = prefix - PREFIX_ARGUMENT;
    if (args.type(index) === ARGUMENT_OTHER) return;
    const offset = args.offset(index);
    const whole = args.length(index);
    const end = Math.min(whole, RULE_BYTES);
    const { bytes } = this.header.memory;
    for (let length = 0; length <= end; length++) {
      if (cell(this.#argumentLengths, length) === 0) continue;
      const isStem = length > 0 && bytes[offset + length - 1] === SLASH;
      if (length === whole || isStem) this.#addPrefix(prefix, offset, length);
    }
    if (whole === 0 || whole > RULE_BYTES || bytes[offset + whole - 1] !== SLASH) return;
    this.#prefixes[prefix] = this.#tree.collect(
      this.header.memory,
      offset,
      whole,
      this.prefixesOf(prefix),
      cell(this.#prefixCounts, prefix),
    );
    this.#prefixCounts[prefix] = this.#tree.collected;
  }

  /** The message's value has a prefix of this length; does a rule? */
  #addPrefix(prefix: number, offset: number, length: number): void {
    const id = this.#strings.find(this.header.memory, offset, length);
    if (id === 0) return;
    const count = cell(this.#prefixCounts, prefix);
    let list = this.prefixesOf(prefix);
    if (count === list.length) {
      list = withRoomFor(list, Math.max(count, INITIAL_PREFIXES - 1));
      this.#prefixes[prefix] = list;
    }
    list[count] = id;
    this.#prefixCounts[prefix] = count + 1;
  }
}
