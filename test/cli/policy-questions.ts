/** Questions to `onehop policy why`, asked without a process for each. */

import type { PolicyRule } from "../../bus/index.ts";
import { noAccounts } from "../../bus/policy/accounts.ts";
import type { PolicySource } from "../../cli/policy/policy-source.ts";
import { type Answer, answerWhy, type WhyWords } from "../../cli/policy/why.ts";
import type { Client } from "../../client/index.ts";
import { loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";

/** What is not given is as if it was not typed. */
export type Question = Partial<WhyWords> & { readonly sender: string };

const NOTHING: Omit<WhyWords, "sender"> = {
  name: undefined,
  path: undefined,
  interface: undefined,
  member: undefined,
  type: undefined,
  reply: false,
  error: undefined,
  unrequested: false,
  broadcast: false,
  overheard: false,
  fds: 0,
  own: undefined,
  connect: false,
  owns: [],
  "destination-owns": [],
  "receiver-user": undefined,
};

/** `client`: of a bus that may be asked about peers. */
export function ask(
  question: Question,
  source: PolicySource,
  client: Client | null = null,
): Promise<Answer> {
  return answerWhy({ ...NOTHING, ...question }, source, { open: async () => client });
}

/** The configuration of a file. */
export function sourceOf(path: string): PolicySource {
  const { configuration, problem } = loadConfiguration({ kind: "file", path });
  if (configuration === null) throw new Error(problem.text);
  return {
    path,
    configuration,
    policy: { rules: configuration.policyRules, accounts: noAccounts },
  };
}

/** The same with other rules. */
export function withRules(source: PolicySource, rules: readonly PolicyRule[]): PolicySource {
  return {
    ...source,
    configuration: { ...source.configuration, policyRules: rules },
    policy: { rules, accounts: noAccounts },
  };
}
