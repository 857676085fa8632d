/** Writes XML with everything escaped that must be, indented by two spaces per level. */

/** What {@link writeXml} takes: an element with attributes and either children or text. */
export interface XmlOutput {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly children?: readonly XmlOutput[];
  readonly text?: string;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  // A parser normalizes these in attribute values, and carriage returns everywhere; references survive.
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

// XML 1.0 has no way at all to write these, not even as a character reference (section 2.2, Char).
const unwritable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being looked for
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** Escapes text for use inside double-quoted attribute values. Throws on characters XML cannot hold. */
export function escapeAttribute(value: string): string {
  return escapeCharacters(value, /[&<>"'\t\n\r]/g);
}

/** Escapes text for use between tags. Throws on characters XML cannot hold. */
export function escapeText(text: string): string {
  return escapeCharacters(text, /[&<>\r]/g);
}

function escapeCharacters(text: string, characters: RegExp): string {
  if (unwritable.test(text)) throw new RangeError("the text holds a character that XML cannot");
  return text.replace(characters, (character) => entities[character] ?? character);
}

/** One element and everything in it, ending in a newline. Names are the caller's own and are not checked. */
export function writeXml(element: XmlOutput, indentation = ""): string {
  let tag = `${indentation}<${element.name}`;
  for (const [name, value] of Object.entries(element.attributes ?? {})) {
    tag += ` ${name}="${escapeAttribute(value)}"`;
  }
  const children = element.children ?? [];
  if (children.length > 0) {
    const inside = children.map((child) => writeXml(child, `${indentation}  `)).join("");
    return `${tag}>\n${inside}${indentation}</${element.name}>\n`;
  }
  if (element.text === undefined || element.text === "") return `${tag}/>\n`;
  return `${tag}>${escapeText(element.text)}</${element.name}>\n`;
}
