/** Every input of the corpus, those that once found something among them, and the tools around it. */

import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { formatInput, parseInput, readCorpus } from "./corpus.ts";
import { failureOf } from "./failure.ts";
import { minimised } from "./minimise.ts";
import { generator } from "./random.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

const corpus = join(import.meta.dirname, "corpus");

test.each(Object.entries(TARGETS))(
  "nothing fails with the corpus of %s",
  async (name, { format, make }) => {
    const entries = readCorpus(join(corpus, name), format);
    expect(entries.length).toBeGreaterThan(0);
    for (const { file, bytes } of entries) {
      expect([file, await failureOf(make, bytes)]).toEqual([file, null]);
    }
  },
);

test.each(["text", "hex"] as const)("any bytes survive being written as %s", (format) => {
  const random = generator(1);
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(Array.from({ length: i }, () => random.below(256)));
    const text = formatInput(bytes, format, "a comment\nof two lines");
    expect(Buffer.compare(bytes, parseInput(text, format))).toBe(0);
    expect(text).toMatch(/^# a comment of two lines\n[\n\x20-\x7e]*$/);
  }
});

test("a failing input becomes as small as it can be", async () => {
  const target: Target = {
    maximumBytes: 100,
    work: { fixed: 0, perByte: 0 },
    mutate: (input) => input,
    run: (input) => {
      if (Buffer.from(input).includes("ab") && input.includes(0x7a)) throw new Error("it fails");
    },
  };
  const make = async (): Promise<Target> => target;
  const found = await minimised(make, Buffer.from("line\nxxabxx\nline\nxzx"), "it fails");
  expect(Buffer.from(found.input ?? "").toString()).toBe("abz");
});
