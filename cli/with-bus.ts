/** The life of a command on a bus: connect, do, leave; and how it is told what went wrong. */

import { type Client, connect, sessionBus, systemBus } from "../client/index.ts";
import type { BusOptions } from "./bus-options.ts";
import { CommandProblem, failure, misuse } from "./command-problem.ts";
import { ExitStatus } from "./exit-status.ts";
import { paintFor } from "./print/colour.ts";

/** Runs a command with a client of the bus that the options name; a failure is told and sets the exit status. */
export async function withBus(
  options: BusOptions,
  run: (client: Client) => Promise<void>,
): Promise<void> {
  await tellingProblems(async () => {
    const client = await openBus(options);
    try {
      await run(client);
    } finally {
      await client.close();
    }
  });
}

/** Runs it; a problem is printed on standard error and sets the exit status. What is no problem is a bug, and thrown. */
export async function tellingProblems(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === null) throw error;
    process.stderr.write(describeProblem(problem));
    process.exitCode = problem.status;
  }
}

/**
 * A client of the bus that the options name.
 *
 * @throws CommandProblem that says what was tried
 */
export async function openBus({ system, address, timeout }: BusOptions): Promise<Client> {
  const options = timeout === undefined ? {} : { timeoutMs: timeout };
  try {
    if (address !== undefined) return await connect(address, options);
    return await (system ? systemBus(options) : sessionBus(options));
  } catch (error) {
    switch (codeOf(error)) {
      case "ONEHOP_CONNECT_FAILED":
        throw new CommandProblem(
          messageOf(error),
          ExitStatus.Unreachable,
          address === undefined && !system
            ? "a session bus for one command: onehop run -- COMMAND…; another bus: --system or --address ADDRESS"
            : null,
        );
      case "ONEHOP_ADDRESS_SYNTAX":
      case "ONEHOP_ADDRESS_UNSUPPORTED":
        throw misuse(messageOf(error), "for example --address unix:path=/run/user/1000/bus");
      default:
        throw error;
    }
  }
}

/** What the client throws for the outcome of a call is no bug. */
function problemOf(error: unknown): CommandProblem | null {
  if (error instanceof CommandProblem) return error;
  if (!(error instanceof Error) || error.name !== "DBusError") return null;
  return failure(error.message);
}

function describeProblem({ message, hint }: CommandProblem): string {
  const paint = paintFor(process.stderr);
  const lines = hint === null ? [] : hint.split("\n").map((line) => paint(`  ${line}\n`, "grey"));
  return `${paint("onehop:", "red")} ${message}\n${lines.join("")}`;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
