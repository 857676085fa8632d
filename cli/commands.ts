/** All commands of onehop. */

import { type LazyCommand, lazyCommand } from "./lazy-command.ts";
import { policyCommands } from "./policy-commands.ts";

/** `behindDashes`: the words that follow `--`, which yargs must not read. */
export function allCommands(behindDashes: readonly string[]): readonly LazyCommand[] {
  return [
    lazyCommand("daemon", "Run a message bus until it is interrupted", async () => {
      const { daemonCommand } = await import("./commands/daemon.ts");
      return daemonCommand;
    }),
    lazyCommand("run", "Run a command with a message bus of its own", async () => {
      const { runCommand } = await import("./commands/run.ts");
      return runCommand(behindDashes);
    }),
    lazyCommand("call", "Call a method and print its reply", async () => {
      const { callCommand } = await import("./commands/call.ts");
      return callCommand(behindDashes);
    }),
    lazyCommand("emit", "Send a signal", async () => {
      const { emitCommand } = await import("./commands/emit.ts");
      return emitCommand(behindDashes);
    }),
    lazyCommand("get-property", "Print the values of properties", async () => {
      const { getPropertyCommand } = await import("./commands/get-property.ts");
      return getPropertyCommand;
    }),
    lazyCommand("set-property", "Give a property another value", async () => {
      const { setPropertyCommand } = await import("./commands/set-property.ts");
      return setPropertyCommand(behindDashes);
    }),
    lazyCommand("list", "List the names on a bus", async () => {
      const { listCommand } = await import("./commands/list.ts");
      return listCommand;
    }),
    lazyCommand("tree [names..]", "Show the objects behind names", async () => {
      const { treeCommand } = await import("./commands/tree.ts");
      return treeCommand;
    }),
    lazyCommand("introspect <name> <path> [interface]", "Show what an object has", async () => {
      const { introspectCommand } = await import("./commands/introspect.ts");
      return introspectCommand;
    }),
    lazyCommand("env", "Set variables for the programs that a bus starts", async () => {
      const { envCommand } = await import("./commands/env.ts");
      return envCommand(behindDashes);
    }),
    lazyCommand("monitor [names..]", "Show what passes over a bus", async () => {
      const { monitorCommand } = await import("./commands/monitor.ts");
      return monitorCommand;
    }),
    lazyCommand("explain <rule>", "Say why a message matches a rule, or why not", async () => {
      const { explainCommand } = await import("./commands/explain.ts");
      return explainCommand;
    }),
    lazyCommand(
      "policy",
      "Say what the policy of a bus allows, and what is wrong with it",
      async () => {
        const { policyCommand } = await import("./commands/policy.ts");
        return policyCommand;
      },
      policyCommands,
    ),
    lazyCommand("status [name]", "Show a bus, or who owns a name", async () => {
      const { statusCommand } = await import("./commands/status.ts");
      return statusCommand;
    }),
    lazyCommand(
      "completion <shell>",
      "Print a script that completes words in a shell",
      async () => {
        const { completionCommand } = await import("./commands/completion.ts");
        return completionCommand;
      },
    ),
    lazyCommand("__complete", false, async () => {
      const { completeCommand } = await import("./commands/complete.ts");
      return completeCommand(behindDashes, allCommands([]));
    }),
  ];
}
