/** Values as JSON, in busctl's shape: `{"type":"u","data":5}` for a variant, an object for a dictionary. */

import { LosslessNumber } from "lossless-json";
import { parseSignature, type Type } from "../../wire/signature.ts";
import type { Variant } from "../../wire/variant.ts";
import { elementsOf } from "./value.ts";

/** `{"type":"as","data":[["a","b"]]}`: the signature, and a value for each of its types. */
export function bodyJson(signature: string, body: readonly unknown[]): object {
  const data = parseSignature(signature).map((type, index) => valueJson(type, body[index]));
  return { type: signature, data };
}

/** What `formatJson` prints for a value. Doubles that JSON has no numbers for are texts. */
export function valueJson(type: Type, value: unknown): unknown {
  switch (type.code) {
    case "v":
      return variantJson(value as Variant); // as all values here: what the signature says
    case "a": {
      const [element] = type.children as readonly [Type]; // an array has an element type
      if (element.code === "{") return dictionaryJson(element, value as Map<unknown, unknown>);
      return elementsOf(value).map((each) => valueJson(element, each));
    }
    case "(":
    case "{": {
      const fields = value as readonly unknown[];
      return type.children.map((field, index) => valueJson(field, fields[index]));
    }
    case "d":
      if (Object.is(value, -0)) return new LosslessNumber("-0.0");
      return Number.isFinite(value) ? value : String(value);
    default:
      return value;
  }
}

export function variantJson({ signature, value }: Variant): object {
  const [type] = parseSignature(signature) as readonly [Type]; // exactly one
  return { type: signature, data: valueJson(type, value) };
}

function dictionaryJson(entry: Type, pairs: ReadonlyMap<unknown, unknown>): object {
  const [, valueType] = entry.children as readonly [Type, Type]; // a dict entry has two
  // Not by assignment: peers may have a key such as __proto__.
  return Object.fromEntries(
    [...pairs].map(([key, value]) => [String(key), valueJson(valueType, value)]),
  );
}
