/** A rule in numbers: what the index hashes it by, and what is left to check. */

import type { Strings } from "../wire/intern.ts";
import type { ArgumentKey, MatchRule } from "./rule.ts";

/** Bits of a shape's `keys`. */
export const KEY_INTERFACE: number = 1;
export const KEY_MEMBER: number = 2;
export const KEY_PATH: number = 4;

/**
 * A shape's prefix: the one key that matches by prefix and is hashed nevertheless, because a message
 * can ask once for each prefix of its own value. `PREFIX_ARGUMENT + N` is argNpath.
 */
export const PREFIX_NONE: number = 0;
export const PREFIX_PATH: number = 1;
export const PREFIX_NAME: number = 2;
export const PREFIX_ARGUMENT: number = 3;
/** All prefixes are below this. */
export const PREFIX_LIMIT: number = 67;

/** Checks for what is not hashed; `+ N` for argument N. */
export const CHECK_EQUAL: number = 0;
export const CHECK_PATH: number = 64;
export const CHECK_PATH_NAMESPACE: number = 128;
export const CHECK_DESTINATION: number = 129;

/** A rule's kind: its type, and whether it eavesdrops. */
export const KIND_TYPE: number = 7;
export const KIND_EAVESDROPS: number = 8;
/** The copy that serves unicasts of an eavesdropper's rule which serves broadcasts, too. */
export const KIND_ECHO: number = 16;

const ARGUMENT_LIMIT = 64;
const VALUE_LIMIT = ARGUMENT_LIMIT + 4;

/**
 * Scratch for one rule at a time: first its strings as ids (`hold` or `find`), then, by `arrange`,
 * which of them are hashed, in the order of the shape's values, and which become checks.
 */
export class RuleKeys {
  kind = 0;
  sender = 0;

  keys = 0;
  /** Bits of the arguments that must equal a value, 0 to 31 and 32 to 63. */
  argsLow = 0;
  argsHigh = 0;
  prefix: number = PREFIX_NONE;
  /** How many `values` are hashed: interface, member, path, arguments by index, the prefix. */
  width = 0;
  readonly values: Int32Array = new Int32Array(VALUE_LIMIT);
  checkCount = 0;
  readonly checks: Int32Array = new Int32Array(VALUE_LIMIT);
  readonly checkValues: Int32Array = new Int32Array(VALUE_LIMIT);

  readonly #strings: Strings;
  #rule: MatchRule | null = null;
  #interface = 0;
  #member = 0;
  #path = 0;
  #pathNamespace = 0;
  #destination = 0;
  #prefixValue = 0;
  readonly #args: Int32Array = new Int32Array(ARGUMENT_LIMIT);
  readonly #ids: number[] = [];

  constructor(strings: Strings) {
    this.#strings = strings;
  }

  /** Takes up `rule`, and holds its strings until `release`. */
  hold(rule: MatchRule): void {
    this.#take(rule, (text) => this.#strings.hold(text));
  }

  /** Takes up `rule`; false if it has a string that nobody has ever held, so that nobody can have it. */
  find(rule: MatchRule): boolean {
    this.#take(rule, (text) => this.#strings.findText(text));
    return !this.#ids.includes(0);
  }

  /** Ends `hold`. */
  release(): void {
    for (const id of this.#ids) this.#strings.release(id);
  }

  /**
   * Decides what is hashed. `isReduced` keeps the number of possible shapes small: of the arguments,
   * only the first is hashed then.
   */
  arrange(isReduced: boolean): void {
    const rule = this.#rule;
    if (rule === null) return;
    this.keys = 0;
    this.argsLow = 0;
    this.argsHigh = 0;
    this.prefix = PREFIX_NONE;
    this.width = 0;
    this.checkCount = 0;
    this.#prefixValue = 0;
    if (rule.interface !== null) this.#key(KEY_INTERFACE, this.#interface);
    if (rule.member !== null) this.#key(KEY_MEMBER, this.#member);
    if (rule.path !== null) this.#key(KEY_PATH, this.#path);
    rule.args.forEach((key, i) => {
      this.#arrangeArgument(key, this.#args[i] ?? 0, key.index === 0 || !isReduced);
    });
    if (rule.pathNamespace !== null) {
      if (this.prefix === PREFIX_NONE) this.#hashPrefix(PREFIX_PATH, this.#pathNamespace);
      else this.#check(CHECK_PATH_NAMESPACE, this.#pathNamespace);
    }
    if (rule.destination !== null) this.#check(CHECK_DESTINATION, this.#destination);
    if (this.prefix !== PREFIX_NONE) this.values[this.width++] = this.#prefixValue;
  }

  #arrangeArgument({ index, kind }: ArgumentKey, id: number, mayHash: boolean): void {
    const mayHashPrefix = mayHash && this.prefix === PREFIX_NONE;
    switch (kind) {
      case "string":
        if (!mayHash) {
          this.#check(CHECK_EQUAL + index, id);
          break;
        }
        if (index < 32) this.argsLow |= 1 << index;
        else this.argsHigh |= 1 << (index - 32);
        this.values[this.width++] = id;
        break;
      case "namespace":
        // Of argument 0 only, so it comes first and nothing has taken the prefix.
        this.#hashPrefix(PREFIX_NAME, id);
        break;
      case "path":
        if (mayHashPrefix) this.#hashPrefix(PREFIX_ARGUMENT + index, id);
        else this.#check(CHECK_PATH + index, id);
        break;
    }
  }

  #take(rule: MatchRule, idOf: (text: string) => number): void {
    const ids = this.#ids;
    const take = (text: string | null): number => {
      if (text === null) return 0;
      const id = idOf(text);
      ids.push(id);
      return id;
    };
    ids.length = 0;
    this.#rule = rule;
    this.kind = rule.type | (rule.eavesdrop ? KIND_EAVESDROPS : 0);
    this.sender = take(rule.sender);
    this.#interface = take(rule.interface);
    this.#member = take(rule.member);
    this.#path = take(rule.path);
    this.#pathNamespace = take(rule.pathNamespace);
    this.#destination = take(rule.destination);
    rule.args.forEach(({ value }, i) => {
      this.#args[i] = take(value);
    });
  }

  #hashPrefix(prefix: number, id: number): void {
    this.prefix = prefix;
    this.#prefixValue = id;
  }

  #key(key: number, id: number): void {
    this.keys |= key;
    this.values[this.width++] = id;
  }

  #check(check: number, id: number): void {
    this.checks[this.checkCount] = check;
    this.checkValues[this.checkCount++] = id;
  }
}

/** The prefix key by which a check can be asked for what holds, or `PREFIX_NONE`. */
export function prefixOf(check: number): number {
  if (check === CHECK_PATH_NAMESPACE) return PREFIX_PATH;
  return check >= CHECK_PATH && check < CHECK_PATH_NAMESPACE
    ? PREFIX_ARGUMENT + check - CHECK_PATH
    : PREFIX_NONE;
}
