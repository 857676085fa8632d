/** A policy as a bus is given it. */

import type { Accounts } from "./accounts.ts";
import type { PolicyRule } from "./rules.ts";

export interface Policy {
  /** In the order of the configuration, whatever their contexts. */
  readonly rules: readonly PolicyRule[];
  /** Default: users are in the groups that the kernel tells, and nobody is at the console. */
  readonly accounts?: Accounts;
}
