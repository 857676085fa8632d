/** What this process has open, for tests that leave nothing behind. */

import { readdirSync, readlinkSync } from "node:fs";

const FOLDER = "/proc/self/fd";

/** `NUMBER TARGET` of every open descriptor. */
export function openDescriptors(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const number of readdirSync(FOLDER)) {
    try {
      found.add(`${number} ${readlinkSync(`${FOLDER}/${number}`)}`);
    } catch {
      // The folder's own, which is closed by now.
    }
  }
  return found;
}

/** What is open now and was not before. What has been closed is not asked about: others of the process close, too. */
export function openedSince(before: ReadonlySet<string>): string[] {
  return [...openDescriptors()].filter((descriptor) => !before.has(descriptor));
}
