/** Runs one target in a process of its own and tells whether it hung or died. */

import { fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Find } from "./failure.ts";
import { readJournal } from "./journal.ts";
import type { Answer, Order } from "./one-target.ts";

/** No input takes a thousandth of it; the machine may be busy. */
const HANG_MS = 20_000;
/** What a process may take beyond its time: to start, to make a find smaller, to collect garbage. */
const PATIENCE_MS = 60_000;
export interface Outcome {
  readonly target: string;
  readonly inputs: number;
  readonly milliseconds: number;
  readonly keptCount: number;
  readonly kept: readonly Uint8Array[];
  readonly blocks: number;
  readonly find: Find | null;
}

export interface Assignment {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  readonly corpus: string;
  readonly isBlind: boolean;
  /** Where the fuzzers are that run: these here, or a copy's. */
  readonly fuzzers?: string;
  /** Ends the process at once; then nothing was found. */
  readonly signal?: AbortSignal;
}

export async function fuzzInProcess(assignment: Assignment): Promise<Outcome> {
  const { target, seconds, seed, corpus, isBlind, signal } = assignment;
  const fuzzers = assignment.fuzzers ?? import.meta.dirname;
  const folder = mkdtempSync(join(tmpdir(), "onehop-fuzz-"));
  const journal = join(folder, "journal");
  const order: Order = { target, milliseconds: seconds * 1000, seed, corpus, journal };
  const started = performance.now();
  const child = fork(join(fuzzers, "one-target.ts"), [], {
    execArgv: ["--expose-gc", "--import", pathToFileURL(join(fuzzers, "loader.mjs")).href],
    env: { ...process.env, ONEHOP_FUZZ_COUNT: isBlind ? "0" : "1", NODE_NO_WARNINGS: "1" },
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(order);
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill);
  const watch = watchFor(journal, seconds * 1000 + PATIENCE_MS, kill);
  // Its channel too: who runs a target here afterwards counts the descriptors of this process.
  const closed = new Promise((resolve) => child.once("close", resolve));
  const end = await new Promise<Answer | string>((resolve) => {
    child.once("message", (answer: Answer) => resolve(answer)); // one-target.ts sends nothing else
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
  await closed;
  signal?.removeEventListener("abort", kill);
  const hang = watch.stop();
  const last = existsSync(journal) ? readJournal(journal) : { count: 0, input: new Uint8Array(0) };
  rmSync(folder, { recursive: true });
  if (typeof end !== "string") {
    const { report, kept } = end;
    return { ...report, target, kept, keptCount: report.kept };
  }
  return {
    target,
    inputs: last.count,
    milliseconds: performance.now() - started,
    kept: [],
    keptCount: 0,
    blocks: 0,
    find:
      signal?.aborted === true
        ? null
        : { what: hang ?? end, input: last.count === 0 ? null : last.input },
  };
}

/** Calls `stop` if one input takes too long, or everything does; what it saw when it is stopped. */
function watchFor(journal: string, limitMs: number, kill: () => void): { stop(): string | null } {
  const started = performance.now();
  let count = 0;
  let since = started;
  let what: string | null = null;
  const timer = setInterval(() => {
    const now = performance.now();
    const current = existsSync(journal) ? readJournal(journal).count : 0;
    if (current !== count) [count, since] = [current, now];
    else if (count > 0 && now - since > HANG_MS && now - started < limitMs - PATIENCE_MS) {
      what = `it hung for ${HANG_MS / 1000} s`;
    } else if (now - started > limitMs) what = "it did not come to an end";
    if (what !== null) kill();
  }, 500);
  return {
    stop: () => {
      clearInterval(timer);
      return what;
    },
  };
}
