/** What writeXml puts out. */

import { expect, test } from "@jest/globals";
import { escapeAttribute, escapeText, writeXml } from "../../xml/write.ts";

test("children are indented and empty elements are closed at once", () => {
  const xml = writeXml({
    name: "node",
    attributes: { name: 'a"b' },
    children: [{ name: "arg" }, { name: "doc", text: "x < y" }],
  });
  expect(xml).toBe('<node name="a&quot;b">\n  <arg/>\n  <doc>x &lt; y</doc>\n</node>\n');
});

test.each(["\u0000", "\u001b", "\ufffe", "\ud800", "a\udc00"])(
  "a character that XML cannot hold is refused: %j",
  (text) => {
    expect(() => escapeText(text)).toThrow(RangeError);
    expect(() => escapeAttribute(text)).toThrow(RangeError);
  },
);

test("a surrogate pair is one character and is written", () => {
  expect(escapeText("😀")).toBe("😀");
});
