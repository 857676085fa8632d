/** Random signatures and values that fit them. */

import { parseSignature, type Type } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import type { Random } from "./random.ts";

const BASIC = [..."ybnqiuxtdsogh"];
const TEXTS = ["", "a", "é", "€uro", "😀", "org.example.A", "/a/b", "\u{10ffff}", "x".repeat(600)];
const PATHS = ["/", "/a", "/org/example/b", "/a/b/"];
const SIGNATURES = ["", "s", "a{sv}", "(yu)", "aa(s)"];

/** At most `depth` containers deep, one complete type. */
export function randomType(random: Random, depth: number): string {
  const inner = (): string => randomType(random, depth - 1);
  if (depth <= 0) return random.pick(BASIC);
  switch (random.below(7)) {
    case 0:
      return "v";
    case 1:
      return `a${inner()}`;
    case 2:
      return `(${Array.from({ length: 1 + random.below(3) }, inner).join("")})`;
    case 3:
      return `a{${random.pick(BASIC)}${inner()}}`;
    default:
      return random.pick(BASIC);
  }
}

export function randomSignature(random: Random): string {
  return Array.from({ length: random.below(5) }, () => randomType(random, random.below(4))).join(
    "",
  );
}

/** As `marshal` takes it. Some paths are none: then it throws. */
export function randomValue(type: Type, random: Random): unknown {
  switch (type.code) {
    case "y":
      return random.below(256);
    case "b":
      return random.below(2) === 0;
    case "n":
      return random.below(0x10000) - 0x8000;
    case "q":
      return random.below(0x10000);
    case "i":
      return random.below(2 ** 32) - 2 ** 31;
    case "u":
    case "h":
      return random.below(2 ** 32);
    case "x":
      return BigInt(random.below(2 ** 32)) - 5n;
    case "t":
      return BigInt(random.below(2 ** 32));
    case "d":
      return random.pick([0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]);
    case "s":
      return random.pick(TEXTS);
    case "o":
      return random.pick(PATHS);
    case "g":
      return random.pick(SIGNATURES);
    case "v": {
      const signature = randomType(random, random.below(3));
      const [only] = parseSignature(signature);
      return new Variant(signature, only === undefined ? null : randomValue(only, random));
    }
    case "a":
      return arrayOf(type.children[0] as Type, random); // an array has an element type
    case "(":
    case "{":
      return type.children.map((child) => randomValue(child, random));
  }
}

function arrayOf(element: Type, random: Random): unknown {
  const values = Array.from({ length: random.below(4) }, () => randomValue(element, random));
  return element.code === "{" ? new Map(values as [unknown, unknown][]) : values; // made of two children
}
