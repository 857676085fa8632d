/** Strict XML to plain elements with positions: nothing external is read, bounded in size and depth. */

import {
  XmlElement as LibraryElement,
  XmlError as LibraryError,
  XmlText as LibraryText,
  parseXml as parseWithLibrary,
} from "@rgrove/parse-xml";
import { type AttributeDeclaration, PrologError, readProlog } from "./document-type.ts";
import { type Expansion, expandEntities } from "./entities.ts";

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
  | {
      readonly root: XmlElement;
      readonly problem: null;
      /** References that were left out, because what would declare them is not read. */
      readonly omissions: readonly XmlProblem[];
    }
  | { readonly root: null; readonly problem: XmlProblem };

/** How much is read at most. */
export interface XmlLimits {
  /** Of the whole document. */
  readonly maxCharacters: number;
  /** How deeply elements nest; the root is 1. */
  readonly maxDepth: number;
  /**
   * Of what entities stand for that the document itself declares, all references together. Default: 0,
   * there are only the predefined ones, and no document can grow while it is read.
   */
  readonly maxEntityCharacters?: number;
}

/** Far above every real configuration or introspection file (the largest known are around 200 kB). */
export const defaultXmlLimits: XmlLimits = { maxCharacters: 4 * 1024 * 1024, maxDepth: 64 };

/**
 * Parses a whole document.
 *
 * Nothing but the document is read, whatever its DOCTYPE names: no file and no URL is opened. Entities that
 * it declares itself are expanded within `limits.maxEntityCharacters`, and attributes have the defaults
 * that it declares. As the specification has it for parsers that do not read everything, an unknown entity is
 * an error unless something that is not read may declare it; then it stands for nothing.
 */
export function parseXml(document: string, limits: XmlLimits = defaultXmlLimits): XmlResult {
  if (document.length > limits.maxCharacters) {
    return refuse(`the document is longer than ${limits.maxCharacters} characters`, 1, 1);
  }
  const lines = new Lines(document);
  let expansion: Expansion;
  try {
    const prolog = readProlog(document);
    expansion = expandEntities(document, prolog, limits.maxEntityCharacters ?? 0, isBalanced);
  } catch (error) {
    if (!(error instanceof PrologError)) throw error;
    const { line, column } = lines.positionOf(error.offset);
    return refuse(error.message, line, column);
  }
  const { text, skipped, attributes, offsetIn } = expansion;
  let root: LibraryElement | null;
  try {
    root = parseWithLibrary(text, { includeOffsets: true }).root;
  } catch (error) {
    if (error instanceof LibraryError) {
      // The library puts the position and an excerpt behind its message; the position is a value here.
      const message = error.message.replace(/ \(line \d+, column \d+\)\n[\s\S]*$/, "");
      const { line, column } = lines.positionOf(offsetIn(utf16Offset(text, error.pos)));
      return refuse(message, line, column);
    }
    // The library recurses once per level; a document made only of opening tags ends its stack.
    if (error instanceof RangeError) {
      return refuse(`elements nest more than ${limits.maxDepth} deep`, 1, 1);
    }
    throw error;
  }
  if (root === null) return refuse("the document has no root element", 1, 1);
  const placeOf = (offset: number): Place => lines.positionOf(offset);
  const omissions = skipped.map(({ name, offset }) => ({
    message: `"&${name};" is left out: what declares it is not read`,
    ...placeOf(offset),
  }));
  const conversion = new Conversion((offset) => placeOf(offsetIn(offset)), attributes, limits);
  const converted = conversion.convert(root, 1);
  const { problem } = conversion;
  return problem === null ? { root: converted, problem, omissions } : { root: null, problem };
}

function refuse(message: string, line: number, column: number): XmlResult {
  return { root: null, problem: { message, line, column } };
}

/** Does every element end in `content` that begins in it, and no other? */
function isBalanced(content: string): boolean {
  try {
    parseWithLibrary(`<a>${content}</a>`);
    return true;
  } catch {
    return false;
  }
}

/** The library counts code points. */
function utf16Offset(text: string, codePoints: number): number {
  let offset = 0;
  for (let n = 0; n < codePoints && offset < text.length; n++) {
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** From the library's elements to ours. */
class Conversion {
  /** What was wrong, the first thing. */
  problem: XmlProblem | null = null;
  readonly #placeOf: (offset: number) => Place;
  readonly #attributes: Expansion["attributes"];
  readonly #limits: XmlLimits;
  /** Defaults as values, by what was written. */
  readonly #defaults: Map<string, string> = new Map();
  #charactersLeft: number;

  constructor(
    placeOf: (offset: number) => Place,
    attributes: Expansion["attributes"],
    limits: XmlLimits,
  ) {
    this.#placeOf = placeOf;
    this.#attributes = attributes;
    this.#limits = limits;
    this.#charactersLeft = limits.maxEntityCharacters ?? 0;
  }

  convert(element: LibraryElement, depth: number): XmlElement {
    const { name } = element;
    const place = this.#placeOf(element.start);
    if (depth > this.#limits.maxDepth) {
      this.#refuse(`elements nest more than ${this.#limits.maxDepth} deep`, place);
    }
    const attributes = new Map(Object.entries(element.attributes));
    const declarations = this.#attributes.get(name);
    if (declarations !== undefined) this.#declare(attributes, declarations, place);
    const children: XmlElement[] = [];
    let text = "";
    for (const child of this.problem === null ? element.children : []) {
      if (child instanceof LibraryElement) children.push(this.convert(child, depth + 1));
      else if (child instanceof LibraryText) text += child.text;
    }
    return { name, attributes, children, text, ...place };
  }

  #declare(
    attributes: Map<string, string>,
    declarations: ReadonlyMap<string, AttributeDeclaration>,
    place: Place,
  ): void {
    for (const [name, { isTokenized, defaultValue }] of declarations) {
      if (this.problem !== null) return;
      const value =
        attributes.get(name) ?? (defaultValue === null ? null : this.#valueOf(defaultValue));
      // Few declarations can be about many elements.
      this.#charactersLeft -= 1 + (value?.length ?? 0);
      if (this.#charactersLeft < 0)
        this.#refuse("declared attributes are too long together", place);
      if (value === null) continue;
      attributes.set(name, isTokenized ? value.replace(/ +/g, " ").replace(/^ | $/g, "") : value);
    }
  }

  #valueOf(quoted: string): string {
    const known = this.#defaults.get(quoted);
    if (known !== undefined) return known;
    const value = parseWithLibrary(`<a b=${quoted}/>`).root?.attributes["b"] ?? "";
    this.#defaults.set(quoted, value);
    return value;
  }

  #refuse(message: string, place: Place): void {
    this.problem ??= { message, ...place };
  }
}

/** Where each line of a document starts, to turn offsets into lines and columns. */
class Lines {
  readonly #starts: number[] = [0];

  constructor(document: string) {
    for (let at = document.indexOf("\n"); at !== -1; at = document.indexOf("\n", at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  positionOf(offset: number): Place {
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
