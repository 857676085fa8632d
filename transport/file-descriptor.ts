/** A file descriptor with one owner, who closes it or hands it on, once. */

import { getSystemErrorName } from "node:util";
import type { Addon } from "../native/binding.ts";

/** What an owned descriptor needs of the addon. */
export type DescriptorCalls = Pick<Addon, "closeDescriptor" | "duplicateDescriptor">;

/**
 * Owns a descriptor of this process. Whoever holds the object calls `close` (or lets `using` do it),
 * or `take` to become responsible for the number. Descriptors that nobody closes stay open.
 */
export class FileDescriptor {
  readonly #calls: DescriptorCalls;
  /** -1 once closed or taken. */
  #number: number;

  /** Owns the open descriptor `number` from now on. */
  constructor(number: number, calls: DescriptorCalls) {
    if (!Number.isInteger(number) || number < 0) {
      throw new RangeError(`${number} is no file descriptor`);
    }
    this.#number = number;
    this.#calls = calls;
  }

  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /** The number, which stays this object's. @throws if it was closed or taken */
  get number(): number {
    if (this.#number < 0) throw new Error("the file descriptor was closed or taken");
    return this.#number;
  }

  /** The number, which becomes the caller's to close. @throws if it was closed or taken */
  take(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** A second descriptor of the same open file. @throws if this one is gone or the limit is reached */
  duplicate(): FileDescriptor {
    const result = this.#calls.duplicateDescriptor(this.number);
    if (result < 0) {
      throw new Error(
        `cannot duplicate file descriptor ${this.#number}: ${getSystemErrorName(result)}`,
      );
    }
    return new FileDescriptor(result, this.#calls);
  }

  /** Closes it, if it is still owned. */
  close(): void {
    if (this.#number < 0) return;
    // Linux has released the descriptor whatever close(2) then says, so its answer changes nothing.
    this.#calls.closeDescriptor(this.take());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
