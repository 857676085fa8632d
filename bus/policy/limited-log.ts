/** A log that no peer can flood: lines are counted for each user. */

import type { Log } from "../log.ts";

/** So many lines about one user at once … */
const BURST = 50;
/** … and then one in so many milliseconds. */
const PAUSE_MS = 1000;
/** So many users are counted; the others share one count. */
const MOST_USERS = 256;
const OTHERS = -2;

interface Allowance {
  lines: number;
  /** Milliseconds of the clock when `lines` was true. */
  at: number;
  untold: number;
}

export class LimitedLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #users: Map<number, Allowance> = new Map();

  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Tells a line about a user, or says that there are too many and counts them: the next line that is told says how many. */
  warn(userId: number | null, text: () => string): void {
    const allowance = this.#allowanceOf(userId ?? -1);
    const user = `user ${userId ?? "unknown"}`;
    if (allowance.lines < 1) {
      if (allowance.untold++ === 0) this.#tell(`too many refusals of ${user}: not all are logged`);
      return;
    }
    allowance.lines--;
    if (allowance.untold > 0) {
      this.#tell(`${allowance.untold} more refusals of ${user} were not logged`);
      allowance.untold = 0;
    }
    this.#tell(text());
  }

  #tell(text: string): void {
    this.#log({ level: "warning", text, fields: {} });
  }

  #allowanceOf(userId: number): Allowance {
    const now = this.#now();
    let allowance = this.#users.get(userId);
    if (allowance === undefined) {
      if (this.#users.size >= MOST_USERS) this.#forgetQuietUsers(now);
      const key = this.#users.size >= MOST_USERS ? OTHERS : userId;
      allowance = this.#users.get(key) ?? { lines: BURST, at: now, untold: 0 };
      this.#users.set(key, allowance);
    }
    allowance.lines = linesOf(allowance, now);
    allowance.at = now;
    return allowance;
  }

  #forgetQuietUsers(now: number): void {
    for (const [userId, allowance] of this.#users) {
      if (linesOf(allowance, now) >= BURST && allowance.untold === 0) this.#users.delete(userId);
    }
  }
}

function linesOf({ lines, at }: Allowance, now: number): number {
  return Math.min(BURST, lines + (now - at) / PAUSE_MS);
}
