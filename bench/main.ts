/** `npm run bench`: buses or clients beside each other, this tree against another commit, memory, starts, or flame graphs. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BusProgram, findBus, onehopIn } from "./buses.ts";
import { Children } from "./children.ts";
import { formatClients, ratiosOf, summarizeClients } from "./client-report.ts";
import { findClients, measureClients } from "./clients.ts";
import { buildWorktree } from "./compare.ts";
import { drawFlames, watchableBus } from "./flames.ts";
import {
  allowedCpus,
  describeMachine,
  type Machine,
  processorTicks,
  ROOT,
  stolenShare,
} from "./machine.ts";
import { formatMemory, MEMORY_LOAD, measureMemories } from "./memory.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { perfProblem } from "./perf.ts";
import { plotSvg } from "./plot.ts";
import { policyContestants } from "./policies.ts";
import { type Comparison, formatBesides, formatSpeed, summarize } from "./report.ts";
import { measureModes, type RoundsPlan } from "./rounds.ts";
import { curvesOf, formatScale, measureScale, panelsOf } from "./scale.ts";
import { formatStarts, measureStarts } from "./startup.ts";

/** See USAGE. */
const ExitCode = {
  AllMeasured: 0,
  SomeFailed: 1,
  WrongOptions: 2,
  Nothing: 3,
  Interrupted: 130,
} as const;
type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});

async function main(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseOptions(args);
  switch (parsed.kind) {
    case "help":
      process.stdout.write(USAGE);
      return ExitCode.AllMeasured;
    case "wrong":
      process.stderr.write(`bench: ${parsed.message}\n\n${USAGE}`);
      return ExitCode.WrongOptions;
    case "options":
      return run(parsed.options);
  }
}

