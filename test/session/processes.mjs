/** Programs of the session test: started, listened to, and ended with it. */

import { spawn } from "node:child_process";
import { once } from "node:events";

/** Far more than any step needs, on machines that do other things as well. */
export const PATIENCE_MS = 30_000;

const running = new Set();

/** Runs a program to its end; throws, with what it said, unless it ends with 0. */
export async function run(command, ...words) {
  const program = start(command, ...words);
  const [status, signal] = await program.ended;
  if (status !== 0) {
    throw new Error(
      `${command} ended with ${status ?? signal}: ${program.stderr || program.stdout}`,
    );
  }
  return program.stdout.trim();
}

/** Starts a program that goes on: what it prints can be waited for. */
export function start(command, ...words) {
  const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const ended = once(child, "close").finally(() => clearTimeout(timer));
  /** `keep`: it may go on for as long as it likes. */
  const program = { child, stdout: "", stderr: "", ended, says, keep: () => clearTimeout(timer) };
  child.stdout.setEncoding("utf8").on("data", (text) => (program.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (program.stderr += text));
  // A program that cannot be started is told by whoever waits for it.
  program.ended.catch(() => {});
  running.add(child);
  program.ended.finally(() => running.delete(child)).catch(() => {});
  return program;

  /** Resolves with the match once `pattern` is in what was printed. */
  async function says(pattern) {
    for (;;) {
      const match = pattern.exec(program.stdout);
      if (match !== null) return match;
      const more = once(child.stdout, "data");
      const isOver = await Promise.race([more.then(() => false), program.ended.then(() => true)]);
      if (isOver && pattern.exec(program.stdout) === null) {
        throw new Error(`${command} ended without ${pattern}: ${program.stdout}${program.stderr}`);
      }
    }
  }
}

/** Ends everything that still runs, and waits for it. */
export async function endAll() {
  const ends = [...running].map((child) => once(child, "close"));
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(ends);
}
