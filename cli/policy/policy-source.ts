/** Which configuration a question about policies is about, and the bus that may run with it. */

import type { Argv } from "yargs";
import type { Accounts, Policy } from "../../bus/index.ts";
import { KnownAccounts } from "../../compat/dbus-daemon/accounts.ts";
import {
  type ConfigurationChoice,
  standardConfigurationPath,
} from "../../compat/dbus-daemon/arguments.ts";
import { loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";
import {
  type Configuration,
  describeProblem,
  type Problem,
} from "../../compat/dbus-daemon/configuration.ts";
import { misuse } from "../command-problem.ts";

export interface PolicySourceOptions {
  readonly "config-file": string | undefined;
  /** The session bus's configuration; otherwise it is the system bus's, which is the one with rules. */
  readonly session: boolean | undefined;
}

/** A configuration that was read, with everything that it includes. */
export interface PolicySource {
  /** The first file, as it was named. */
  readonly path: string;
  readonly configuration: Configuration;
  readonly policy: Policy & { readonly accounts: Accounts };
}

export function addPolicySourceOptions<T>(yargs: Argv<T>): Argv<T & PolicySourceOptions> {
  return yargs
    .option("config-file", {
      describe: "A configuration in the format of dbus-daemon",
      type: "string",
      requiresArg: true,
    })
    .option("session", {
      describe: "The configuration of the session bus",
      type: "boolean",
      conflicts: ["config-file", "system"],
    })
    .option("system", {
      describe: "The configuration of the system bus, which is what happens anyway",
      type: "boolean",
      conflicts: "config-file",
    });
}

/** Reads it as a daemon would. @throws CommandProblem that says where it is wrong: no daemon would start with it */
export function readPolicySource({
  "config-file": path,
  session,
}: PolicySourceOptions): PolicySource {
  const choice: ConfigurationChoice =
    path !== undefined ? { kind: "file", path } : { kind: session === true ? "session" : "system" };
  const { configuration, problem } = loadConfiguration(choice);
  if (configuration === null) throw misuse(describeProblem(problem));
  return {
    path: choice.kind === "file" ? choice.path : standardConfigurationPath[choice.kind],
    configuration,
    policy: { rules: configuration.policyRules, accounts: new KnownAccounts() },
  };
}

/** Files with mistakes, which count for nothing. */
export function filesLeftOut({ warnings }: Configuration): readonly Problem[] {
  return warnings.filter(({ text }) => text.includes("the whole file is left out"));
}

/** Policies and rules that hold for nobody, since this machine has no such user or group. */
export function rulesForNobody({ warnings }: Configuration): readonly Problem[] {
  return warnings.filter(
    ({ element, text }) =>
      /^<(policy|allow|deny)\b/.test(element) && text.startsWith("there is no"),
  );
}
