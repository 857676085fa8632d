/** Target: a part of the product that takes bytes from others, and what must hold whatever they are. */

import type { Random } from "./random.ts";

export interface Target {
  readonly maximumBytes: number;
  /**
   * The most blocks that an input may enter: so many, and so many for each of its bytes. What takes more
   * is not linear any more.
   */
  readonly work: { readonly fixed: number; readonly perByte: number };
  /** Another input made of one, and of parts of a second. */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array;
  /** Throws if the product does what it must not. */
  run(input: Uint8Array): void | Promise<void>;
  /** Now and then, between inputs: throws if something of them is left. */
  settle?(): void | Promise<void>;
  /** Gives back what it holds. */
  close?(): void | Promise<void>;
}

/** What must hold does not: the message says what, with values. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}
