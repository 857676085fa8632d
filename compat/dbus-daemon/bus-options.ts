/** From a configuration to what the bus is told. */

import type { StartOptions } from "../../bus/index.ts";
import { MECHANISMS } from "../../transport/mechanism.ts";
import { BUILT_IN_LIMITS } from "./built-in-limits.ts";
import type { Configuration, ConnectRule } from "./configuration.ts";

/**
 * The options that follow from a configuration alone. `current` is asked each time somebody connects, and
 * at every reload, so that a reloaded configuration counts from then on.
 */
export function busOptionsOf(
  configuration: Configuration,
  current: () => Configuration,
): Pick<
  StartOptions,
  "activation" | "limits" | "authentication" | "allowsAnonymous" | "mayConnect"
> {
  const { authentication, type } = configuration;
  return {
    activation: {
      directories: () => current().serviceDirectories,
      busType: type,
      helper: () => current().serviceHelper,
    },
    limits: () => ({ ...BUILT_IN_LIMITS, ...current().limits }),
    authentication: authentication.length > 0 ? authentication : MECHANISMS,
    allowsAnonymous: () => current().allowsAnonymous,
    mayConnect: (userId, groups) => {
      const isOwner = (): boolean => userId === process.geteuid?.();
      return mayConnect(current().connectRules, isOwner, userId, groups);
    },
  };
}

/**
 * May a user connect? By default only the user that runs the bus: not even root, as in dbus-daemon.
 * `groups` returns `null` if nobody knows them; then no group is allowed and every group is denied.
 */
export function mayConnect(
  rules: readonly ConnectRule[],
  isOwner: () => boolean,
  userId: number,
  groups: () => readonly number[] | null,
): boolean {
  // The last rule that fits decides, so the first one from the end.
  for (let i = rules.length - 1; i >= 0; i--) {
    const { allows, subject, id } = rules[i] as ConnectRule; // i < rules.length
    const fits =
      id === null || (subject === "user" ? id === userId : (groups()?.includes(id) ?? !allows));
    if (fits) return allows;
  }
  return isOwner();
}
