/** What stands before the root element and decides how the rest is read: the XML declaration and the DTD. */

/** An entity as its declaration has it; `value` is the replacement text, with character references resolved. */
export type Entity =
  | { readonly kind: "internal"; readonly value: string }
  | { readonly kind: "external" }
  /** Not XML at all (NDATA). */
  | { readonly kind: "binary" };

/** An attribute that the DTD speaks of. */
export interface AttributeDeclaration {
  /** Spaces around the value, and more than one inside, do not count: every type but CDATA. */
  readonly isTokenized: boolean;
  /** The value where the attribute is not written, in its quotes and with its references; `null` for none. */
  readonly defaultValue: string | null;
  /** Where the default stands. */
  readonly offset: number;
}

/** What a document says before its root element. */
export interface Prolog {
  /** Where the XML declaration ends, or 0. */
  readonly declarationEnd: number;
  /** The DOCTYPE; both are 0 if there is none. */
  readonly documentTypeStart: number;
  readonly documentTypeEnd: number;
  /** By name; of two declarations the first counts. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** By element, then by attribute. */
  readonly attributes: ReadonlyMap<string, ReadonlyMap<string, AttributeDeclaration>>;
  /** The part of the DTD that nobody reads may declare more: an unknown entity is no error then. */
  readonly isIncomplete: boolean;
}

/** Thrown inside this room for what is not well-formed; `offset` counts UTF-16 units of the document. */
export class PrologError extends Error {
  override readonly name = "PrologError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const nameStart =
  ":A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
/** A name as the source of a regular expression with the flag `u`. */
export const NAME: string = `[${nameStart}][-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}${nameStart}]*`;
const NAME_TOKEN = `[-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}${nameStart}]+`;
const SPACE = "[\\t\\n\\r ]";

const sticky = (source: string): RegExp => new RegExp(source, "uy");

// No version is refused: expat, which dbus-daemon uses, does not look at it.
const xmlDeclaration = sticky(
  `<\\?xml${SPACE}+version${SPACE}*=${SPACE}*("[\\w.:-]*"|'[\\w.:-]*')` +
    `(?:${SPACE}+encoding${SPACE}*=${SPACE}*("[A-Za-z][\\w.-]*"|'[A-Za-z][\\w.-]*'))?` +
    `(?:${SPACE}+standalone${SPACE}*=${SPACE}*(["'])(yes|no)\\3)?${SPACE}*\\?>`,
);
const xmlDeclarationStart = sticky(`<\\?xml(?=${SPACE})`);
const spaces = sticky(`${SPACE}+`);
const instructionStart = sticky(`<\\?(?![xX][mM][lL](?:${SPACE}|\\?))${NAME}(?=${SPACE}|\\?>)`);
const literal = sticky(`"[^"]*"|'[^']*'`);
const publicLiteral = sticky(`"[- \\r\\n\\w'()+,./:=?;!*#@$%]*"|'[- \\r\\n\\w()+,./:=?;!*#@$%]*'`);
const name = sticky(NAME);
const parameterReference = sticky(`%${NAME};`);
const documentTypeStart = sticky(`<!DOCTYPE(?=${SPACE})`);
const entityStart = sticky(`<!ENTITY(?=${SPACE})`);
const attributeListStart = sticky(`<!ATTLIST(?=${SPACE})`);
// Nobody asks what may be inside what: of content models only the end is looked for.
const elementDeclaration = sticky(
  `<!ELEMENT${SPACE}+${NAME}${SPACE}+(?:(?:EMPTY|ANY)${SPACE}*|\\([^<>"'&%\\[\\]]*)>`,
);
const notationStart = sticky(`<!NOTATION(?=${SPACE})`);
const attributeType = sticky(
  `(?:CDATA|IDREFS|IDREF|ID|ENTITY|ENTITIES|NMTOKENS|NMTOKEN)(?=${SPACE})|` +
    `(?:NOTATION${SPACE}+)?\\(${SPACE}*${NAME_TOKEN}${SPACE}*(?:\\|${SPACE}*${NAME_TOKEN}${SPACE}*)*\\)(?=${SPACE})`,
);
const withoutDefault = sticky("#REQUIRED|#IMPLIED");
const fixed = sticky(`#FIXED(?=${SPACE})`);
const notXml = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
/** `&name;` or a character reference. */
const reference = sticky(`&(?:(${NAME})|#(\\d+)|#x([0-9A-Fa-f]+));`);

/** Reads the XML declaration, if there is one, and the DOCTYPE, if there is one. @throws PrologError */
export function readProlog(document: string): Prolog {
  return new PrologReader(document).read();
}

/** The character of a character reference, or `null` if XML does not have it. */
export function characterOf(decimal: string | undefined, hexadecimal: string): string | null {
  const code =
    decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number.parseInt(decimal, 10);
  const isCharacter =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x1_0000 && code <= 0x10_ffff);
  return isCharacter ? String.fromCodePoint(code) : null;
}

