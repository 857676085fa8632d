/** Strings that are not made again. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Memory } from "../../wire/memory.ts";
import { Reader } from "../../wire/reader.ts";
import { rememberedText, rememberText, SHORT_TEXT_BYTES } from "../../wire/short-texts.ts";
import { Writer } from "../../wire/writer.ts";

const encoder = new TextEncoder();

test("what is remembered is what the bytes spell, whatever else was remembered", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 50 })), (texts) => {
      for (const text of texts) {
        const bytes = encoder.encode(text);
        rememberText(bytes, 0, bytes.length, new TextDecoder().decode(bytes));
      }
      for (const text of texts) {
        const bytes = encoder.encode(text);
        expect([null, text]).toContain(rememberedText(bytes, 0, bytes.length));
      }
    }),
  );
});

test("only short ASCII is remembered", () => {
  const remembered = (text: string): string | null => {
    const bytes = encoder.encode(text);
    rememberText(bytes, 0, bytes.length, text);
    return rememberedText(bytes, 0, bytes.length);
  };
  expect(remembered("org.example.Name")).toBe("org.example.Name");
  expect(remembered("")).toBe("");
  expect(remembered("grün")).toBeNull();
  expect(remembered("x".repeat(SHORT_TEXT_BYTES + 1))).toBeNull();
});

test("a path that was refused is not taken for a string", () => {
  const bytes = Uint8Array.of(3, 0, 0, 0, 0x2f, 0xe4, 0x62, 0);
  expect(() => new Reader(bytes, true).readObjectPath()).toThrow("object path");
  expect(() => new Reader(bytes, true).readString()).toThrow("UTF-8");
});

test("a reader that begins anew counts alignment and violations from there", () => {
  const writer = new Writer(true);
  writer.writeByte(5);
  writer.writeUint32(7);
  const memory = Memory.of(Uint8Array.of(9, 9, 9, ...writer.bytes, 1));
  const reader = new Reader(new Uint8Array(0), true);
  reader.begin(memory, 3, 8, true);
  expect([reader.readByte(), reader.readUint32(), reader.at]).toEqual([5, 7, 8]);
  reader.assertAtEnd();
  expect(() => reader.readByte()).toThrow(expect.objectContaining({ byteOffset: 8 }));
});
