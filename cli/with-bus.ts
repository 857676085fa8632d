/** The life of a command on a bus: connect, do, leave; and how it is told what went wrong. */

import { sessionBusAddresses, systemBusAddresses } from "../client/bus-addresses.ts";
import { type Client, connect, type DBusError } from "../client/index.ts";
import type { BusOptions } from "./bus-options.ts";
import { CommandProblem, failure, misuse } from "./command-problem.ts";
import { ExitStatus } from "./exit-status.ts";
import { paintFor } from "./print/colour.ts";
import { oneLine } from "./print/table.ts";

/** Runs a command with a client of the bus that the options name; a failure is told and sets the exit status. */
export async function withBus(
  options: BusOptions,
  run: (client: Client) => Promise<void>,
): Promise<void> {
  await tellingProblems(async () => {
    const client = await openBus(options);
    try {
      await run(client);
    } catch (error) {
      throw isDBusError(error) ? await refusal(client, error) : error;
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

/** The D-Bus addresses of the bus that the options name. @throws ConnectError if the environment does not tell */
export function addressOfBus({ system, address }: BusOptions): string {
  if (address !== undefined) return address;
  return system === true ? systemBusAddresses(process.env) : sessionBusAddresses(process.env);
}

/**
 * A client of the bus that the options name.
 *
 * @throws CommandProblem that says what was tried
 */
export async function openBus(bus: BusOptions): Promise<Client> {
  const { system, address, timeout } = bus;
  try {
    return await connect(addressOfBus(bus), timeout === undefined ? {} : { timeoutMs: timeout });
  } catch (error) {
    switch (codeOf(error)) {
      case "ONEHOP_CONNECT_FAILED":
        throw new CommandProblem(
          messageOf(error),
          ExitStatus.Unreachable,
          address === undefined && system !== true
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

/** What became of a call, and what can be done about it. */
async function refusal(client: Client, error: DBusError): Promise<CommandProblem> {
  if (error.code !== "ONEHOP_ERROR_REPLY") return failure(oneLine(error.message));
  const { hintFor } = await import("./error-hints.ts");
  return failure(`${error.errorName}: ${oneLine(error.text.trim())}`, await hintFor(client, error));
}

function isDBusError(error: unknown): error is DBusError {
  return error instanceof Error && error.name === "DBusError";
}

function problemOf(error: unknown): CommandProblem | null {
  if (error instanceof CommandProblem) return error;
  return isDBusError(error) ? failure(oneLine(error.message)) : null;
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
