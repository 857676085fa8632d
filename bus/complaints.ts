/** Lines of the log about what peers are refused: enough to find the culprit, and not one for each message. */

import type { Log } from "./log.ts";

/** One line about a subject in so much time. */
const INTERVAL_MS = 10_000;
/** Subjects remembered; beyond that all are forgotten, and lines may come sooner. */
const MAX_SUBJECTS = 1000;

interface Subject {
  readonly toldAt: number;
  /** How often it was not told since. */
  silenced: number;
}

export class Complaints {
  readonly #log: Log;
  readonly #subjects: Map<string, Subject> = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Logs `text` about user `userId`, unless the same subject, such as a limit's name, was told a moment ago. */
  about(subject: string, userId: number, text: () => string): void {
    const key = `${subject} ${userId}`;
    const now = performance.now();
    const known = this.#subjects.get(key);
    if (known !== undefined && now - known.toldAt < INTERVAL_MS) {
      known.silenced++;
      return;
    }
    if (this.#subjects.size >= MAX_SUBJECTS) this.#subjects.clear();
    this.#subjects.set(key, { toldAt: now, silenced: 0 });
    const more = known === undefined ? 0 : known.silenced;
    const suffix = more === 0 ? "" : ` (and ${more} times more since the last such line)`;
    this.#log({ level: "warning", text: text() + suffix, fields: { uid: userId, limit: subject } });
  }
}
