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

test.each([
  ["<a><b></a>", 1, 7],
  ['<a\n x="1" x="2"/>', 2, 13],
  ["", 1, 1],
  ["<a/><b/>", 1, 5],
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
