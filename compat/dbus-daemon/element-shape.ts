/** What may stand in an element of a configuration, and how an element with a problem is shown. */

import type { XmlElement } from "../../xml/parse.ts";
import type { Problem } from "./configuration.ts";

/**
 * No attributes but these, no elements inside (where none are read) and no text
 * unless it may hold some.
 */
export function checkShape(
  file: string,
  element: XmlElement,
  attributes: readonly string[],
  mayHoldText: boolean,
): Problem | null {
  for (const name of element.attributes.keys()) {
    if (!attributes.includes(name)) {
      return problemAt(file, element, `the attribute "${name}" is invalid here`);
    }
  }
  const holdsElements = element.name === "busconfig" || element.name === "selinux";
  const [child] = element.children;
  if (!holdsElements && child !== undefined) {
    return problemAt(file, child, "is not allowed in this context");
  }
  if (!mayHoldText && !isBlank(element.text)) {
    return problemAt(file, element, "no text is expected inside");
  }
  return null;
}

/** Is there nothing but white space of XML? A no-break space is something. */
export function isBlank(text: string): boolean {
  return /^[\t\n\r ]*$/.test(text);
}

/** A problem with an element, which is shown by its start tag; `null` for the whole file. */
export function problemAt(file: string, element: XmlElement | null, text: string): Problem {
  if (element === null) return { file, line: 0, element: "", text, includedFrom: [] };
  const attributes = [...element.attributes].map(([name, value]) => ` ${name}="${value}"`).join("");
  const shown = `<${element.name}${attributes}>`;
  return { file, line: element.line, element: shown, text, includedFrom: [] };
}
