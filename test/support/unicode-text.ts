/** Random text of any characters that Unicode has, for properties. */

import fc from "fast-check";

/** fast-check's own `unit: "binary"` is the same but takes more than a second to set up, in each test file. */
const character = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 0x7f }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 0x80, max: 0x10ffff - 0x800 })
      .map((number) => (number < 0xd800 ? number : number + 0x800)),
  },
);

/** Well-formed text: no half of a surrogate pair. */
export function unicodeText(constraints: fc.ArrayConstraints = {}): fc.Arbitrary<string> {
  return fc.array(character, constraints).map((numbers) => String.fromCodePoint(...numbers));
}
