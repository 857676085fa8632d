/** The string table against a Map that is kept beside it. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { unicodeText } from "../support/unicode-text.ts";

/** The strings that the table must know, with how often each is held. */
class Model {
  readonly strings = new Strings();
  readonly #ids: Map<string, number> = new Map();
  readonly #holds: Map<string, number> = new Map();

  hold(text: string): void {
    this.#learn(text, this.strings.hold(text));
    this.#holds.set(text, (this.#holds.get(text) ?? 0) + 1);
  }

  release(text: string): void {
    const holds = this.#holds.get(text) ?? 0;
    if (holds === 0) return;
    this.strings.release(this.#ids.get(text) ?? 0);
    this.#holds.set(text, holds - 1);
  }

  intern(text: string, at: number): void {
    const [memory, length] = memoryOf(text, at);
    this.#learn(text, this.strings.intern(memory, at, length));
  }

  find(text: string, at: number): void {
    const [memory, length] = memoryOf(text, at);
    expect(this.strings.find(memory, at, length)).toBe(this.#ids.get(text) ?? 0);
    expect(this.strings.findText(text)).toBe(this.#ids.get(text) ?? 0);
  }

  /** The table swept: only what is held is left. */
  swept(): void {
    for (const [text] of this.#ids) {
      if ((this.#holds.get(text) ?? 0) === 0) this.#ids.delete(text);
    }
  }

  check(): void {
    expect(this.strings.size).toBe(this.#ids.size);
    for (const [text, id] of this.#ids) {
      if (this.strings.findText(text) !== id || this.strings.textOf(id) !== text) {
        throw new Error(`string ${id} is ${this.strings.textOf(id)} instead of ${text}`);
      }
      if (this.strings.lengthOf(id) !== Buffer.byteLength(text)) {
        throw new Error(`string ${id} has ${this.strings.lengthOf(id)} bytes`);
      }
    }
    expect(new Set(this.#ids.values()).size).toBe(this.#ids.size);
  }

  #learn(text: string, id: number): void {
    const known = this.#ids.get(text);
    if (known === undefined ? id <= 0 : id !== known) {
      throw new Error(
        `${JSON.stringify(text)} has the id ${id} instead of ${known ?? "a new one"}`,
      );
    }
    this.#ids.set(text, id);
  }
}

/** `text` at any offset, with rubbish before and behind. */
function memoryOf(text: string, at: number): [Memory, number] {
  const bytes = Buffer.from(text);
  const whole = new Uint8Array(at + bytes.length + 3).fill(0xa5);
  whole.set(bytes, at);
  return [Memory.of(whole), bytes.length];
}

const text = fc.oneof(
  fc.string({ maxLength: 3 }),
  unicodeText({ maxLength: 9 }),
  fc.string({ unit: fc.constantFrom("a", "b", "é", "\0"), maxLength: 9 }),
);
const operation = fc.tuple(
  fc.constantFrom("hold", "release", "intern", "find"),
  text,
  fc.integer({ min: 0, max: 9 }),
);

test("strings of any bytes, length and alignment have one id each, until it is forgotten", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const model = new Model();
      for (const [kind, what, at] of operations) {
        if (kind === "hold") model.hold(what);
        else if (kind === "release") model.release(what);
        else if (kind === "intern") model.intern(what, at);
        else model.find(what, at);
      }
      model.check();
      expect(model.strings.sweep()).toBe(false);
      model.check();
    }),
  );
});

test("the table grows, and sweeping keeps the ids that are held and forgets the others", () => {
  const model = new Model();
  // mulberry32
  let state = 1;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  let sweeps = 0;
  for (let round = 0; round < 60_000; round++) {
    const what = `${"naïve.".repeat(next() % 4)}${next() % 40_000}`;
    if (next() % 16 === 0) model.hold(what);
    else if (next() % 8 === 0) model.release(what);
    else model.intern(what, round & 7);
    if (model.strings.sweep()) {
      sweeps++;
      model.swept();
      model.check();
    }
  }
  model.check();
  expect(sweeps).toBeGreaterThan(1);
  expect(model.strings.capacity).toBeGreaterThan(model.strings.size);
});

test("a few long strings that nobody holds are swept as well", () => {
  const strings = new Strings();
  const held = strings.hold("org.example.Held");
  for (let n = 0; n < 64; n++) {
    const [memory, length] = memoryOf(`/${n}/${"x".repeat(70_000)}`, n & 7);
    strings.intern(memory, n & 7, length);
  }
  expect(strings.size).toBe(65);
  expect(strings.sweep()).toBe(true);
  expect(strings.size).toBe(1);
  expect(strings.textOf(held)).toBe("org.example.Held");
  expect(strings.findText("org.example.Held")).toBe(held);
});

test("what a string was found valid as goes with the string", () => {
  const strings = new Strings();
  const id = strings.hold("a.b");
  strings.addKind(id, 2);
  strings.addKind(id, 8);
  expect(strings.kindsOf(id)).toBe(10);
  const [memory, length] = memoryOf("loose", 0);
  const loose = strings.intern(memory, 0, length);
  strings.addKind(loose, 4);
  for (let n = 0; n < 20_000; n++) {
    const [other, byteLength] = memoryOf(`n${n}`, 0);
    strings.intern(other, 0, byteLength);
  }
  expect(strings.sweep()).toBe(true);
  expect(strings.kindsOf(id)).toBe(10);
  expect(strings.kindsOf(strings.intern(memory, 0, length))).toBe(0);
});

test("releasing more often than holding is a mistake of the caller", () => {
  const strings = new Strings();
  const id = strings.hold("once");
  strings.release(id);
  expect(() => strings.release(id)).toThrow(/released more often than held/);
});
