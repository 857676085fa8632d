/** Hot path: the ids by which one message asks the index. */

import { ARGUMENT_OTHER, ARGUMENT_STRING, Arguments } from "../wire/args.ts";
import { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import { Limit } from "../wire/protocol.ts";
import { PathTree } from "./path-tree.ts";
import { cell, withRoomFor } from "./records.ts";
import { PREFIX_ARGUMENT, PREFIX_NAME, PREFIX_PATH } from "./rule-keys.ts";

const { matchRuleBytes: RULE_BYTES, matchRuleArgument: LAST_ARGUMENT } = Limit;
const SLASH = 0x2f;
const DOT = 0x2e;
const NOT_ASKED = -1;
const INITIAL_PREFIXES = 64;

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
  /** The answer of the last `findPrefixes`. */
  prefixes: Int32Array = new Int32Array(0);

  readonly #strings: Strings;
  readonly #tree: PathTree;
  readonly #argumentIds: Int32Array = new Int32Array(LAST_ARGUMENT + 1).fill(NOT_ASKED);
  readonly #askedArguments: Int32Array = new Int32Array(LAST_ARGUMENT + 1);
  #askedCount = 0;
  /** How many hashed prefixes there are of each length. */
  readonly #pathLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  readonly #nameLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  readonly #argumentLengths: Int32Array = new Int32Array(RULE_BYTES + 1);
  #paths: Int32Array = new Int32Array(INITIAL_PREFIXES);
  #pathCount: number = NOT_ASKED;
  /** Of the argument key that was asked for last; hardly a bus has rules with more than one. */
  #prefix: number = NOT_ASKED;
  #ofArgument: Int32Array = new Int32Array(INITIAL_PREFIXES);
  #ofArgumentCount = 0;

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
    this.#pathCount = NOT_ASKED;
    this.#prefix = NOT_ASKED;
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

  /** Fills `prefixes` with all values of the key `prefix` that match the message; returns how many. */
  findPrefixes(prefix: number): number {
    if (prefix === PREFIX_PATH) {
      if (this.#pathCount === NOT_ASKED) this.#findPaths();
      this.prefixes = this.#paths;
      return this.#pathCount;
    }
    if (this.#prefix !== prefix) {
      this.#prefix = prefix;
      this.#ofArgumentCount = 0;
      if (prefix === PREFIX_NAME) this.#findNames();
      else this.#findArgumentPaths(prefix - PREFIX_ARGUMENT);
    }
    this.prefixes = this.#ofArgument;
    return this.#ofArgumentCount;
  }

  /** The index hashes the value `id` of the key `prefix` once more. */
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
    this.#pathCount = 0;
    if (pathLength === 0) return;
    this.#addPath(1);
    const end = Math.min(pathLength, RULE_BYTES);
    for (let length = 2; length <= end; length++) {
      if (length === pathLength || bytes[pathOffset + length] === SLASH) this.#addPath(length);
    }
  }

  #addPath(length: number): void {
    if (cell(this.#pathLengths, length) === 0) return;
    const id = this.#strings.find(this.header.memory, this.header.pathOffset, length);
    if (id === 0) return;
    this.#paths = withRoomFor(this.#paths, this.#pathCount);
    this.#paths[this.#pathCount++] = id;
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
      if (length === whole || bytes[offset + length] === DOT) this.#addOfArgument(offset, length);
    }
  }

  /** The argument itself, its stems, and if it ends with a slash, all that is below it. */
  #findArgumentPaths(index: number): void {
    const { args } = this;
    if (args.type(index) === ARGUMENT_OTHER) return;
    const offset = args.offset(index);
    const whole = args.length(index);
    const end = Math.min(whole, RULE_BYTES);
    const { bytes } = this.header.memory;
    for (let length = 0; length <= end; length++) {
      if (cell(this.#argumentLengths, length) === 0) continue;
      const isStem = length > 0 && bytes[offset + length - 1] === SLASH;
      if (length === whole || isStem) this.#addOfArgument(offset, length);
    }
    if (whole === 0 || whole > RULE_BYTES || bytes[offset + whole - 1] !== SLASH) return;
    const id = this.#strings.find(this.header.memory, offset, whole);
    if (id === 0) return;
    this.#ofArgument = this.#tree.collect(id, this.#ofArgument, this.#ofArgumentCount);
    this.#ofArgumentCount = this.#tree.collected;
  }

  #addOfArgument(offset: number, length: number): void {
    const id = this.#strings.find(this.header.memory, offset, length);
    if (id === 0) return;
    this.#ofArgument = withRoomFor(this.#ofArgument, this.#ofArgumentCount);
    this.#ofArgument[this.#ofArgumentCount++] = id;
  }
}