async function run(options: BenchOptions): Promise<ExitCode> {
  const tools = spawnSync(process.execPath, [join(ROOT, "bench/build-tools.mjs")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (tools.status !== 0) return ExitCode.Nothing;

  const children = new Children();
  const interruption = new AbortController();
  const interrupt = (): void => {
    interruption.abort();
    children.killAll();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, interrupt);
  process.once("exit", () => children.killAll());
  try {
    if (options.flames !== null)
      return await profile(options, options.flames, children, interruption.signal);
    if (options.hasPolicies) return await comparePolicies(options, children, interruption.signal);
    return options.reference === null
      ? await compareBuses(options, children, interruption.signal)
      : await compareTrees(options, options.reference, children, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) return ExitCode.Interrupted;
    throw error;
  }
}

async function compareBuses(
  options: BenchOptions,
  children: Children,
  interruption: AbortSignal,
): Promise<ExitCode> {
  const programs: BusProgram[] = [];
  for (const name of options.buses) {
    const program = findBus(name);
    if (typeof program === "string") console.error(`bench: left out: ${program}`);
    else programs.push(program);
  }
  const names = programs.map((program) => program.name);
  const references = ["dbus-broker", "dbus-daemon"].filter((name) => names.includes(name));
  const comparison: Comparison = {
    subject: "onehop",
    references: names.includes("onehop") ? references : [],
    hasTargets: references[0] === "dbus-broker" && names.includes("onehop"),
  };
  return measure(options, programs, comparison, children, interruption);
}

async function comparePolicies(
  options: BenchOptions,
  children: Children,
  interruption: AbortSignal,
): Promise<ExitCode> {
  const directory = mkdtempSync(join(tmpdir(), "onehop-bench-policies-"));
  try {
    const programs = policyContestants(directory, options.policyFiles);
    const names = programs.map((program) => program.name);
    const subject = names.at(-1) ?? "";
    const comparison = { subject, references: names.slice(0, -1).reverse(), hasTargets: false };
    return await measure(options, programs, comparison, children, interruption);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compareTrees(
  options: BenchOptions,
  reference: string,
  children: Children,
  interruption: AbortSignal,
): Promise<ExitCode> {
  const worktree = await buildWorktree(reference, children, interruption);
  if (typeof worktree === "string") {
    console.error(`bench: ${worktree}`);
    return ExitCode.Nothing;
  }
  try {
    interruption.throwIfAborted();
    const programs = [onehopIn(ROOT, "this tree"), onehopIn(worktree.directory, reference)];
    const missing = programs.find((program) => typeof program === "string");
    if (missing !== undefined) {
      console.error(`bench: ${missing}`);
      return ExitCode.Nothing;
    }
    const comparison = { subject: "this tree", references: [reference], hasTargets: false };
    const present = programs.filter((program) => typeof program !== "string");
    return await measure(options, present, comparison, children, interruption);
  } finally {
    await worktree.remove();
  }
}

async function profile(
  options: BenchOptions,
  folder: string,
  children: Children,
  interruption: AbortSignal,
): Promise<ExitCode> {
  const program = (await perfProblem(children)) ?? (await watchableBus(children));
  interruption.throwIfAborted();
  if (typeof program === "string") {
    console.error(`bench: ${program}`);
    return ExitCode.Nothing;
  }
  const { seconds, warmupSeconds } = options;
  const plan: RoundsPlan = {
    ...{ programs: [program], rounds: 1, seconds, warmupSeconds, children, interruption },
    ...chooseCpus(options),
  };
  const failures = await drawFlames(plan, program, options.modes, folder);
  return failures.length === 0 ? ExitCode.AllMeasured : ExitCode.SomeFailed;
}

async function measure(
  options: BenchOptions,
  programs: readonly BusProgram[],
  comparison: Comparison,
  children: Children,
  interruption: AbortSignal,
): Promise<ExitCode> {
  if (programs.length === 0) {
    console.error("bench: there is no bus to measure");
    return ExitCode.Nothing;
  }
  const machine = describeMachine();
  const ticks = processorTicks();
  const { rounds, seconds, warmupSeconds } = options;
  const cpus = chooseCpus(options);
  const plan: RoundsPlan = {
    ...{ programs, rounds, seconds, warmupSeconds, children, interruption },
    ...cpus,
  };
  const buses = programs.map((program) => program.name);
  const hasColours = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  const report = {
    speed: () => reportSpeed(options, plan, buses, comparison, machine, hasColours),
    client: () => reportClients(options, plan, machine, hasColours),
    memory: () => reportMemory(options, plan, buses, machine, hasColours),
    scale: () => reportScale(options, plan, buses, machine, hasColours),
    startup: () => reportStarts(options, plan, buses, machine, hasColours),
  };
  const failures = await report[options.action]();

  if (!options.isJson)
    console.log(`\n${footOf(machine, plan, options.action, stolenShare(ticks))}`);
  return failures.length === 0 ? ExitCode.AllMeasured : ExitCode.SomeFailed;
}

async function reportStarts(
  options: BenchOptions,
  plan: RoundsPlan,
  buses: readonly string[],
  machine: Machine,
  hasColours: boolean,
): Promise<readonly string[]> {
  const result = await measureStarts(plan);
  if (options.isJson) console.log(JSON.stringify({ machine, rounds: plan.rounds, ...result }));
  else console.log(formatStarts(result, buses, hasColours));
  return result.failures;
}

async function reportSpeed(
  options: BenchOptions,
  plan: RoundsPlan,
  buses: readonly string[],
  comparison: Comparison,
  machine: Machine,
  hasColours: boolean,
): Promise<readonly string[]> {
  const result = await measureModes(plan, options.modes);
  const modes = summarize(options.modes, buses, comparison, result);
  const { rounds, seconds, warmupSeconds, busCpu, loadCpu } = plan;
  const settings = { rounds, seconds, warmupSeconds, busCpu, loadCpu };
  if (options.isJson)
    console.log(
      JSON.stringify({ machine, settings, comparison, modes, failures: result.failures }),
    );
  else {
    console.log(formatSpeed(modes, buses, comparison, hasColours));
    const besides = formatBesides(modes, comparison, hasColours);
    if (besides !== null) console.log(`\n${besides}`);
  }
  return result.failures;
}

async function reportClients(
  options: BenchOptions,
  plan: RoundsPlan,
  machine: Machine,
  hasColours: boolean,
): Promise<readonly string[]> {
  const { names, missing } = findClients();
  for (const sentence of missing) console.error(`bench: left out: ${sentence}`);
  const result = await measureClients(plan, names);
  const rows = summarizeClients(names, result);
  const { rounds, seconds, warmupSeconds, busCpu, loadCpu } = plan;
  const settings = { rounds, seconds, warmupSeconds, busCpu, loadCpu };
  const { failures } = result;
  if (options.isJson)
    console.log(JSON.stringify({ ...ratiosOf(rows), machine, settings, missing, rows, failures }));
  else console.log(formatClients(rows, names, hasColours));
  return failures;
}

async function reportScale(
  options: BenchOptions,
  plan: RoundsPlan,
  buses: readonly string[],
  machine: Machine,
  hasColours: boolean,
): Promise<readonly string[]> {
  const result = await measureScale(plan, options.isShort);
  const curves = curvesOf(result, buses);
  if (options.isJson) {
    console.log(JSON.stringify({ machine, rounds: plan.rounds, curves, ...result }));
  } else console.log(formatScale(curves, buses, hasColours));
  if (options.plot !== null) {
    writeFileSync(options.plot, plotSvg("CPU time of buses by size", panelsOf(curves)));
  }
  return result.failures;
}

async function reportMemory(
  options: BenchOptions,
  plan: RoundsPlan,
  buses: readonly string[],
  machine: Machine,
  hasColours: boolean,
): Promise<readonly string[]> {
  const result = await measureMemories(plan, MEMORY_LOAD);
  if (options.isJson) console.log(JSON.stringify({ machine, memory: MEMORY_LOAD, ...result }));
  else console.log(formatMemory(buses, result, hasColours));
  return result.failures;
}

function chooseCpus(options: BenchOptions): { busCpu: number; loadCpu: number } {
  const allowed = allowedCpus();
  const busCpu = options.busCpu ?? allowed[0] ?? 0;
  const loadCpu = options.loadCpu ?? allowed.find((cpu) => cpu !== busCpu) ?? busCpu;
  if (busCpu === loadCpu)
    console.error(`bench: bus and load share CPU ${busCpu} in all modes, two CPUs or not`);
  return { busCpu, loadCpu };
}

function footOf(
  machine: Machine,
  plan: RoundsPlan,
  action: BenchOptions["action"],
  stolen: number,
): string {
  const { rounds, seconds, warmupSeconds, busCpu, loadCpu } = plan;
  const count = `${rounds} ${rounds === 1 ? "round" : "rounds"}`;
  const pinned = `bus on CPU ${busCpu}, load on CPU ${loadCpu}`;
  const method = {
    speed: `Medians of ${count} of ${seconds} s after ${warmupSeconds} s of warm-up; ${pinned}.`,
    client: `Medians of ${count} of ${seconds} s after ${warmupSeconds} s of warm-up; bus and service on CPU ${busCpu}, client on CPU ${loadCpu}.`,
    memory: `Medians of ${count}; ${pinned}.`,
    scale: `Medians of ${count} of ${seconds} s after ${warmupSeconds} s of warm-up; ${pinned}.`,
    startup: `${count}, nothing pinned.`,
  };
  return [
    `${method[action]} bench/README.md says how to read this.`,
    `${machine.processorCount} × ${machine.processor}, Linux ${machine.kernel}, Node ${machine.node}; load average before ${machine.loadBefore.toFixed(2)}, stolen by the host ${(100 * stolen).toFixed(1)} %.`,
  ].join("\n");
}
