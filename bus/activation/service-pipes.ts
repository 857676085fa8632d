/** The pipes into which a service prints. */

import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { findAddon } from "../../transport/addon.ts";

/**
 * One pipe from a service. Node would make a socket of it, which a program cannot open by `/dev/stdout` or
 * `/dev/stderr`, as scripts do; without the addon, or without descriptors left, it is one all the same.
 */
export class ServicePipe {
  /** The two ends; null if Node is to make them. */
  readonly #ends: readonly [reading: number, writing: number] | null;

  constructor() {
    const ends = findAddon("optional").addon?.pipe() ?? -1;
    this.#ends = typeof ends === "number" ? null : ends;
  }

  /** What the program gets, in the words of `spawn`. */
  get writingEnd(): number | "pipe" {
    return this.#ends?.[1] ?? "pipe";
  }

  /** What the program prints, once it was started; `madeByNode` is what the child process has for it. */
  reader(madeByNode: Readable | null): Readable | null {
    if (this.#ends === null) return madeByNode;
    const [reading, writing] = this.#ends;
    closeSync(writing);
    return new Socket({ fd: reading, readable: true, writable: false });
  }

  /** There is no program to print into it. */
  discard(): void {
    for (const end of this.#ends ?? []) closeSync(end);
  }
}
