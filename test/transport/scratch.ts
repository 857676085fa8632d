/** What the tests of sockets share: a directory that goes away, and the addon. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Addon, AddonMissingError, loadAddon } from "../../native/binding.ts";

/** Runs `body` with a directory of mode 0700 that is empty and gone afterwards. */
export async function inScratch(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "onehop-test-"));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The addon, or null (saying so) where it is not built; an error where ONEHOP_REQUIRE_PEERS=1. */
export function addonOrNull(purpose: string): Addon | null {
  try {
    return loadAddon();
  } catch (error) {
    if (!(error instanceof AddonMissingError) || process.env["ONEHOP_REQUIRE_PEERS"] === "1") {
      throw error;
    }
    process.stderr.write(`not run: ${purpose}: ${error.message}\n`);
    return null;
  }
}

/** How many descriptors this process has open. */
