/** Bodies that do not fit their signature: their sender is disconnected, and nobody else notices. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { conformance, useBus } from "./support/conformance.ts";
import { heard, methodCall, signal } from "./support/messages.ts";
import { encodeBody } from "./support/wire.ts";

useBus();

const MARSHALING = "Marshaling";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const variantNested = (depth: number): Uint8Array => {
  const signatures = Array.from({ length: depth }, () => [1, 0x76, 0]).flat();
  return bytes(...signatures, 1, 0x79, 0, 7);
};

const BAD: readonly (readonly [what: string, signature: string, body: Uint8Array])[] = [
  ["a boolean of 2", "b", bytes(2, 0, 0, 0)],
  ["a string that is not UTF-8", "s", bytes(1, 0, 0, 0, 0xff, 0)],
  ["a string with an overlong UTF-8 sequence", "s", bytes(2, 0, 0, 0, 0xc0, 0x80, 0)],
  ["a string with a surrogate", "s", bytes(3, 0, 0, 0, 0xed, 0xa0, 0x80, 0)],
  ["a string beyond U+10FFFF", "s", bytes(4, 0, 0, 0, 0xf4, 0x90, 0x80, 0x80, 0)],
  ["a string with half a character", "s", bytes(1, 0, 0, 0, 0xc3, 0)],
  ["a string with a zero inside", "s", bytes(3, 0, 0, 0, 0x61, 0, 0x62, 0)],
  ["a string without its final zero", "s", bytes(1, 0, 0, 0, 0x61, 0x62)],
  ["a string longer than the body", "s", bytes(100, 0, 0, 0, 0x61, 0)],
  ["a string whose length overflows", "s", bytes(0xff, 0xff, 0xff, 0xff, 0x61, 0)],
  ["a path that is none", "o", encodeBody("s", ["/a/"])],
  ["an empty path", "o", encodeBody("s", [""])],
  ["a signature that is none", "g", bytes(1, 0x7a, 0)],
  ["a signature with an open struct", "g", bytes(2, 0x28, 0x73, 0)],
  ["a signature longer than the body", "g", bytes(9, 0x73, 0)],
  ["padding before a number that is not zero", "yu", bytes(1, 0xff, 0, 0, 1, 0, 0, 0)],
  ["padding before a struct that is not zero", "y(y)", bytes(1, 0, 0, 0, 0, 0, 0, 9, 1)],
  ["padding before an array's elements that is not zero", "at", bytes(0, 0, 0, 0, 0, 0, 0, 1)],
  ["too few bytes", "uu", bytes(1, 0, 0, 0)],
  ["too many bytes", "u", bytes(1, 0, 0, 0, 0, 0, 0, 0)],
  ["bytes without a signature", "", bytes(1)],
  ["a signature without bytes", "u", bytes()],
  ["an array that ends inside an element", "au", bytes(6, 0, 0, 0, 1, 0, 0, 0, 2, 0)],
  ["an array longer than the body", "au", bytes(8, 0, 0, 0, 1, 0, 0, 0)],
  ["an array whose length overflows", "ay", bytes(0xff, 0xff, 0xff, 0xff, 0)],
  ["a variant with two types", "v", bytes(2, 0x79, 0x79, 0, 1, 1)],
  ["a variant with no type", "v", bytes(0, 0)],
  ["a variant with a type that is none", "v", bytes(1, 0x7a, 0, 0)],
  ["a variant with a dictionary entry", "v", bytes(4, 0x7b, 0x79, 0x79, 0x7d, 0, 0, 0, 1, 1)],
  ["a variant cut short", "v", bytes(1, 0x75, 0, 0, 1)],
  [
    "a boolean of 2 in a dictionary in a variant",
    "v",
    encodeBody("v", [{ signature: "a{su}", value: [["k", 2]] }]).map((byte) =>
      byte === 0x75 ? 0x62 : byte,
    ),
  ],
  ["variants nested 65 deep", "v", variantNested(65)],
];

for (const [what, signature, body] of BAD) {
  conformance(
    `A body with ${what} ends its sender's connection`,
    { spec: MARSHALING },
    async (scene) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      sender.send(methodCall(receiver.uniqueName, { signature, body }));
      await sender.disconnected();
      expect(briefs(await receiver.drain())).toEqual([]);
    },
  );
}

conformance(
  "A malformed broadcast reaches nobody, not even those who do not look at arguments",
  { spec: MARSHALING },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("type='signal',member='S'");
    sender.send(signal({ signature: "b", body: bytes(2, 0, 0, 0) }));
    await sender.disconnected();
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance(
  "A malformed call of the driver ends the connection",
  { spec: MARSHALING },
  async (scene) => {
    const client = await scene.client();
    client.sendCall("GetNameOwner", { signature: "s", body: bytes(1, 0, 0, 0, 0xff, 0) });
    await client.disconnected();
  },
);

const FINE: readonly (readonly [what: string, signature: string, body: Uint8Array])[] = [
  ["an empty string", "s", bytes(0, 0, 0, 0, 0)],
  ["characters of two, three and four bytes", "s", encodeBody("s", ["äß€😀"])],
  ["a noncharacter", "s", encodeBody("s", ["\ufffe"])],
  ["U+10FFFF", "s", encodeBody("s", ["\u{10ffff}"])],
  ["an empty array of structs", "a(st)", bytes(0, 0, 0, 0, 0, 0, 0, 0)],
  ["variants nested 60 deep", "v", variantNested(60)],
  ["an empty signature", "g", bytes(0, 0)],
  ["a not-a-number", "d", bytes(0, 0, 0, 0, 0, 0, 0xf8, 0x7f)],
  [
    "equal keys in a dictionary",
    "a{yy}",
    encodeBody("a{yy}", [
      [
        [1, 1],
        [1, 2],
      ],
    ]),
  ],
];

for (const [what, signature, body] of FINE) {
  conformance(`A body with ${what} is delivered`, { spec: MARSHALING }, async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(methodCall(receiver.uniqueName, { signature, body }));
    const [message] = await heard(sender, receiver);
    expect(Buffer.from(message?.body ?? [])).toEqual(Buffer.from(body));
  });
}
