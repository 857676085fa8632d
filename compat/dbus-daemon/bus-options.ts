/** From a configuration to what the bus is told. */

import type { StartOptions } from "../../bus/index.ts";
import { KnownAccounts } from "./accounts.ts";
import type { Configuration } from "./configuration.ts";

/**
 * The options that follow from a configuration alone. `current` is asked again at every
 * reload, so that a reloaded configuration counts from then on.
 */
export function busOptionsOf(
  configuration: Configuration,
  current: () => Configuration,
): Pick<StartOptions, "activation" | "limits" | "authentication" | "policy"> {
  const { authentication, type } = configuration;
  return {
    activation: {
      directories: () => current().serviceDirectories,
      busType: type,
      // It would run as the bus's own user, which is not what the configuration means.
      refusal: () =>
        current().serviceHelper === null ? null : "<servicehelper> is not supported yet",
    },
    limits: () => current().limits,
    ...(authentication.length > 0 && { authentication }),
    policy: () => ({ rules: current().policyRules, accounts: new KnownAccounts() }),
  };
}
