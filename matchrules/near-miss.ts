/** What a rule's value and a message's have in common although they do not match. */

/**
 * `case`, `whiteSpace`, `trailingSlash`: they differ in nothing else. `boundary`: a namespace's text goes on without
 * a separator. `below`, `above`: what the message has is below, or above, what was wanted.
 */
export type NearMiss = "case" | "whiteSpace" | "trailingSlash" | "boundary" | "below" | "above";

/** `null`: they have nothing to do with each other. `isNamespace`: what is below would have matched. */
export function nearMiss(wanted: string, saw: string, isNamespace: boolean): NearMiss | null {
  if (wanted.toLowerCase() === saw.toLowerCase()) return "case";
  if (wanted.trim() === saw.trim()) return "whiteSpace";
  if (`${wanted}/` === saw || wanted === `${saw}/`) return "trailingSlash";
  if (isNamespace && saw.startsWith(wanted)) return "boundary";
  if (isBelow(saw, wanted)) return "below";
  return isBelow(wanted, saw) ? "above" : null;
}

/** With `/` or `.` between the elements; nothing counts as below the empty text and the root. */
function isBelow(text: string, ancestor: string): boolean {
  if (ancestor.length < 2 || !text.startsWith(ancestor)) return false;
  return /[/.]$/.test(ancestor) || /^[/.]/.test(text.slice(ancestor.length));
}
