/** What parseXml accepts, refuses and reports. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseXml, type XmlElement } from "../../xml/parse.ts";
import { writeXml, type XmlOutput } from "../../xml/write.ts";

function rootOf(document: string): XmlElement {
  const { root, problem } = parseXml(document);
  if (root === null) throw new Error(`${problem.line}:${problem.column}: ${problem.message}`);
  return root;
}

test("elements carry their attributes, their own text and where they began", () => {
  const root = rootOf('<a>\n  one<b key="v&#65;"/>\n  <c>&lt;two&gt;<![CDATA[ & ]]></c></a>');
  expect(root.name).toBe("a");
  expect(root.text).toBe("\n  one\n  ");
  expect(root.children.map(({ name, line, column }) => [name, line, column])).toEqual([
    ["b", 2, 6],
    ["c", 3, 3],
  ]);
  expect(root.children[0]?.attributes.get("key")).toBe("vA");
  expect(root.children[1]?.text).toBe("<two> & ");
});

test("columns are right after characters outside the basic plane", () => {
  expect(rootOf("<a>😀<b/></a>").children[0]).toMatchObject({ line: 1, column: 6 });
});

test("an attribute called __proto__ is an ordinary attribute", () => {
  expect(rootOf('<a __proto__="x"/>').attributes.get("__proto__")).toBe("x");
});

test("a document type is accepted and its external subset is not read", () => {
  const root = rootOf(
    '<?xml version="1.0"?>\n<!DOCTYPE node PUBLIC "-//x//DTD//EN" "file:///nonexistent.dtd">\n<node/>',
  );
  expect(root).toMatchObject({ name: "node", line: 3 });
});

test.each([
  ['<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>\n<a>&e;</a>', 2],
  ['<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>', 1],
  ["<a>&nbsp;</a>", 1],
])("an entity that is not predefined is refused: %s", (document, line) => {
  expect(parseXml(document).problem).toMatchObject({
    message: expect.stringContaining("entity"),
    line,
  });
});

const EXPANDING = { maxCharacters: 1 << 20, maxDepth: 8, maxEntityCharacters: 10_000 };

/** The root's text, attributes and children, or the problem, of `<a …>` behind an internal subset. */
function expanded(subset: string, root: string, before = "<!DOCTYPE a ["): unknown {
  const result = parseXml(`${before}${subset}]>\n${root}`, EXPANDING);
  if (result.problem !== null) return result.problem.message;
  const { text, attributes, children } = result.root;
  return [text, Object.fromEntries(attributes), children.map(({ name }) => name)];
}

const OPEN = '<!DOCTYPE a SYSTEM "file:///etc/hostname" [';

