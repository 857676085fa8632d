/** Hot path: which paths, interfaces, members and error names a policy distinguishes. */

import type { Strings } from "../../wire/intern.ts";

/** Stands for every string that no rule mentions. */
export const UNMENTIONED = -1;

/**
 * Strings that rules mention are held, so that their ids stay; all others are the same to the policy. What it
 * distinguishes is therefore bounded by its rules, whatever peers send.
 */
export class MentionedStrings {
  readonly #strings: Strings;
  readonly #held: number[] = [];
  /** By id: is it mentioned? */
  #isMentioned: Uint8Array = new Uint8Array(0);

  constructor(strings: Strings) {
    this.#strings = strings;
  }

  /** The id of `text`, which a rule mentions; 0 for `null`. */
  mention(text: string | null): number {
    if (text === null) return 0;
    const id = this.#strings.hold(text);
    this.#held.push(id);
    if (id >= this.#isMentioned.length) {
      const longer = new Uint8Array(2 ** Math.ceil(Math.log2(id + 1)));
      longer.set(this.#isMentioned);
      this.#isMentioned = longer;
    }
    this.#isMentioned[id] = 1;
    return id;
  }

  /** The id itself if a rule mentions it, 0 for 0, and `UNMENTIONED` for all others. */
  reduce(id: number): number {
    if (id === 0) return 0;
    return id > 0 && id < this.#isMentioned.length && this.#isMentioned[id] === 1
      ? id
      : UNMENTIONED;
  }

  /** The same for a text; null is 0. */
  reduceText(text: string | null): number {
    if (text === null) return 0;
    const id = this.#strings.findText(text);
    return id === 0 ? UNMENTIONED : this.reduce(id);
  }

  /** The policy is not used any more. */
  release(): void {
    for (const id of this.#held) this.#strings.release(id);
    this.#held.length = 0;
  }
}
