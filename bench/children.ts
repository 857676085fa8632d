/** The processes a bench starts: none outlives it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** How a process ended. */
export interface Finished {
  /** Exit code; null when a signal ended it or it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that goes on running beside the bench. */
export interface Companion {
  readonly pid: number;
  /** What it printed first, without the line break. */
  readonly firstLine: string;
  hasEnded(): boolean;
  /** Asks it to end, and insists after two seconds. */
  end(): Promise<void>;
}

const PATIENCE_MS = 2000;
const START_MS = 20_000;

/** Starts processes and remembers those that still run. */
export class Children {
  readonly #running: Set<ChildProcess> = new Set();

  /** Runs `command` to its end; after `limitMs` it is killed. */
  async run(command: readonly string[], limitMs: number, directory?: string): Promise<Finished> {
    const child = this.#spawn(command, directory);
    const output = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    try {
      await once(child, "close");
    } catch (error) {
      return { code: null, stdout: "", stderr: `${command[0]}: ${error}` };
    } finally {
      clearTimeout(timer);
    }
    return { code: child.exitCode, ...output };
  }

  /** Starts `command` and waits until it printed a line, or until it cannot. */
  async start(command: readonly string[]): Promise<Companion | Finished> {
    const child = this.#spawn(command);
    let stdout = "";
    let stderr = "";
    const printed = new Promise<void>((resolve) => {
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        if (stdout.includes("\n")) resolve();
      });
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.once("error", (error) => {
        stderr += String(error);
        resolve();
      });
      child.once("close", () => resolve());
    });
    const timer = setTimeout(() => {
      stderr += `${command.join(" ")}: printed nothing for ${START_MS / 1000} s\n`;
      child.kill("SIGKILL");
    }, START_MS);
    await printed;
    clearTimeout(timer);

    const [firstLine, ...rest] = stdout.split("\n");
    if (firstLine === undefined || rest.length === 0 || child.pid === undefined)
      return { code: child.exitCode, stdout, stderr };
    return {
      pid: child.pid,
      firstLine,
      hasEnded: () => hasEnded(child),
      end: () => end(child),
    };
  }

  /** Ends all that still runs, at once. */
  killAll(): void {
    for (const child of this.#running) child.kill("SIGKILL");
  }

  #spawn(command: readonly string[], directory?: string): ChildProcess {
    const [file = "", ...args] = command;
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], cwd: directory });
    this.#running.add(child);
    child.once("close", () => this.#running.delete(child));
    child.once("error", () => this.#running.delete(child));
    return child;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  await closed;
  clearTimeout(timer);
}
