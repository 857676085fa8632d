/** Numbers that differ each time. */

import { expect, test } from "@jest/globals";
import { randomBytes, randomWord } from "../../wire/random.ts";

test("there are as many bytes as were asked for, and other ones each time", () => {
  expect(randomBytes(0)).toHaveLength(0);
  const drawn = Array.from({ length: 100 }, () => Buffer.from(randomBytes(16)).toString("hex"));
  expect(new Set(drawn).size).toBe(100);
  expect(drawn.every((text) => text.length === 32)).toBe(true);
});

test("words use all of their 32 bits", () => {
  const words = Array.from({ length: 500 }, randomWord);
  expect(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)).toBe(true);
  for (let bit = 0; bit < 32; bit++) {
    expect(new Set(words.map((word) => (word >>> bit) & 1)).size).toBe(2);
  }
});