class PrologReader {
  readonly #document: string;
  readonly #entities: Map<string, Entity> = new Map();
  readonly #attributes: Map<string, Map<string, AttributeDeclaration>> = new Map();
  #at = 0;
  #isStandalone = false;
  /** There is, or may be, a part that is not read. */
  #isIncomplete = false;
  /** After a parameter entity, which is not read, nobody knows whether a declaration is the first. */
  #isCounting = true;

  constructor(document: string) {
    this.#document = document;
  }

  read(): Prolog {
    const declarationEnd = this.#readXmlDeclaration();
    // What is malformed here is left to the parser, which comes by as well.
    while (this.#takeMiscellany());
    const start = this.#at;
    const hasDocumentType = this.#take(documentTypeStart) !== null;
    if (hasDocumentType) this.#readDocumentType();
    return {
      declarationEnd,
      documentTypeStart: hasDocumentType ? start : 0,
      documentTypeEnd: hasDocumentType ? this.#at : 0,
      entities: this.#entities,
      attributes: this.#attributes,
      isIncomplete: this.#isIncomplete && !this.#isStandalone,
    };
  }

  #readXmlDeclaration(): number {
    if (this.#take(xmlDeclarationStart) === null) return 0;
    this.#at = 0;
    const declaration = this.#take(xmlDeclaration);
    if (declaration === null) throw new PrologError("the XML declaration is not well-formed", 0);
    this.#isStandalone = declaration[4] === "yes";
    return this.#at;
  }

  #readDocumentType(): void {
    this.#demand(spaces, "a space");
    this.#demand(name, "the name of the root element");
    if (this.#take(spaces) !== null) this.#readExternalId(false);
    this.#take(spaces);
    const start = this.#at;
    if (this.#takeText("[")) this.#readInternalSubset();
    this.#take(spaces);
    this.#demandText(">");
    const forbidden = this.#document.slice(start, this.#at).search(notXml);
    if (forbidden !== -1) this.#failAt("a character is not allowed", start + forbidden);
  }

  /** `SYSTEM "…"` or `PUBLIC "…" "…"`: where more is, which is not read. */
  #readExternalId(isEntity: boolean): boolean {
    if (this.#takeText("PUBLIC")) {
      this.#demand(spaces, "a space");
      this.#demand(publicLiteral, "a public identifier in quotes");
    } else if (!this.#takeText("SYSTEM")) return false;
    this.#demand(spaces, "a space");
    this.#demand(literal, "a system identifier in quotes");
    if (!isEntity) this.#isIncomplete = true;
    return true;
  }

  #readInternalSubset(): void {
    while (!this.#takeText("]")) {
      if (this.#takeMiscellany()) continue;
      if (this.#take(parameterReference) !== null) {
        this.#isIncomplete = true;
        this.#isCounting = this.#isStandalone;
      } else if (this.#take(entityStart) !== null) this.#readEntity();
      else if (this.#take(attributeListStart) !== null) this.#readAttributeList();
      else if (this.#take(notationStart) !== null) this.#readNotation();
      else if (this.#take(elementDeclaration) === null) this.#fail("a declaration");
    }
  }

  #readEntity(): void {
    this.#demand(spaces, "a space");
    const isParameter = this.#takeText("%");
    if (isParameter) this.#demand(spaces, "a space");
    const [entityName] = this.#demand(name, "the name of an entity");
    this.#demand(spaces, "a space");
    const entity = this.#readEntityDefinition(isParameter);
    this.#take(spaces);
    this.#demandText(">");
    if (isParameter || !this.#isCounting || this.#entities.has(entityName)) return;
    this.#entities.set(entityName, entity);
  }

  #readEntityDefinition(isParameter: boolean): Entity {
    if (this.#readExternalId(true)) {
      const before = this.#at;
      if (this.#take(spaces) !== null && this.#takeText("NDATA")) {
        if (isParameter) this.#fail('">"');
        this.#demand(spaces, "a space");
        this.#demand(name, "the name of a notation");
        return { kind: "binary" };
      }
      this.#at = before;
      return { kind: "external" };
    }
    const start = this.#at + 1;
    const [quoted] = this.#demand(literal, "a value in quotes");
    const value = quoted.slice(1, -1);
    // What does not count is not looked into, either.
    return {
      kind: "internal",
      value: this.#isCounting ? this.#replacementText(value, start) : value,
    };
  }

  /** Character references are resolved where they are declared, all others where they are used. */
  #replacementText(value: string, start: number): string {
    let text = "";
    let done = 0;
    for (let at = value.search(/[&%]/); at !== -1; at = nextOf(value, done)) {
      text += value.slice(done, at);
      if (value[at] === "%") {
        throw new PrologError('"%" is not allowed in the value of an entity here', start + at);
      }
      reference.lastIndex = at;
      const found = reference.exec(value);
      if (found === null) throw new PrologError('"&" begins no reference', start + at);
      const [whole, entity, decimal, hexadecimal = ""] = found;
      const character = entity === undefined ? characterOf(decimal, hexadecimal) : whole;
      if (character === null) {
        throw new PrologError(`${whole} is no character that XML allows`, start + at);
      }
      text += character;
      done = at + whole.length;
    }
    return text + value.slice(done);
  }

  #readAttributeList(): void {
    this.#demand(spaces, "a space");
    const [element] = this.#demand(name, "the name of an element");
    for (;;) {
      const isSeparated = this.#take(spaces) !== null;
      if (this.#takeText(">")) return;
      if (!isSeparated) this.#fail("a space");
      const [attribute] = this.#demand(name, "the name of an attribute");
      this.#demand(spaces, "a space");
      const [type] = this.#demand(attributeType, "the type of an attribute");
      this.#demand(spaces, "a space");
      const declaration = { isTokenized: type !== "CDATA", ...this.#readDefault() };
      if (!this.#isCounting) continue;
      const known = this.#attributes.get(element) ?? new Map<string, AttributeDeclaration>();
      this.#attributes.set(element, known);
      if (!known.has(attribute)) known.set(attribute, declaration);
    }
  }

  #readDefault(): Pick<AttributeDeclaration, "defaultValue" | "offset"> {
    if (this.#take(withoutDefault) !== null) return { defaultValue: null, offset: this.#at };
    if (this.#take(fixed) !== null) this.#demand(spaces, "a space");
    const offset = this.#at;
    const [defaultValue] = this.#demand(literal, "a default in quotes");
    if (this.#isCounting && defaultValue.includes("<")) {
      this.#failAt('"<" is not allowed in the value of an attribute', offset);
    }
    return { defaultValue, offset };
  }

  #readNotation(): void {
    this.#demand(spaces, "a space");
    this.#demand(name, "the name of a notation");
    this.#demand(spaces, "a space");
    if (this.#takeText("PUBLIC")) {
      this.#demand(spaces, "a space");
      this.#demand(publicLiteral, "a public identifier in quotes");
      if (this.#take(spaces) !== null) this.#take(literal);
    } else if (!this.#readExternalId(true)) this.#fail("SYSTEM or PUBLIC");
    this.#take(spaces);
    this.#demandText(">");
  }

  /** Spaces, a comment or a processing instruction: what says nothing. */
  #takeMiscellany(): boolean {
    const document = this.#document;
    if (this.#take(spaces) !== null) return true;
    if (document.startsWith("<!--", this.#at)) {
      const end = document.indexOf("--", this.#at + 4);
      if (end === -1 || document[end + 2] !== ">") return false;
      this.#at = end + 3;
      return true;
    }
    const before = this.#at;
    if (this.#take(instructionStart) === null) return false;
    const end = document.indexOf("?>", this.#at);
    this.#at = end === -1 ? before : end + 2;
    return end !== -1;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#document);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  #takeText(text: string): boolean {
    if (!this.#document.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #demand(pattern: RegExp, what: string): RegExpExecArray {
    return this.#take(pattern) ?? this.#fail(what);
  }

  #demandText(text: string): void {
    if (!this.#takeText(text)) this.#fail(`"${text}"`);
  }

  #fail(expected: string): never {
    return this.#failAt(`the document type is not well-formed: ${expected} is expected`, this.#at);
  }

  #failAt(message: string, offset: number): never {
    throw new PrologError(message, Math.min(offset, this.#document.length));
  }
}

function nextOf(value: string, from: number): number {
  const at = value.slice(from).search(/[&%]/);
  return at === -1 ? -1 : from + at;
}
