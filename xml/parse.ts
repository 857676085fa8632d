/** Strict XML to plain elements with positions: no external entities, bounded in size and depth. */

import {
  XmlElement as LibraryElement,
  XmlError as LibraryError,
  XmlText as LibraryText,
  parseXml as parseWithLibrary,
} from "@rgrove/parse-xml";

/** One element. `text` is the character data directly inside it, joined; `line` and `column` count from 1. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** Why a document was refused, and where; `line` and `column` count from 1. */
export interface XmlProblem {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

export type XmlResult =
  | { readonly root: XmlElement; readonly problem: null }
  | { readonly root: null; readonly problem: XmlProblem };

/** `maxCharacters` bounds the whole document, `maxDepth` how deeply elements nest (the root is 1). */
export interface XmlLimits {
  readonly maxCharacters: number;
  readonly maxDepth: number;
}

/** Far above every real configuration or introspection file (the largest known are around 200 kB). */
export const defaultXmlLimits: XmlLimits = { maxCharacters: 4 * 1024 * 1024, maxDepth: 64 };

/**
 * Parses a whole document.
 *
 * A DOCTYPE is accepted and never acted upon: no file or URL is opened, and entities that it declares
 * are unknown (a reference to one is an error). Only the five predefined entities and character
 * references have a meaning, so that no document can grow while it is read.
 */
export function parseXml(document: string, limits: XmlLimits = defaultXmlLimits): XmlResult {
  if (document.length > limits.maxCharacters) {
    return refuse(`the document is longer than ${limits.maxCharacters} characters`, 1, 1);
  }
  let root: LibraryElement | null;
  try {
    root = parseWithLibrary(document, { includeOffsets: true }).root;
  } catch (error) {
    if (error instanceof LibraryError) {
      // The library puts the position and an excerpt behind its message; the position is a value here.
      const message = error.message.replace(/ \(line \d+, column \d+\)\n[\s\S]*$/, "");
      return refuse(message, error.line, error.column);
    }
    // The library recurses once per level; a document made only of opening tags ends its stack.
    if (error instanceof RangeError) {
      return refuse(`elements nest more than ${limits.maxDepth} deep`, 1, 1);
    }
    throw error;
  }
  if (root === null) return refuse("the document has no root element", 1, 1);
  return convert(root, new Lines(document), limits.maxDepth);
}

function refuse(message: string, line: number, column: number): XmlResult {
  return { root: null, problem: { message, line, column } };
}

function convert(root: LibraryElement, lines: Lines, maxDepth: number): XmlResult {
  let problem: XmlProblem | null = null;
  const convertElement = (element: LibraryElement, depth: number): XmlElement => {
    const { line, column } = lines.positionOf(element.start);
    if (depth > maxDepth) {
      problem ??= { message: `elements nest more than ${maxDepth} deep`, line, column };
    }
    const children: XmlElement[] = [];
    let text = "";
    for (const child of problem === null ? element.children : []) {
      if (child instanceof LibraryElement) children.push(convertElement(child, depth + 1));
      else if (child instanceof LibraryText) text += child.text;
    }
    const attributes = new Map(Object.entries(element.attributes));
    return { name: element.name, attributes, children, text, line, column };
  };
  const converted = convertElement(root, 1);
  return problem === null ? { root: converted, problem } : { root: null, problem };
}

/** Where each line of a document starts, to turn offsets into lines and columns. */
class Lines {
  readonly #starts: number[] = [0];

  constructor(document: string) {
    for (let at = document.indexOf("\n"); at !== -1; at = document.indexOf("\n", at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  positionOf(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}
