/**
 * Typed arguments as JSON: an array with a value for each type of the signature.
 *
 * Arrays and structs are arrays, dictionaries objects; a variant is `{"type":"u","data":5}` as `--json` prints it, or a
 * text (s), true or false (b), or a number (i, x or d). Numbers may be texts: "0xff", "inf".
 */

import { parse } from "lossless-json";
import {
  type BasicTypeCode,
  isSingleCompleteType,
  parseSignature,
  type Type,
} from "../wire/signature.ts";
import { Variant } from "../wire/variant.ts";
import type { TypedArguments } from "./arguments.ts";
import { BASIC_TYPES } from "./basic-value.ts";
import { checkedSignature } from "./checked-signature.ts";
import { misuse } from "./command-problem.ts";

const INT32_LIMIT = 0x80000000n;

/** @throws CommandProblem that says which value, what was expected, and an example that fits */
export function parseJsonArguments(signature: string, text: string): TypedArguments {
  const types = checkedSignature(signature);
  const values = parseJson(text);
  const example = `for example ${jsonExampleOfAll(types)}`;
  if (!Array.isArray(values)) {
    throw misuse(`--args: expected a JSON array with the arguments, ${example}`);
  }
  if (values.length !== types.length) {
    throw misuse(
      `--args: signature "${signature}" takes ${types.length} arguments, not ${values.length}: ${example}`,
    );
  }
  const reading = new JsonReading();
  const body = types.map((type, index) =>
    reading.value(type, values[index], `argument ${index + 1}`),
  );
  return { signature, body, descriptors: reading.descriptors };
}

/** Whole numbers become bigints, so that 64 bits are never rounded. */
function parseJson(text: string): unknown {
  try {
    return parse(text, null, (number) =>
      /^-?[0-9]+$/.test(number) ? BigInt(number) : Number(number),
    );
  } catch (error) {
    throw misuse(`--args: malformed JSON: ${error instanceof Error ? error.message : error}`);
  }
}

class JsonReading {
  readonly descriptors: number[] = [];

  value(type: Type, value: unknown, where: string): unknown {
    switch (type.code) {
      case "v":
        return this.#variant(type, value, where);
      case "a":
        return this.#array(type, value, where);
      case "(":
      case "{": {
        const { length } = type.children;
        if (!Array.isArray(value) || value.length !== length) {
          throw misfit(type, value, where, `an array of ${length} values`);
        }
        return type.children.map((field, index) =>
          this.value(field, value[index], `${where}[${index}]`),
        );
      }
      default:
        return this.#basic(type, type.code, value, where);
    }
  }

  #basic(type: Type, code: BasicTypeCode, value: unknown, where: string): unknown {
    const { expected, read } = BASIC_TYPES[code];
    const basic = isReadable(code, value) ? read(wordOf(value)) : null;
    if (basic === null) throw misfit(type, value, where, expected);
    if (code !== "h") return basic;
    // What is read of an h is a number.
    return this.descriptors.push(basic as number) - 1;
  }

  #array(type: Type, value: unknown, where: string): unknown {
    const [element] = type.children as readonly [Type]; // an array has an element type
    if (element.code === "{") return this.#dictionary(type, element, value, where);
    if (!Array.isArray(value)) throw misfit(type, value, where, "an array");
    const values = value.map((each, index) => this.value(element, each, `${where}[${index}]`));
    return element.code === "y" ? Uint8Array.from(values) : values;
  }

  #dictionary(type: Type, entry: Type, value: unknown, where: string): unknown {
    if (!isObject(value)) throw misfit(type, value, where, "an object");
    const [keyType, valueType] = entry.children as readonly [Type, Type]; // a dict entry has two
    const pairs = Object.entries(value).map(([key, inner]): [unknown, unknown] => {
      const inside = `${where}[${JSON.stringify(key)}]`;
      const code = keyType.code as BasicTypeCode; // as those of all keys
      // All keys are texts in JSON.
      const keyValue = code === "b" && /^(true|false)$/.test(key) ? key === "true" : key;
      return [
        this.#basic(keyType, code, keyValue, `the key of ${inside}`),
        this.value(valueType, inner, inside),
      ];
    });
    return new Map(pairs);
  }

  #variant(type: Type, value: unknown, where: string): Variant {
    if (isObject(value) && "type" in value && "data" in value) {
      const { type: signature, data } = value;
      if (typeof signature !== "string" || !isSingleCompleteType(signature)) {
        throw misfit(type, signature, `the type of ${where}`, "the signature of one type");
      }
      const [inner] = parseSignature(signature) as readonly [Type]; // exactly one
      return new Variant(signature, this.value(inner, data, where));
    }
    if (typeof value === "string") return new Variant("s", value);
    if (typeof value === "boolean") return new Variant("b", value);
    if (typeof value === "number") return new Variant("d", value);
    if (typeof value === "bigint") {
      const isShort = value >= -INT32_LIMIT && value < INT32_LIMIT;
      return isShort ? new Variant("i", Number(value)) : new Variant("x", value);
    }
    throw misfit(type, value, where, "the type and the value");
  }
}

/** A JSON value as a word of the command line. */
function wordOf(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Could this JSON value stand for a value of the type? */
function isReadable(code: BasicTypeCode, value: unknown): boolean {
  if (code === "b") return typeof value === "boolean";
  if (typeof value === "string") return true;
  return !"sog".includes(code) && (typeof value === "bigint" || typeof value === "number");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function misfit(type: Type, value: unknown, where: string, expected: string): Error {
  const shown = JSON.stringify(value, (_key, each) =>
    typeof each === "bigint" ? Number(each) : each,
  );
  return misuse(
    `--args, ${where} (${shown}) of type ${type.signature}: expected ${expected}, for example ${jsonExampleOf(type)}`,
  );
}

function jsonExampleOf(type: Type): string {
  switch (type.code) {
    case "v":
      return '{"type":"u","data":42}';
    case "a": {
      const [element] = type.children as readonly [Type]; // an array has an element type
      if (element.code !== "{") return `[${jsonExampleOf(element)}]`;
      const [key, value] = element.children as readonly [Type, Type]; // a dict entry has two
      return `{${JSON.stringify(jsonExampleOf(key).replaceAll('"', ""))}:${jsonExampleOf(value)}}`;
    }
    case "(":
    case "{":
      return jsonExampleOfAll(type.children);
    case "o":
    case "g":
    case "s":
      return JSON.stringify(BASIC_TYPES[type.code].example.replaceAll('"', ""));
    default:
      return BASIC_TYPES[type.code].example;
  }
}

function jsonExampleOfAll(types: readonly Type[]): string {
  return `[${types.map(jsonExampleOf).join(",")}]`;
}
