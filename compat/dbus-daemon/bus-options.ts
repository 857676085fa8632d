/** From a configuration to what the bus is told. */

import type { StartOptions } from "../../bus/index.ts";
import { MECHANISMS } from "../../transport/mechanism.ts";
import { KnownAccounts } from "./accounts.ts";
import { BUILT_IN_LIMITS } from "./built-in-limits.ts";
import type { Configuration } from "./configuration.ts";

/**
 * The options that follow from a configuration alone. `current` is asked again at every
 * reload, so that a reloaded configuration counts from then on.
 */
export function busOptionsOf(
  configuration: Configuration,
  current: () => Configuration,
): Pick<StartOptions, "activation" | "limits" | "authentication" | "allowsAnonymous" | "policy"> {
  const { authentication, type } = configuration;
  return {
    activation: {
      directories: () => current().serviceDirectories,
      busType: type,
      helper: () => current().serviceHelper,
    },
    limits: () => ({ ...BUILT_IN_LIMITS, ...current().limits }),
    authentication: authentication.length > 0 ? authentication : MECHANISMS,
    // As in dbus-daemon, this is what it was at the start.
    allowsAnonymous: () => configuration.allowsAnonymous,
    policy: () => ({ rules: current().policyRules, accounts: new KnownAccounts() }),
  };
}
