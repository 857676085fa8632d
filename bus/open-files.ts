/** How many descriptors this process may have open: RLIMIT_NOFILE, which Node has no call for. */

import { readFileSync } from "node:fs";

/** What is usual where nobody has said anything. */
const USUAL = 1024;

let known: number | null = null;

/** The soft limit, which Node raises to the hard one when it starts; at least 64, as nothing would work with less. */
export function openFileLimit(): number {
  known ??= Math.max(64, readLimit());
  return known;
}

function readLimit(): number {
  try {
    const text = readFileSync("/proc/self/limits", "latin1");
    const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(text) ?? [];
    if (soft === "unlimited") return 1 << 30;
    return soft === undefined ? USUAL : Math.min(Number(soft), 1 << 30);
  } catch {
    return USUAL;
  }
}
