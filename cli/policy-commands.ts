/** The commands of `onehop policy`. */

import { type LazyCommand, lazyCommand } from "./lazy-command.ts";

export const policyCommands: readonly LazyCommand[] = [
  lazyCommand(
    "why <sender> [name] [path] [interface] [member]",
    "Say who decides whether a message may be sent and received",
    async () => {
      const { policyWhyCommand } = await import("./commands/policy-why.ts");
      return policyWhyCommand;
    },
  ),
  lazyCommand(
    "lint",
    "Say what a configuration does not protect, and what of it cannot work",
    async () => {
      const { policyLintCommand } = await import("./commands/policy-lint.ts");
      return policyLintCommand;
    },
  ),
  lazyCommand(
    "complaints [file]",
    "Sum up what a daemon's log says was refused, or would have been",
    async () => {
      const { policyComplaintsCommand } = await import("./commands/policy-complaints.ts");
      return policyComplaintsCommand;
    },
  ),
];
