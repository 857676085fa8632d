/**
 * Values on one line, as busctl prints them: the signature, and then words that are arguments again.
 *
 * Unlike busctl's, texts with characters that mean something to a shell are quoted for one (POSIX 2024: bash, zsh, ksh),
 * letters of all languages are themselves, and doubles have all their digits.
 */

import { parseSignature, type Type } from "../../wire/signature.ts";
import type { Variant } from "../../wire/variant.ts";
import { quote } from "./shell-word.ts";

/** Such as `as 2 "a" "b"`; the body is what `unmarshal` makes. */
export function formatBody(signature: string, body: readonly unknown[]): string {
  const words = parseSignature(signature).flatMap((type, index) => formatValue(type, body[index]));
  return [formatSignature(signature), ...words].join(" ");
}

/** A signature as a word: parentheses mean something to shells. */
export function formatSignature(signature: string): string {
  return signature === "" || signature.includes("(") ? quote(signature) : signature;
}

/** The words for one value: `2 "a" "b"`. */
export function formatValue(type: Type, value: unknown): string {
  return wordsOf(type, value).join(" ");
}

function wordsOf(type: Type, value: unknown): string[] {
  switch (type.code) {
    case "v": {
      const variant = value as Variant; // as all values here: what the signature says
      const [inner] = parseSignature(variant.signature) as readonly [Type];
      return [formatSignature(variant.signature), ...wordsOf(inner, variant.value)];
    }
    case "a": {
      const [element] = type.children as readonly [Type]; // an array has an element type
      const elements = elementsOf(value);
      return [String(elements.length), ...elements.flatMap((each) => wordsOf(element, each))];
    }
    case "(":
    case "{": {
      const fields = value as readonly unknown[];
      return type.children.flatMap((field, index) => wordsOf(field, fields[index]));
    }
    default:
      return [formatBasic(value)];
  }
}

/** The elements of an array; of a dictionary its pairs. */
export function elementsOf(value: unknown): readonly unknown[] {
  // Arrays, Maps and Uint8Arrays all iterate over what they hold.
  return [...(value as Iterable<unknown>)];
}

/** A basic value as a word for a shell. */
export function formatBasic(value: unknown): string {
  if (typeof value === "string") return quote(value);
  return typeof value === "number" ? formatNumber(value) : String(value);
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  if (Number.isNaN(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}
