/** Puts what entities stand for in their place, within a limit, and remembers where each piece came from. */

import {
  type AttributeDeclaration,
  type Entity,
  NAME,
  type Prolog,
  PrologError,
} from "./document-type.ts";

/** A reference that stands for nothing here, because what declares it is not read. */
export interface Skipped {
  readonly name: string;
  /** Where, in UTF-16 units of the document. */
  readonly offset: number;
}

/** A document without DOCTYPE and without references to declared entities. */
export interface Expansion {
  readonly text: string;
  readonly skipped: readonly Skipped[];
  /** As in the prolog, but without references to declared entities. */
  readonly attributes: Prolog["attributes"];
  /** Where in the document a place of `text` comes from; for what an entity stands for, its reference. */
  offsetIn(textOffset: number): number;
}

/** What is asked of a parser: does every element end in `content` that begins in it, and no other? */
export type BalanceCheck = (content: string) => boolean;

const predefined = ["lt", "gt", "amp", "apos", "quot"];
const reference = new RegExp(`&(?:(${NAME})|#\\d+|#x[0-9A-Fa-f]+);`, "uy");
/** What is not a tag although it begins with "<", and how it ends. */
const untouched: readonly (readonly [start: string, end: string])[] = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
];

/**
 * Expands `document`, whose prolog this is. What entities stand for may be `maxCharacters` long in all,
 * so that the work is bounded however they are nested; with 0 there are only the predefined ones.
 *
 * @throws PrologError for references without declaration, to themselves, to what is no XML, to external
 *   entities in attributes, and beyond the limit
 */
export function expandEntities(
  document: string,
  prolog: Prolog,
  maxCharacters: number,
  isBalanced: BalanceCheck,
): Expansion {
  const pieces = new Pieces(document);
  // Something has to be left: an XML declaration that comes behind must not be the first thing.
  if (prolog.declarationEnd !== 0) pieces.replace(0, prolog.declarationEnd, " ");
  const expander = new Expander(prolog, maxCharacters, isBalanced);
  const attributes = new Map<string, ReadonlyMap<string, AttributeDeclaration>>();
  if (prolog.documentTypeEnd !== 0) {
    pieces.replace(prolog.documentTypeStart, prolog.documentTypeEnd, " ");
    for (const [element, declarations] of maxCharacters === 0 ? [] : prolog.attributes) {
      attributes.set(element, expander.expandDefaults(declarations));
    }
    expander.expandContent(document, prolog.documentTypeEnd, (at, end, name) => {
      pieces.replace(at, end, name);
    });
  }
  const text = pieces.finish();
  const offsetIn = (textOffset: number): number => pieces.offsetIn(textOffset);
  return { text, skipped: expander.skipped, attributes, offsetIn };
}

type Replace = (at: number, end: number, replacement: string) => void;

class Expander {
  readonly skipped: Skipped[] = [];
  readonly #prolog: Prolog;
  readonly #isBalanced: BalanceCheck;
  /** What has been expanded, in content and in attributes; `null` while it is being expanded. */
  readonly #inContent: Map<string, string | null> = new Map();
  readonly #inAttributes: Map<string, string | null> = new Map();
  #charactersLeft: number;
  readonly #maxCharacters: number;
  /** Where in the document the reference stands that everything below follows from. */
  #offset = 0;
  #depth = 0;

  constructor(prolog: Prolog, maxCharacters: number, isBalanced: BalanceCheck) {
    this.#prolog = prolog;
    this.#maxCharacters = maxCharacters;
    this.#charactersLeft = maxCharacters;
    this.#isBalanced = isBalanced;
  }

  expandDefaults(
    declarations: ReadonlyMap<string, AttributeDeclaration>,
  ): ReadonlyMap<string, AttributeDeclaration> {
    const expanded = new Map<string, AttributeDeclaration>();
    for (const [name, declaration] of declarations) {
      const { defaultValue, offset } = declaration;
      this.#offset = offset;
      this.#depth++;
      const value = defaultValue && this.#expanded(defaultValue, this.#inAttribute);
      this.#depth--;
      if (value !== null && !this.#isBalanced(`<a b=${value}/>`)) {
        throw this.#error(`the default of the attribute "${name}" is not well-formed`);
      }
      expanded.set(name, { ...declaration, defaultValue: value });
    }
    return expanded;
  }

  /** Finds the references in content, with tags and all, from `from` on. Malformed markup ends the search. */
  expandContent(text: string, from: number, replace: Replace): void {
    const interesting = /[<&]/g;
    for (let at = from; ; ) {
      interesting.lastIndex = at;
      const found = interesting.exec(text);
      if (found === null) return;
      at = found.index;
      if (text[at] === "&") at = this.#expandReference(text, at, this.#content, replace);
      else {
        const kind = untouched.find(([start]) => text.startsWith(start, at));
        if (kind === undefined) at = this.#expandTag(text, at + 1, replace);
        else {
          const [start, end] = kind;
          const ending = text.indexOf(end, at + start.length);
          at = ending === -1 ? -1 : ending + end.length;
        }
        if (at === -1) return;
      }
    }
  }

