/** What goes wrong with one input. */

import { Coverage } from "./coverage.ts";
import type { Target } from "./target.ts";

export interface Find {
  readonly what: string;
  /** Null if no single input is to blame. */
  readonly input: Uint8Array | null;
}

/** Whom to tell of errors that nobody catches, because they happen in a turn of their own. */
let blame: ((error: unknown) => void) | null = null;

/** Runs an input: a promise, or nothing for targets that are done at once. Throws what goes wrong. */
export function runInput(target: Target, input: Uint8Array): Promise<void> | undefined {
  const running = target.run(input);
  // Awaiting what is no promise would make the quick targets wait for a microtask each time.
  if (running === undefined) return undefined;
  if (blame === null) process.on("uncaughtException", (error) => blame?.(error));
  const thrown = new Promise<void>((_resolve, reject) => {
    blame = reject;
  });
  return Promise.race([running, thrown]);
}

/** What goes wrong with this input alone, on a target of its own; null if nothing does. */
export async function failureOf(
  make: () => Promise<Target>,
  input: Uint8Array,
): Promise<string | null> {
  const target = await make();
  const coverage = new Coverage();
  coverage.begin();
  try {
    await runInput(target, input);
    coverage.end();
    const excess = excessOf(target, input, coverage.work);
    if (excess !== null) return excess;
    await target.settle?.();
    return null;
  } catch (error) {
    return textOf(error);
  } finally {
    await target.close?.();
  }
}

/** What is wrong with having entered so many blocks; null if nothing is. */
export function excessOf({ work }: Target, input: Uint8Array, blocks: number): string | null {
  const most = work.fixed + work.perByte * input.length;
  return blocks > most
    ? `it took ${blocks} blocks for ${input.length} bytes, more than ${most}`
    : null;
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Broken" ? error.message : (error.stack ?? error.message);
}
