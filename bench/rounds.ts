/** Alternating rounds: every mode on every bus, so that what disturbs the machine disturbs all. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BusKind, type BusProgram, type RunningBus, startBus } from "./buses.ts";
import type { Children } from "./children.ts";
import { type Measurement, measureSpeed } from "./load.ts";
import type { Mode } from "./modes.ts";
import { Progress } from "./progress.ts";

/** Where and for how long to measure. */
export interface RoundsPlan {
  readonly programs: readonly BusProgram[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly busCpu: number;
  readonly loadCpu: number;
  readonly children: Children;
  /** Ends the bench early; the functions of this file then throw. */
  readonly interruption: AbortSignal;
}

/** The measurements of one mode on one bus, one for each round; null where it failed or cannot be. */
export interface Series<T> {
  readonly mode: string;
  readonly bus: string;
  readonly rounds: (T | null)[];
}

/** What all rounds gave, and what went wrong meanwhile. */
export interface RoundsResult<T> {
  readonly series: readonly Series<T>[];
  readonly failures: readonly string[];
}

/**
 * Measures each mode on each bus in each round. A bus lives for one round and sees all modes, as a
 * real bus sees all kinds of load; the order of the buses turns by one in every round.
 */
export async function measureModes(
  plan: RoundsPlan,
  modes: readonly Mode[],
): Promise<RoundsResult<Measurement>> {
  const book = new Book<Measurement>(plan, modes.length);
  for (let round = 0; round < plan.rounds; round++) {
    const stable = new Stable(plan);
    try {
      for (const mode of modes) {
        for (const program of turned(plan.programs, round)) {
          const isOurs = program.name === "onehop";
          if ((program.isRelay && mode.relay === null) || (mode.isOursAlone && !isOurs)) {
            book.skip(mode.name, program.name);
            continue;
          }
          book.announce(round, mode.title, program.name);
          const result = await measureOnce(plan, stable, mode, program);
          plan.interruption.throwIfAborted();
          book.enter(mode.name, program.name, result);
        }
      }
    } finally {
      await stable.close();
    }
  }
  return book.close();
}

async function measureOnce(
  plan: RoundsPlan,
  stable: Stable,
  mode: Mode,
  program: BusProgram,
): Promise<Measurement | string> {
  const bus = await stable.busOf(program, mode);
  if (typeof bus === "string") return bus;
  const args = [...loadArguments(plan, mode), ...(program.isRelay ? ["--raw"] : [])];
  const result = await measureSpeed(plan.children, bus, args);
  // A bus that failed once may be half dead: the next mode gets a new one.
  if (typeof result === "string") await stable.discard(program);
  return result;
}

/** What the load generator is told of the mode. */
export function loadArguments(plan: RoundsPlan, mode: Mode): readonly string[] {
  return [
    ...mode.load,
    ...["--seconds", String(plan.seconds), "--warmup", String(plan.warmupSeconds)],
    ...["--cpu", String(mode.sharesCpu ? plan.busCpu : plan.loadCpu)],
  ];
}

/** The running buses of one round, on sockets in a directory of their own. */
export class Stable {
  readonly #plan: RoundsPlan;
  readonly #directory: string;
  readonly #buses: Map<BusProgram, { bus: RunningBus; kind: BusKind }> = new Map();
  #startCount: number;

  constructor(plan: RoundsPlan) {
    this.#plan = plan;
    this.#directory = mkdtempSync(join(tmpdir(), "onehop-bench-"));
    // Other users have to get at the sockets in it.
    chmodSync(this.#directory, 0o755);
    this.#startCount = 0;
  }

  /** The bus of that program, started if it does not run, and anew if it has to be of another kind. */
  async busOf(program: BusProgram, kind: BusKind): Promise<RunningBus | string> {
    const known = this.#buses.get(program);
    const isUsable =
      known &&
      !known.bus.companion.hasEnded() &&
      (program.isRelay ? known.kind.relay === kind.relay : known.kind.isShared === kind.isShared);
    if (isUsable) return known.bus;

    await this.discard(program);
    const socket = join(this.#directory, `bus-${this.#startCount++}`);
    const { busCpu, children } = this.#plan;
    const bus = await startBus(program, socket, kind, busCpu, children);
    if (typeof bus !== "string") this.#buses.set(program, { bus, kind });
    return bus;
  }

  async discard(program: BusProgram): Promise<void> {
    await this.#buses.get(program)?.bus.companion.end();
    this.#buses.delete(program);
  }

  async close(): Promise<void> {
    for (const program of [...this.#buses.keys()]) await this.discard(program);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Collects results by mode and bus, and tells the terminal how far it is. */
export class Book<T> {
  readonly #rounds: number;
  readonly #progress: Progress;
  readonly #series: Series<T>[] = [];
  readonly #failures: string[] = [];

  constructor(
    plan: { readonly rounds: number; readonly programs: readonly unknown[] },
    modeCount: number,
  ) {
    this.#rounds = plan.rounds;
    this.#progress = new Progress(plan.rounds * modeCount * plan.programs.length);
  }

  announce(round: number, title: string, bus: string): void {
    this.#progress.show(`round ${round + 1} of ${this.#rounds}: ${title}: ${bus}`);
  }

  skip(mode: string, bus: string): void {
    this.#seriesOf(mode, bus).rounds.push(null);
    this.#progress.advance();
  }

  enter(mode: string, bus: string, result: T | string): void {
    if (typeof result === "string") {
      this.#failures.push(`${mode} on ${bus}: ${result}`);
      this.#progress.say(`bench: ${mode} on ${bus} failed: ${result}`);
    }
    this.#seriesOf(mode, bus).rounds.push(typeof result === "string" ? null : result);
    this.#progress.advance();
  }

  close(): RoundsResult<T> {
    this.#progress.clear();
    return { series: this.#series, failures: this.#failures };
  }

  #seriesOf(mode: string, bus: string): Series<T> {
    const known = this.#series.find((series) => series.mode === mode && series.bus === bus);
    if (known) return known;
    const fresh = { mode, bus, rounds: [] };
    this.#series.push(fresh);
    return fresh;
  }
}

/** The programs, beginning with another one in every round. */
export function turned<T>(programs: readonly T[], round: number): readonly T[] {
  const first = round % programs.length;
  return [...programs.slice(first), ...programs.slice(0, first)];
}
