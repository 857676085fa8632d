/** Arguments as `busctl call` prints them: the signature, then the values; of long ones the beginning. */

import { parseSignature, type Type } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import { oneLine } from "../print/table.ts";

/** How much of a value is shown. */
export interface TextLimits {
  readonly stringCharacters: number;
  readonly arrayElements: number;
  /** Of all arguments of a message together, roughly. */
  readonly totalCharacters: number;
}

export const BRIEF: TextLimits = { stringCharacters: 80, arrayElements: 16, totalCharacters: 400 };
export const AMPLE: TextLimits = {
  stringCharacters: 1000,
  arrayElements: 100,
  totalCharacters: 20_000,
};
export const FULL: TextLimits = {
  stringCharacters: Number.POSITIVE_INFINITY,
  arrayElements: Number.POSITIVE_INFINITY,
  totalCharacters: Number.POSITIVE_INFINITY,
};

/** On one line, `as 2 "a" "b"`; "" if there are none. */
export function argumentText(
  signature: string,
  body: readonly unknown[],
  limits: TextLimits,
): string {
  const words = new Words(limits);
  words.add(signature);
  parseSignature(signature).forEach((type, index) => {
    words.addValue(type, body[index]);
  });
  return words.text;
}

/** In quotes, on one line, with nothing in it that moves a terminal's cursor. */
export function quoted(text: string, limits: TextLimits): string {
  const rest = text.length - limits.stringCharacters;
  const start = rest > 0 ? text.slice(0, limits.stringCharacters) : text;
  const escaped = oneLine(start.replaceAll(/["\\]/g, "\\$&"));
  return rest > 0 ? `"${escaped}"…(+${rest})` : `"${escaped}"`;
}

/** A number, a boolean or a string. */
export function basicText(value: unknown, limits: TextLimits): string {
  return typeof value === "string" ? quoted(value, limits) : String(value);
}

/** The elements of an array, of a dictionary its entries, and how many more there are. */
export function elementsOf(
  value: unknown,
  limits: TextLimits,
): { elements: unknown[]; count: number; hiddenCount: number } {
  const isDictionary = value instanceof Map;
  // Arrays, Maps and Uint8Arrays are what `unmarshal` makes of arrays.
  const all = value as Iterable<unknown> & { readonly length: number; readonly size: number };
  const count = isDictionary ? all.size : all.length;
  const elements: unknown[] = [];
  for (const element of all) {
    if (elements.length >= limits.arrayElements) break;
    elements.push(element);
  }
  return { elements, count, hiddenCount: count - elements.length };
}

class Words {
  readonly #limits: TextLimits;
  readonly #words: string[] = [];
  #length = 0;

  constructor(limits: TextLimits) {
    this.#limits = limits;
  }

  get text(): string {
    return `${this.#words.join(" ")}${this.#isFull ? " …" : ""}`;
  }

  get #isFull(): boolean {
    return this.#length > this.#limits.totalCharacters;
  }

  add(word: string): void {
    if (word === "" || this.#isFull) return;
    this.#words.push(word);
    this.#length += word.length + 1;
  }

  addValue(type: Type, value: unknown): void {
    if (this.#isFull) return;
    const [element] = type.children;
    if (value instanceof Variant) {
      this.add(value.signature);
      for (const inner of parseSignature(value.signature)) this.addValue(inner, value.value);
    } else if (type.code === "a" && element !== undefined) {
      const { elements, count, hiddenCount } = elementsOf(value, this.#limits);
      this.add(String(count));
      for (const each of elements) this.addValue(element, each);
      if (hiddenCount > 0) this.add(`…(+${hiddenCount})`);
    } else if (type.children.length > 0) {
      const fields = value as readonly unknown[]; // a struct or an entry of a dictionary
      type.children.forEach((field, index) => {
        this.addValue(field, fields[index]);
      });
    } else this.add(basicText(value, this.#limits));
  }
}
