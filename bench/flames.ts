/** `--flames`: where the CPU time of onehop goes, one flame graph for each mode. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BusProgram, dbusDaemon } from "./buses.ts";
import type { Children } from "./children.ts";
import { flameGraphSvg } from "./flame-graph.ts";
import { type FoldedStack, foldStacks } from "./folded-stacks.ts";
import { type Measurement, measureWatched } from "./load.ts";
import { ROOT } from "./machine.ts";
import type { Mode } from "./modes.ts";
import { readSamples, recording } from "./perf.ts";
import { withoutStaleNames } from "./perf-map.ts";
import { Progress } from "./progress.ts";
import { loadArguments, type RoundsPlan, Stable } from "./rounds.ts";

const NS_PER_US = 1000;
const BUILD_MS = 180_000;

/**
 * The bundle of this tree so that perf can name its functions and follow its stacks, or a sentence on
 * why it cannot be started: node writes the names of JavaScript functions to /tmp/perf-PID.map and gives
 * interpreted ones frames of their own; the addon, built here, has frame pointers.
 */
export async function watchableBus(children: Children): Promise<BusProgram | string> {
  const bundle = join(ROOT, "dist/onehop-dbus-daemon.cjs");
  if (!existsSync(bundle)) return `onehop cannot be started: ${bundle} is missing; build it first`;
  const builder = join(ROOT, "native/build.mjs");
  const built = await children.run([process.execPath, builder, "--frame-pointers"], BUILD_MS);
  if (built.code !== 0) return built.stderr.trim() || "native/build.mjs was killed";
  return dbusDaemon("onehop", [
    ...["env", `ONEHOP_ADDON=${join(ROOT, "native/build/frame-pointers/onehop.node")}`],
    ...[process.execPath, "--perf-basic-prof", "--interpreted-frames-native-stack", bundle],
  ]);
}

/** Draws each mode into `folder`, from a fresh bus. Returns what went wrong. */
export async function drawFlames(
  plan: RoundsPlan,
  program: BusProgram,
  modes: readonly Mode[],
  folder: string,
): Promise<readonly string[]> {
  const failures: string[] = [];
  const progress = new Progress(modes.length);
  mkdirSync(folder, { recursive: true });
  for (const mode of modes) {
    progress.show(mode.title);
    const problem = await drawMode(plan, program, mode, join(folder, `${mode.name}.svg`));
    plan.interruption.throwIfAborted();
    if (problem !== null) {
      failures.push(`${mode.name}: ${problem}`);
      progress.say(`bench: ${mode.name} failed: ${problem}`);
    }
    progress.advance();
  }
  progress.clear();
  return failures;
}

async function drawMode(
  plan: RoundsPlan,
  program: BusProgram,
  mode: Mode,
  file: string,
): Promise<string | null> {
  const stable = new Stable(plan);
  let names: string | null = null;
  try {
    const bus = await stable.busOf(program, mode);
    if (typeof bus === "string") return bus;
    names = `/tmp/perf-${bus.pid}.map`;
    const samples = join(dirname(bus.socket), "samples");
    const watcher = recording(bus.pid, samples, plan.loadCpu);
    const args = loadArguments(plan, mode);
    const measured = await measureWatched(plan.children, bus, args, watcher);
    if (typeof measured === "string") return measured;
    await stable.discard(program);
    writeFileSync(names, withoutStaleNames(readFileSync(names, "utf8")));
    const read = await readSamples(plan.children, samples, measured);
    if (typeof read === "string") return read;
    const stacks = foldStacks(read.script);
    if (stacks.length === 0) return "perf took no samples";
    writeFileSync(file, flameGraphSvg(headingOf(mode, measured, stacks), stacks));
    return null;
  } finally {
    await stable.close();
    if (names !== null) rmSync(names, { force: true });
  }
}

function headingOf(mode: Mode, measured: Measurement, stacks: readonly FoldedStack[]): string {
  const samples = stacks.reduce((sum, stack) => sum + stack.samples, 0).toLocaleString("en");
  const cost = `${(measured.cpuNs / NS_PER_US).toFixed(2)} µs of CPU for each`;
  // In a flood most of it is the flood's.
  const perMessage = mode.compares === "cpu" ? `, ${cost} ${unitOf(mode)}` : "";
  return `onehop, ${mode.name}: ${samples} samples${perMessage}`;
}

function unitOf(mode: Mode): string {
  return mode.name === "connect" ? "connection" : "message";
}
