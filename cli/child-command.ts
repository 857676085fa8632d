/** One command run as a child, with the signals that this process gets passed on to it. */

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { ExitStatus } from "./exit-status.ts";

/** How a command ended: its exit status as a shell would tell it, and why it could not be started. */
export interface CommandEnd {
  readonly status: number;
  readonly problem: string | null;
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * A command that may be run once. From its making on these signals do not end this process: they go to
 * the command, or keep it from being started at all.
 */
export class ChildCommand {
  readonly #words: readonly string[];
  #child: ChildProcess | null;
  #early: NodeJS.Signals | null;

  constructor(words: readonly string[]) {
    this.#words = words;
    this.#child = null;
    this.#early = null;
    for (const signal of forwarded) process.on(signal, this.#forward);
  }

  /** Starts the command with this environment and this process's own files, and waits for its end. */
  run(environment: Readonly<Record<string, string | undefined>>): Promise<CommandEnd> {
    const [program = "", ...rest] = this.#words;
    if (this.#early !== null) return Promise.resolve(endBySignal(this.#early));
    return new Promise((resolve) => {
      const child = spawn(program, rest, { stdio: "inherit", env: environment });
      this.#child = child;
      child.once("error", (error: NodeJS.ErrnoException) => {
        resolve(
          error.code === "ENOENT"
            ? { status: ExitStatus.NotFound, problem: `${program}: command not found` }
            : { status: ExitStatus.NotExecutable, problem: `${program}: cannot be executed` },
        );
      });
      child.once("exit", (status, signal) => {
        resolve(signal === null ? { status: status ?? 0, problem: null } : endBySignal(signal));
      });
    });
  }

  /** Gives the signals their usual effect back. */
  release(): void {
    for (const signal of forwarded) process.off(signal, this.#forward);
  }

  readonly #forward = (signal: NodeJS.Signals): void => {
    // A terminal interrupts everybody in the foreground: the command has had this one already.
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    if (this.#child === null) this.#early = signal;
    else this.#child.kill(signal);
  };
}

function endBySignal(signal: NodeJS.Signals): CommandEnd {
  return { status: ExitStatus.Signalled + constants.signals[signal], problem: null };
}