  /** Returns where the tag ends, or -1. */
  #expandTag(text: string, from: number, replace: Replace): number {
    const quoteOrEnd = /["'>]/g;
    for (let at = from; ; ) {
      quoteOrEnd.lastIndex = at;
      const found = quoteOrEnd.exec(text);
      if (found === null) return -1;
      const [character] = found;
      if (character === ">") return found.index + 1;
      const end = text.indexOf(character, found.index + 1);
      if (end === -1) return -1;
      for (let next = text.indexOf("&", found.index); next !== -1 && next < end; ) {
        next = text.indexOf("&", this.#expandReference(text, next, this.#inAttribute, replace));
      }
      at = end + 1;
    }
  }

  /** Returns where to go on. */
  #expandReference(
    text: string,
    at: number,
    expansionOf: (name: string) => string,
    replace: Replace,
  ): number {
    reference.lastIndex = at;
    const found = reference.exec(text);
    if (found === null) {
      // In the document the parser says so.
      if (this.#depth === 0) return at + 1;
      throw this.#error('"&" begins no reference');
    }
    const [whole, name] = found;
    const end = at + whole.length;
    if (name === undefined || predefined.includes(name)) return end;
    if (this.#depth === 0) this.#offset = at;
    this.#depth++;
    const replacement = expansionOf(name);
    this.#depth--;
    this.#spend(replacement.length);
    replace(at, end, replacement);
    return end;
  }

  readonly #content = (name: string): string => {
    const entity = this.#find(name, this.#inContent);
    if (typeof entity === "string") return entity;
    if (entity?.kind !== "internal") {
      if (entity?.kind === "binary") throw this.#error(`"${name}" is no XML`);
      return this.#skip(name);
    }
    const expanded = this.#build(
      (replace) => this.expandContent(entity.value, 0, replace),
      entity.value,
    );
    if (expanded.includes("<") && !this.#isBalanced(expanded)) {
      throw this.#error(`elements do not end where they begin in what "${name}" stands for`);
    }
    this.#inContent.set(name, expanded);
    return expanded;
  };

  readonly #inAttribute = (name: string): string => {
    const entity = this.#find(name, this.#inAttributes);
    if (typeof entity === "string") return entity;
    if (entity === null) return this.#skip(name);
    if (entity.kind !== "internal") {
      throw this.#error(`"${name}" is an external entity, which an attribute cannot have`);
    }
    if (entity.value.includes("<")) {
      throw this.#error(`"${name}" has a "<", which an attribute cannot have`);
    }
    const expanded = this.#expanded(entity.value, this.#inAttribute)
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&apos;");
    this.#inAttributes.set(name, expanded);
    return expanded;
  };

  /** What has been expanded already, or what to expand; `null` if it cannot be known. */
  #find(name: string, expansions: Map<string, string | null>): string | Entity | null {
    if (this.#maxCharacters === 0) throw this.#error(`the entity "${name}" is not predefined`);
    const known = expansions.get(name);
    if (typeof known === "string") return known;
    if (known === null) throw this.#error(`"${name}" stands for something with itself in it`);
    const entity = this.#prolog.entities.get(name);
    if (entity?.kind === "internal") expansions.set(name, null);
    if (entity !== undefined) return entity;
    if (this.#prolog.isIncomplete) return null;
    throw this.#error(`the entity "${name}" is not declared`);
  }

  #skip(name: string): string {
    this.skipped.push({ name, offset: this.#offset });
    return "";
  }

  #expanded(text: string, expansionOf: (name: string) => string): string {
    return this.#build((replace) => {
      for (let at = text.indexOf("&"); at !== -1; ) {
        at = text.indexOf("&", this.#expandReference(text, at, expansionOf, replace));
      }
    }, text);
  }

  #build(expand: (replace: Replace) => void, text: string): string {
    let built = "";
    let done = 0;
    expand((at, end, replacement) => {
      built += text.slice(done, at) + replacement;
      done = end;
    });
    this.#spend(text.length);
    return built + text.slice(done);
  }

  #spend(characters: number): void {
    this.#charactersLeft -= characters;
    if (this.#charactersLeft >= 0) return;
    throw this.#error(`entities stand for more than ${this.#maxCharacters} characters`);
  }

  #error(message: string): PrologError {
    return new PrologError(message, this.#offset);
  }
}

/** A text made of pieces of a document and of replacements. */
class Pieces {
  readonly #document: string;
  readonly #pieces: string[] = [];
  /** For every piece, where it starts in the text and in the document, and whether it is copied from there. */
  readonly #textStarts: number[] = [];
  readonly #starts: number[] = [];
  readonly #isCopied: boolean[] = [];
  #length = 0;
  #done = 0;

  constructor(document: string) {
    this.#document = document;
  }

  replace(at: number, end: number, replacement: string): void {
    this.#push(this.#document.slice(this.#done, at), this.#done, true);
    this.#push(replacement, at, false);
    this.#done = end;
  }

  finish(): string {
    const { length } = this.#document;
    this.replace(length, length, "");
    return this.#pieces.join("");
  }

  offsetIn(textOffset: number): number {
    let low = 0;
    let high = this.#textStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#textStarts[middle] ?? 0) <= textOffset) low = middle;
      else high = middle - 1;
    }
    const start = this.#starts[low] ?? 0;
    return this.#isCopied[low] === true ? start + textOffset - (this.#textStarts[low] ?? 0) : start;
  }

  #push(piece: string, start: number, isCopied: boolean): void {
    if (piece === "" && this.#starts.length > 0) return;
    this.#pieces.push(piece);
    this.#textStarts.push(this.#length);
    this.#starts.push(start);
    this.#isCopied.push(isCopied);
    this.#length += piece.length;
  }
}
