/** Values over several lines, where one would be too long: what is in a container is indented below it. */

import { parseSignature, type Type } from "../../wire/signature.ts";
import type { Variant } from "../../wire/variant.ts";
import { elementsOf, formatBasic, formatSignature, formatValue } from "./value.ts";

const INDENTATION = "  ";

/** A line or more for each argument, each with its signature; `width` is that of the terminal. */
export function formatBodyLines(
  signature: string,
  body: readonly unknown[],
  width: number,
): string {
  return parseSignature(signature)
    .flatMap((type, index) =>
      linesOf(`${formatSignature(type.signature)} `, type, body[index], width),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** What fits is on one line, behind `label`; a container that does not has its number of elements there. */
function linesOf(label: string, type: Type, value: unknown, width: number): string[] {
  const line = `${label}${formatValue(type, value)}`;
  if (line.length <= width || !isContainer(type)) return [line];
  const inner = width - INDENTATION.length;
  switch (type.code) {
    case "v": {
      const variant = value as Variant; // as all values here: what the signature says
      const [only] = parseSignature(variant.signature) as readonly [Type];
      return linesOf(`${label}${formatSignature(variant.signature)} `, only, variant.value, width);
    }
    case "a": {
      const [element] = type.children as readonly [Type]; // an array has an element type
      const elements = elementsOf(value);
      return [
        `${label}${elements.length}`,
        ...elements.flatMap((each) => indented(elementLines(element, each, inner))),
      ];
    }
    default: {
      const fields = value as readonly unknown[];
      return [
        label.trimEnd(),
        ...type.children.flatMap((field, index) =>
          indented(linesOf("", field, fields[index], inner)),
        ),
      ];
    }
  }
}

function elementLines(element: Type, value: unknown, width: number): string[] {
  if (element.code !== "{") return linesOf(element.code === "(" ? "- " : "", element, value, width);
  const [, valueType] = element.children as readonly [Type, Type]; // a dict entry has two
  const [key, inner] = value as readonly [unknown, unknown];
  return linesOf(`${formatBasic(key)}  `, valueType, inner, width);
}

function isContainer({ code }: Type): boolean {
  return code === "v" || code === "a" || code === "(" || code === "{";
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `${INDENTATION}${line}`);
}
