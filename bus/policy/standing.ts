/** What a policy sees of a peer: the rules that hold for it, and which of the names that rules mention it has. */

import type { Snapshot } from "./snapshot.ts";

/** Peers that no rule tells apart share one. */
export interface Standing {
  /** Never given twice while verdicts about it may be remembered. */
  readonly id: number;
  /** Null for the bus itself, and for an owner that is still to be started: no rules hold for them. */
  readonly snapshot: Snapshot | null;
  /** Numbers of `NameMentions`. */
  readonly names: readonly number[];
}

interface Counted {
  readonly standing: Standing;
  users: number;
}

/** The standings in use. */
export class Standings {
  readonly #byNames: Map<Snapshot | null, Map<string, Counted>> = new Map();
  #lastId = 0;

  /** The highest id that was given; they go on forever, so whoever keeps them in 32 bits has to begin anew. */
  get lastId(): number {
    return this.#lastId;
  }

  /** The one with these, counted; to be given back by `giveBack`. */
  take(snapshot: Snapshot | null, names: readonly number[]): Standing {
    let byNames = this.#byNames.get(snapshot);
    if (byNames === undefined) {
      byNames = new Map();
      this.#byNames.set(snapshot, byNames);
    }
    const key = names.join(" ");
    const known = byNames.get(key);
    if (known !== undefined) {
      known.users++;
      return known.standing;
    }
    const standing = { id: ++this.#lastId, snapshot, names };
    byNames.set(key, { standing, users: 1 });
    return standing;
  }

  giveBack({ snapshot, names }: Standing): void {
    const byNames = this.#byNames.get(snapshot);
    const key = names.join(" ");
    const counted = byNames?.get(key);
    if (byNames === undefined || counted === undefined || --counted.users > 0) return;
    byNames.delete(key);
    if (byNames.size === 0) this.#byNames.delete(snapshot);
  }
}
