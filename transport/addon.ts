/** Which addon this process works with, if any. */

import { type Addon, AddonMissingError, loadAddon } from "../native/binding.ts";

/** `required`: fail without it; `optional`: go on without it and say so; `none`: do not look for it. */
export type AddonUse = "required" | "optional" | "none";

/**
 * The addon, or null and a line that says what is missing and what to do.
 *
 * @throws AddonMissingError (`code` ONEHOP_ADDON_MISSING) if it is required and cannot be loaded
 */
export function findAddon(use: AddonUse): { addon: Addon | null; missing: string } {
  if (use === "none") return { addon: null, missing: "the native addon is switched off" };
  try {
    return { addon: loadAddon(), missing: "" };
  } catch (error) {
    if (use === "required" || !(error instanceof AddonMissingError)) throw error;
    return { addon: null, missing: error.message };
  }
}
