/** Arguments walked where they lie, against the values that `unmarshal` makes. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  ARGUMENT_OTHER,
  ARGUMENT_PATH,
  ARGUMENT_STRING,
  Arguments,
  skipValue,
} from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { marshal } from "../../wire/marshal.ts";
import { Memory } from "../../wire/memory.ts";
import { signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { parseSignature } from "../../wire/signature.ts";
import { type Body, body } from "./arbitrary.ts";

const place = { path: "/a", interface: "a.b", member: "C" };

function headerOf({ signature, values, isLittleEndian }: Body, offset: number): Header {
  const message = signal({ ...place, signature, body: values });
  const bytes = encodeMessage(message, 1, isLittleEndian);
  const memory = Memory.of(Buffer.concat([Buffer.alloc(offset, 0xff), bytes]));
  const header = new Header(memory);
  expect(header.parse(new Strings(), memory, offset)).toBe(0);
  return header;
}

function checkArguments(args: Arguments, header: Header, { signature, values }: Body): void {
  const types = parseSignature(signature);
  for (const index of [63, 5, 0, 1, 2, 3, 4, 6]) {
    const code = types[index]?.code ?? "";
    const expected = code === "s" ? ARGUMENT_STRING : code === "o" ? ARGUMENT_PATH : ARGUMENT_OTHER;
    expect(args.type(index)).toBe(expected);
    if (expected === ARGUMENT_OTHER) continue;
    const start = args.offset(index);
    const bytes = header.memory.bytes.subarray(start, start + args.length(index));
    expect(Buffer.from(bytes).toString()).toBe(values[index]);
  }
}

test("argument n is what unmarshalling gives as value n, wherever the message lies", () => {
  const lone = new Header(Memory.of(new Uint8Array(16)));
  const args = new Arguments(lone);
  fc.assert(
    fc.property(body(), fc.nat(40), (content, offset) => {
      const header = headerOf(content, offset);
      args.begin(header);
      checkArguments(args, header, content);
    }),
    { numRuns: 300 },
  );
});

test("all 64 arguments that a rule can name are found", () => {
  const values = Array.from({ length: 64 }, (_, n) => (n % 3 === 0 ? n : `/n${n}`));
  const signature = values.map((_, n) => (n % 3 === 0 ? "y" : n % 3 === 1 ? "s" : "o")).join("");
  const content = { signature, values, isLittleEndian: false };
  const header = headerOf(content, 0);
  const args = new Arguments(header);
  args.begin(header);
  expect(args.type(63)).toBe(ARGUMENT_OTHER);
  expect(args.type(62)).toBe(ARGUMENT_PATH);
  checkArguments(args, header, content);
});

test("a message without a body has no arguments", () => {
  const header = headerOf({ signature: "", values: [], isLittleEndian: true }, 8);
  const args = new Arguments(header);
  args.begin(header);
  expect(args.type(0)).toBe(ARGUMENT_OTHER);
  expect(args.type(63)).toBe(ARGUMENT_OTHER);
});

test("skipping every value of a body ends where the body does", () => {
  fc.assert(
    fc.property(body(), fc.nat(16), ({ signature, values, isLittleEndian }, base) => {
      const bytes = marshal(signature, values, isLittleEndian);
      const types = Buffer.from(signature);
      const memory = Memory.of(Buffer.concat([Buffer.alloc(base), bytes, types]));
      let typeAt = base + bytes.length;
      let at = 0;
      for (const { signature: type } of parseSignature(signature)) {
        at = skipValue(memory, typeAt, base, at, isLittleEndian);
        typeAt += type.length;
      }
      expect(at).toBe(bytes.length);
    }),
    { numRuns: 300 },
  );
});