test.each<[subset: string, root: string, result: unknown, before?: string]>([
  ['<!ENTITY e "one">', "<a>[&e;]</a>", ["[one]", {}, []]],
  ["<!ENTITY e 'a\"b'>", "<a k='&e;'>&e;</a>", ['a"b', { k: 'a"b' }, []]],
  ['<!ENTITY e "[&f;]"><!ENTITY f "two">', "<a>&e;</a>", ["[two]", {}, []]],
  ['<!ENTITY e "1"><!ENTITY e "2">', "<a>&e;</a>", ["1", {}, []]],
  ['<!ENTITY e "<b/><b/>">', "<a>&e;<c/></a>", ["", {}, ["b", "b", "c"]]],
  ['<!ENTITY e "&#60;b/>">', "<a>&e;</a>", ["", {}, ["b"]]],
  ['<!ENTITY e "&#38;#60;b/>">', "<a>&e;</a>", ["<b/>", {}, []]],
  ['<!ENTITY e "&lt;b/>">', "<a>&e;</a>", ["<b/>", {}, []]],
  ['<!ENTITY lt "x">', "<a>&lt;</a>", ["<", {}, []]],
  ['<!ENTITY e "]]>">', "<a>]</a>", ["]", {}, []]],
  ['<!-- ]> <!ENTITY e "x"> --><?p ]> ?><!ENTITY e "y">', "<a>&e;</a>", ["y", {}, []]],
  ['<!ENTITY e "x">', "<a><!-- &e; &--><![CDATA[&e;]]><?p &e;?></a>", ["&e;", {}, []]],
  // Nothing that is not in the document is read.
  ['<!ENTITY e SYSTEM "file:///etc/hostname">', "<a>[&e;]</a>", ["[]", {}, []]],
  ['<!ENTITY e PUBLIC "p" "http://example.org/">', "<a>[&e;]</a>", ["[]", {}, []]],
  ["", "<a k='[&e;]'>[&e;]</a>", ["[]", { k: "[]" }, []], OPEN],
  ["%p; <!ENTITY e 'x'>", "<a>[&e;]</a>", ["[]", {}, []]],
  ["<!ENTITY e 'x'> %p;", "<a>[&e;]</a>", ["[x]", {}, []]],
  ["%p; <!ENTITY e '100%'><!ATTLIST a k CDATA '<'>", "<a>[&e;]</a>", ["[]", {}, []]],
  [
    "%p; <!ENTITY e 'x'>",
    "<a>&e;</a>",
    ["x", {}, []],
    "<?xml version='1.0' standalone='yes'?><!DOCTYPE a [",
  ],
  // Attributes that the document declares.
  ['<!ATTLIST a k CDATA "v">', "<a/>", ["", { k: "v" }, []]],
  ['<!ENTITY e "v"><!ATTLIST a k (v|w) #FIXED " &e;" l ID #IMPLIED>', "<a/>", ["", { k: "v" }, []]],
  ["<!ATTLIST a k NMTOKENS #REQUIRED>", "<a k=' v  w '/>", ["", { k: "v w" }, []]],
  ['<!ATTLIST b k CDATA "v">', "<a/>", ["", {}, []]],
  ["<!ELEMENT a (#PCDATA|b)*><!NOTATION n PUBLIC 'n'><!ATTLIST a>", "<a/>", ["", {}, []]],
  // And what is refused.
  ["", "<a>&e;</a>", 'the entity "e" is not declared'],
  [
    "",
    "<a>&e;</a>",
    'the entity "e" is not declared',
    `<?xml version="1.0" standalone="yes"?>${OPEN}`,
  ],
  [
    '<!ENTITY e "&f;"><!ENTITY f "&e;">',
    "<a>&e;</a>",
    '"e" stands for something with itself in it',
  ],
  [
    '<!ENTITY e "&f;"><!ENTITY f "&e;">',
    "<a k='&e;'/>",
    '"e" stands for something with itself in it',
  ],
  [
    '<!ENTITY e "<b>">',
    "<a>&e;</b></a>",
    'elements do not end where they begin in what "e" stands for',
  ],
  [
    '<!ENTITY e "</a><a>">',
    "<a>&e;</a>",
    'elements do not end where they begin in what "e" stands for',
  ],
  ['<!ENTITY e "<b/>">', "<a k='&e;'/>", '"e" has a "<", which an attribute cannot have'],
  [
    '<!ENTITY e SYSTEM "e">',
    "<a k='&e;'/>",
    '"e" is an external entity, which an attribute cannot have',
  ],
  ['<!ENTITY e SYSTEM "e" NDATA n>', "<a>&e;</a>", '"e" is no XML'],
  ['<!ENTITY e "&#38;">', "<a>&e;lt;</a>", '"&" begins no reference'],
  ['<!ENTITY e "&#1;">', "<a/>", "&#1; is no character that XML allows"],
  ['<!ENTITY e "& ">', "<a/>", '"&" begins no reference'],
  ['<!ENTITY e "100%">', "<a/>", '"%" is not allowed in the value of an entity here'],
  ['<!ATTLIST a k CDATA "&#1;">', "<a/>", 'the default of the attribute "k" is not well-formed'],
  ["garbage", "<a/>", "the document type is not well-formed: a declaration is expected"],
  [
    "<!ENTITY \u0001 'x'>",
    "<a/>",
    "the document type is not well-formed: the name of an entity is expected",
  ],
  ["<!ENTITY e '\u0001'>", "<a/>", "a character is not allowed"],
])("an internal subset that is read: %s %s", (...[subset, root, result, before]) => {
  expect(expanded(subset, root, before)).toEqual(result);
});

test("places are those of the document, and of the reference in what an entity stands for", () => {
  const subset = '<?xml version="1.0"?>\n<!DOCTYPE a [\n<!ENTITY e "<b>\n\n<x/></b>">\n]>';
  const { root, omissions } = parseXml(`${subset}<a>\n &e;<c/>\n</a>`, EXPANDING) as {
    root: XmlElement;
    omissions: unknown;
  }; // there is nothing wrong with it
  const places = (element: XmlElement): unknown[] => [
    `${element.name} ${element.line}:${element.column}`,
    ...element.children.flatMap(places),
  ];
  expect(places(root)).toEqual(["a 6:3", "b 7:2", "x 7:2", "c 7:5"]);
  expect(omissions).toEqual([]);
  expect(parseXml(`${subset}<a>\n &e;<c></a>`, EXPANDING).problem).toMatchObject({ line: 7 });
});

