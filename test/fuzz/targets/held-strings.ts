/** How many strings of a table somebody holds. */

import type { Strings } from "../../../wire/intern.ts";
import { Memory, SLACK_BYTES } from "../../../wire/memory.ts";

/** As much as a table keeps for nobody before it forgets all of it; see wire/intern.ts. */
const LOOSE_BYTES = 4 << 20;
const enough = new Memory(new ArrayBuffer(LOOSE_BYTES + SLACK_BYTES));

/** Makes the table forget what nobody holds, and counts the rest. */
export function heldStrings(strings: Strings): number {
  strings.intern(enough, 0, LOOSE_BYTES);
  strings.sweep();
  return strings.size;
}
