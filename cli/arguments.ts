/**
 * Typed arguments as words, in busctl's form: a word for each basic value; before an array the number of its
 * elements; before a variant's value its signature; structs and dict entries are just their fields.
 */

import {
  type BasicTypeCode,
  isSingleCompleteType,
  parseSignature,
  type Type,
} from "../wire/signature.ts";
import { Variant } from "../wire/variant.ts";
import { BASIC_TYPES } from "./basic-value.ts";
import { checkedSignature } from "./checked-signature.ts";
import { type CommandProblem, misuse } from "./command-problem.ts";

/** What to send. */
export interface TypedArguments {
  readonly signature: string;
  readonly body: readonly unknown[];
  /** Numbers of open descriptors of this process, which `h` values in `body` are indexes into. */
  readonly descriptors: readonly number[];
}

/** @throws CommandProblem that says which word, what was expected, and an example that fits */
export function parseArguments(signature: string, words: readonly string[]): TypedArguments {
  const types = checkedSignature(signature);
  const reading = new ArgumentReading(signature, words);
  const body = types.map((type) => reading.value(type));
  reading.assertAtEnd();
  return { signature, body, descriptors: reading.descriptors };
}

/** Words that fit the type, as one would type them. */
export function exampleOf(type: Type): string {
  switch (type.code) {
    case "v":
      return "u 42";
    case "a":
      return `1 ${exampleOfAll(type.children)}`;
    case "(":
    case "{":
      return exampleOfAll(type.children);
    default:
      return BASIC_TYPES[type.code].example;
  }
}

export function exampleOfAll(types: readonly Type[]): string {
  return types.map(exampleOf).join(" ");
}

class ArgumentReading {
  readonly descriptors: number[] = [];
  readonly #signature: string;
  readonly #words: readonly string[];
  #at = 0;

  constructor(signature: string, words: readonly string[]) {
    this.#signature = signature;
    this.#words = words;
  }

  value(type: Type): unknown {
    switch (type.code) {
      case "v":
        return this.#variant(type);
      case "a":
        return this.#array(type);
      case "(":
      case "{":
        return type.children.map((field) => this.value(field));
      default:
        return this.#basic(type, type.code);
    }
  }

  assertAtEnd(): void {
    const count = this.#words.length;
    if (this.#at === count) return;
    const taken = this.#at === 0 ? "takes none" : `ends after argument ${this.#at}`;
    throw misuse(
      `${count} arguments are too many: signature "${this.#signature}" ${taken}, and ${JSON.stringify(this.#words[this.#at])} follows`,
      this.#signature === ""
        ? "the signature comes before the arguments: SIGNATURE ARGUMENT…"
        : this.#exampleHint(),
    );
  }

  #basic(type: Type, code: BasicTypeCode): unknown {
    const { expected, example, read } = BASIC_TYPES[code];
    const word = this.#next(type, `${expected}, for example ${example}`);
    const value = read(word);
    if (value === null) throw this.#misfit(type, `${expected}, for example ${example}`);
    if (code !== "h") return value;
    // What is read of an h is a number.
    return this.descriptors.push(value as number) - 1;
  }

  #variant(type: Type): Variant {
    const expected = "the signature of one type, and then its value, for example u 42";
    const signature = this.#next(type, expected);
    if (!isSingleCompleteType(signature)) throw this.#misfit(type, expected);
    const [inner] = parseSignature(signature) as readonly [Type]; // exactly one
    return new Variant(signature, this.value(inner));
  }

  #array(type: Type): unknown {
    const [element] = type.children as readonly [Type]; // an array has an element type
    const expected = `the number of elements, and then they themselves, for example ${exampleOf(type)}`;
    const word = this.#next(type, expected);
    // There cannot be more than fit into a message.
    const count = BASIC_TYPES.u.read(word);
    if (typeof count !== "number") throw this.#misfit(type, expected);
    const rest = this.#words.length - this.#at;
    if (count > rest) {
      const follow = rest === 1 ? "1 word follows" : `${rest} words follow`;
      throw this.#misfit(type, `${expected}; ${follow}`);
    }
    const values: unknown[] = [];
    for (let index = 0; index < count; index++) values.push(this.value(element));
    if (element.code === "y") return Uint8Array.from(values as number[]); // y is a number
    // A dict entry has two fields.
    return element.code === "{" ? new Map(values as [unknown, unknown][]) : values;
  }

  #next(type: Type, expected: string): string {
    const word = this.#words[this.#at++];
    if (word !== undefined) return word;
    throw misuse(
      `too few arguments for signature "${this.#signature}": argument ${this.#at}, of type ${type.signature}, is missing: expected ${expected}`,
      this.#exampleHint(),
    );
  }

  /** The word that was just taken is not what the type needs. */
  #misfit(type: Type, expected: string): CommandProblem {
    const word = JSON.stringify(this.#words[this.#at - 1]);
    return misuse(
      `argument ${this.#at} (${word}) of type ${type.signature}: expected ${expected}`,
      this.#signature === type.signature ? null : this.#exampleHint(),
    );
  }

  #exampleHint(): string {
    const example = exampleOfAll(parseSignature(this.#signature));
    return `arguments of signature "${this.#signature}" are for example: ${example}`;
  }
}
