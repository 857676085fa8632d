/** Hot path: verdicts that were found before, so that most messages cost one look. */

import type { Question } from "./question.ts";

export const Verdict = { Unknown: 0, Allowed: 1, Told: 2, Denied: 3 } as const;
/** `Told`: allowed to be sent, which the log is told; whether it may be received, has to be looked at again. */
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

const ENTRIES = 4096;
const WORDS = 8;

/**
 * Two standings and everything that a question says decide a verdict, and all of it is numbers that do not change
 * their meaning: nothing in here ever becomes wrong, it is only overwritten. One entry for each hash, in 128 KiB.
 */
export class VerdictCache {
  readonly #entries: Int32Array = new Int32Array(ENTRIES * WORDS);
  /** Where `find` looked. */
  #at = 0;

  find(sender: number, receiver: number, question: Question): Verdict {
    const { path, member, errorName, kind } = question;
    let hash = Math.imul(sender, 0x9e3779b1) ^ Math.imul(receiver, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ question.interface, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ member, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ path, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ errorName, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16) ^ kind, 0x9e3779b1);
    const at = ((hash ^ (hash >>> 15)) & (ENTRIES - 1)) * WORDS;
    this.#at = at;
    const entries = this.#entries;
    if (
      entries[at] === sender &&
      entries[at + 1] === receiver &&
      entries[at + 2] === kind &&
      entries[at + 3] === question.interface &&
      entries[at + 4] === member &&
      entries[at + 5] === path &&
      entries[at + 6] === errorName
    ) {
      return entries[at + 7] as Verdict; // `keep` puts nothing else there
    }
    return Verdict.Unknown;
  }

  /** Remembers the verdict for what `find` has just looked for. */
  keep(sender: number, receiver: number, question: Question, verdict: Verdict): void {
    const entries = this.#entries;
    const at = this.#at;
    entries[at] = sender;
    entries[at + 1] = receiver;
    entries[at + 2] = question.kind;
    entries[at + 3] = question.interface;
    entries[at + 4] = question.member;
    entries[at + 5] = question.path;
    entries[at + 6] = question.errorName;
    entries[at + 7] = verdict;
  }

  clear(): void {
    this.#entries.fill(0);
  }
}