test("what is left out is told with its place", () => {
  const { omissions } = parseXml(`${OPEN}]>\n<a>\n  &nbsp;</a>`, EXPANDING) as {
    omissions: unknown;
  }; // there is nothing wrong with it
  expect(omissions).toEqual([
    { message: '"&nbsp;" is left out: what declares it is not read', line: 3, column: 3 },
  ]);
});

test("entities within entities end at the limit, and soon", () => {
  const levels = Array.from(
    { length: 200 },
    (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(50)}">`,
  ).join("");
  for (const root of ["<a>&l200;</a>", "<a k='&l200;'/>"]) {
    expect(expanded(`<!ENTITY l0 "lol">${levels}`, root)).toMatch(/more than 10000 characters/);
  }
  const attributes = Array.from({ length: 500 }, (_, n) => `k${n} CDATA "v"`).join(" ");
  expect(expanded(`<!ATTLIST b ${attributes}>`, `<a>${"<b/>".repeat(500)}</a>`)).toMatch(
    /too long/,
  );
});

test("without a limit for entities there are only the predefined ones, and no declared attributes", () => {
  const document = '<!DOCTYPE a [<!ATTLIST a k CDATA "v">]><a>&lt;</a>';
  expect(rootOf(document)).toMatchObject({ text: "<", attributes: new Map() });
});

test.each(["1.1", "2.0", "x"])("the version of XML is not looked at: %s", (version) => {
  expect(rootOf(`<?xml version="${version}"?><a/>`).name).toBe("a");
});

test.each([
  ["<a><b></a>", 1, 7],
  ['<a\n x="1" x="2"/>', 2, 13],
  ["", 1, 1],
  ["<a/><b/>", 1, 5],
  ["<!DOCTYPE a []><?xml version='1.0'?><a/>", 1, 16],
  ["<?xml version='1.0'?><?xml version='1.0'?><a/>", 1, 22],
  ["<a><!-- -- --></a>", 1, 9],
  ["<a>\u0001</a>", 1, 4],
  ["<a", 1, 3],
])("what is not well-formed is refused with its place: %j", (document, line, column) => {
  const { root, problem } = parseXml(document);
  expect(root).toBeNull();
  expect(problem).toMatchObject({ line, column });
  expect(problem?.message).not.toMatch(/[\n^]|\(line/);
});

test("depth is limited, and the element that goes too far is named by its place", () => {
  const limits = { maxCharacters: 1000, maxDepth: 3 };
  expect(parseXml("<a><a><a/></a></a>", limits).problem).toBeNull();
  expect(parseXml("<a><a>\n<a><a/></a></a></a>", limits).problem).toEqual({
    message: "elements nest more than 3 deep",
    line: 2,
    column: 4,
  });
});

test("a document that would end the parser's stack is refused, closed or not", () => {
  const deep = 200_000;
  expect(parseXml("<a>".repeat(deep)).problem?.message).toMatch(/nest more than 64 deep/);
  expect(parseXml("<a>".repeat(deep) + "</a>".repeat(deep)).problem?.message).toMatch(/nest/);
});

test("size is limited before anything is parsed", () => {
  expect(parseXml("<a/>", { maxCharacters: 3, maxDepth: 3 }).problem?.message).toMatch(/longer/);
});

test("whatever is written is read back as it was", () => {
  const character = fc.constantFrom(..."ab<>&\"' \t\n\r]😀\u00e9");
  const text = fc.string({ unit: character, maxLength: 12 });
  const { element } = fc.letrec<{ element: XmlOutput }>((tie) => ({
    element: fc.record(
      {
        name: fc.constantFrom("node", "method", "x-y"),
        attributes: fc.dictionary(fc.constantFrom("name", "type"), text),
        children: fc.array(tie("element"), { maxLength: 3, depthIdentifier: "element" }),
        text,
      },
      { requiredKeys: ["name"] },
    ),
  }));
  const plain = (written: XmlOutput): unknown => {
    const children = written.children ?? [];
    return {
      name: written.name,
      attributes: { ...written.attributes },
      children: children.map(plain),
      text: children.length > 0 ? "" : (written.text ?? ""),
    };
  };
  const read = (parsed: XmlElement): unknown => ({
    name: parsed.name,
    attributes: Object.fromEntries(parsed.attributes),
    children: parsed.children.map(read),
    text: parsed.children.length > 0 ? "" : parsed.text,
  });
  fc.assert(
    fc.property(element, (written) => {
      expect(read(rootOf(writeXml(written)))).toEqual(plain(written));
    }),
  );
});
