/** Dumps for people. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { dumpMessage } from "../../wire/dump.ts";
import { methodCall, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { Variant } from "../../wire/variant.ts";
import { body } from "./arbitrary.ts";

const bytes = encodeMessage(
  methodCall({
    path: "/a",
    member: "B",
    signature: "ya{sv}ay",
    body: [7, { k: new Variant("u", 9) }, [1, 2, 3]],
  }),
  5,
);

test("each value has its offset, its bytes and what it is", () => {
  expect(dumpMessage(bytes)).toBe(`\
0000  6c 01 00 01              little-endian, MethodCall, flags 0, protocol version 1
0004  1f 00 00 00              body of 31 bytes
0008  05 00 00 00              serial 5
000c  2e 00 00 00              header fields of 46 bytes
0010  01 01 6f 00              Path of type o
0014  02 00 00 00 2f 61 00       o "/a"
001b  00 00 00 00 00           (padding)
0020  03 01 73 00              Member of type s
0024  01 00 00 00 42 00          s "B"
002a  00 00 00 00 00 00        (padding)
0030  08 01 67 00              Signature of type g
0034  08 79 61 7b 73 76 7d 61    g "ya{sv}ay"
003c  79 00
003e  00 00                    (padding)
0040  07                       y 7
0041  00 00 00                 (padding)
0044  10 00 00 00              array of {sv}, 16 bytes
0048                             {sv}
0048  01 00 00 00 6b 00            s "k"
004e  01 75 00                     variant of type u
0051  00 00 00                 (padding)
0054  09 00 00 00                    u 9
0058  03 00 00 00              array of y, 3 bytes
005c  01 02 03                   bytes
`);
});

test("what cannot be read is shown as bytes, behind the reason", () => {
  const broken = bytes.slice();
  broken[0x4c] = 0xff;
  const text = dumpMessage(broken);
  expect(text).toContain("0048                             {sv}\n!!!! a string is not UTF-8");
  expect(text.trimEnd()).toMatch(/01 02 03$/);
});

test("a dump shows every byte of any message", () => {
  fc.assert(
    fc.property(body(), fc.nat(), fc.nat(255), ({ signature, values }, at, value) => {
      const message = signal({ path: "/", interface: "a.b", member: "C", signature, body: values });
      const raw = encodeMessage(message, 1);
      raw[at % raw.length] = value;
      const shown = [...dumpMessage(raw).matchAll(/^[0-9a-f]{4,} {2}((?:[0-9a-f]{2} )*)/gm)]
        .map(([, hex]) => (hex ?? "").replaceAll(" ", ""))
        .join("");
      expect(shown.length).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});
