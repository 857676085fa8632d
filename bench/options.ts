/** The command line of `npm run bench`. */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { BUS_NAMES, type BusName } from "./buses.ts";
import { MODES, type Mode, selectModes } from "./modes.ts";

const POLICY_MODES = "pingpong-one-cpu,pipeline-1x64,fanout-10";

/** Options that make no sense where clients are measured. */
const FOR_BUSES: readonly string[] = [
  ...["modes", "buses", "memory", "startup", "policies", "policy-files", "scale", "plot", "flames"],
];

const DEFAULT_ROUNDS = { speed: 7, client: 7, memory: 7, startup: 15, scale: 3 } as const;

export const USAGE: string = `usage: npm run bench -- [options]
       npm run bench -- client [options]
       npm run bench -- compare REF [options]
       npm run bench -- --memory [options]
       npm run bench -- --startup [options]
       npm run bench -- --policies [options]
       npm run bench -- --scale [--plot FILE] [options]
       npm run bench -- --flames FOLDER [options]

Measures message buses beside each other in alternating rounds. 'client' measures client libraries
beside each other, all on onehop; 'compare REF' this tree against another commit, branch or tag of
its repository; --memory measures resident memory; --startup the time from the start of a bus to
its answer to the first Hello.

  --modes a,b      only these modes; a first part selects all modes that go on with a hyphen
  --buses x,y      only these buses: ${BUS_NAMES.join(", ")}
                   (default: all but relay, which forwards bytes unread and is the floor)
  --rounds N       rounds, in each of which every mode is measured on every bus (default 7;
                   with --startup 15); six and more give 95 % confidence intervals
  --seconds S      length of one measurement (default 1.5; with --flames 5)
  --warmup S       load before each measurement (default 1; with --flames 3, client 2)
  --short          one round of 0.3 s: shows that everything runs, the figures mean little
  --bus-cpu N      pin the bus to this CPU (default: the first one this process may use)
  --load-cpu N     pin the load, or the client, to this CPU (default: the second one)
  --json           one JSON object on standard output instead of the table
  --memory         memory of the idle bus, and for each connection, name, waiting call and
                   match rule
  --startup        starts of each bus, beside 'node -e 0'
  --policies       onehop alone: everything allowed, 1 policy file, 500 of them; ${POLICY_MODES}
                   unless --modes says something else
  --policy-files F with --policies: the .conf files of the folder F in place of the 500
  --scale          what an operation costs among ever more idle connections, match rules, names
                   and watchers (default 3 rounds)
  --plot FILE      with --scale: also write the curves to FILE, as SVG
  --flames FOLDER  onehop alone: where its CPU time goes, as FOLDER/MODE.svg for each mode;
                   needs perf
  --help           this text

modes: ${MODES.map((mode) => mode.name).join(", ")}

exit codes: 0 all was measured; 1 a bus or a measurement failed (the rest is printed);
            2 the options are wrong; 3 there is nothing to measure with (a tool or program is
            missing); 130 interrupted
`;

/** What to measure and for how long. */
export interface BenchOptions {
  readonly action: "speed" | "client" | "memory" | "startup" | "scale";
  /** The commit to compare this tree with, or null for a comparison of buses. */
  readonly reference: string | null;
  readonly modes: readonly Mode[];
  readonly buses: readonly BusName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Processors to pin to; null for the default. */
  readonly busCpu: number | null;
  readonly loadCpu: number | null;
  readonly isJson: boolean;
  /** Whether onehop is measured with different numbers of policy files. */
  readonly hasPolicies: boolean;
  /** A folder of policy files to measure it with, or null. */
  readonly policyFiles: string | null;
  readonly isShort: boolean;
  /** Where to write a plot, or null. */
  readonly plot: string | null;
  /** The folder for flame graphs of onehop, which are then all that is made; or null. */
  readonly flames: string | null;
}

/** A command line that was understood, a request for help, or what is wrong with it. */
export type ParsedOptions =
  | { readonly kind: "options"; readonly options: BenchOptions }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

/** Reads the arguments after the program's name. Never throws for what a user typed. */
export function parseOptions(args: readonly string[]): ParsedOptions {
  try {
    return readOptions(args);
  } catch (error) {
    // parseArgs throws for unknown options and missing values, readOptions for bad ones.
    return { kind: "wrong", message: error instanceof Error ? error.message : String(error) };
  }
}

function readOptions(args: readonly string[]): ParsedOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      modes: { type: "string" },
      buses: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      warmup: { type: "string" },
      "bus-cpu": { type: "string" },
      "load-cpu": { type: "string" },
      short: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      memory: { type: "boolean", default: false },
      startup: { type: "boolean", default: false },
      policies: { type: "boolean", default: false },
      "policy-files": { type: "string" },
      scale: { type: "boolean", default: false },
      plot: { type: "string" },
      flames: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return { kind: "help" };
  const isClient = positionals[0] === "client";
  const reference = isClient ? null : readReference(positionals);
  if (isClient) checkClient(positionals, values);
  const actions = (["startup", "memory", "scale"] as const).filter((name) => values[name]);
  if (actions.length > 1) throw new Error(`--${actions.join(" and --")} do not go together`);
  const action = isClient ? "client" : (actions[0] ?? "speed");
  if (values.plot !== undefined && action !== "scale")
    throw new Error("--plot goes with --scale only");
  if (reference !== null && action !== "speed")
    throw new Error(`compare and --${action} do not go together`);
  const isComparison = values.policies || reference !== null || action !== "speed";
  const hasRounds = values.rounds !== undefined || values.buses !== undefined || values.json;
  if (values.flames !== undefined && (isComparison || hasRounds))
    throw new Error("--flames goes with --modes, times and CPUs only");
  if (values.flames === "") throw new Error("--flames needs a folder");
  if (values.policies && (action !== "speed" || reference !== null || values.buses !== undefined))
    throw new Error("--policies goes with --modes, --rounds and times only");
  if (values["policy-files"] !== undefined && !values.policies)
    throw new Error("--policy-files goes with --policies only");
  if (reference !== null && values.buses !== undefined)
    throw new Error("compare measures onehop only; leave --buses out");

  const isShort = values.short;
  const [seconds, warmupSeconds] = isShort
    ? [0.3, 0.2]
    : values.flames
      ? [5, 3]
      : // A client of its own process has more to compile than the load generator, which is C.
        [1.5, isClient ? 2 : 1];
  const defaultRounds = isShort ? 1 : DEFAULT_ROUNDS[action];
  return {
    kind: "options",
    options: {
      action,
      reference,
      modes: readModes(values.modes ?? (values.policies ? POLICY_MODES : undefined)),
      buses: isClient ? ["onehop"] : readBuses(values.buses),
      rounds: readNumber("--rounds", values.rounds, defaultRounds, 1, true),
      seconds: readNumber("--seconds", values.seconds, seconds, 0.01),
      warmupSeconds: readNumber("--warmup", values.warmup, warmupSeconds, 0),
      busCpu: readCpu("--bus-cpu", values["bus-cpu"]),
      loadCpu: readCpu("--load-cpu", values["load-cpu"]),
      isJson: values.json,
      hasPolicies: values.policies,
      policyFiles: values["policy-files"] === undefined ? null : resolve(values["policy-files"]),
      isShort,
      plot: values.plot ?? null,
      flames: values.flames ?? null,
    },
  };
}

/** The clients have rows of their own, and one bus. */
function checkClient(
  positionals: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  if (positionals[1] !== undefined) throw new Error(`'${positionals[1]}' is one argument too many`);
  const wrong = FOR_BUSES.find((name) => values[name] !== undefined && values[name] !== false);
  if (wrong !== undefined)
    throw new Error(`client measures clients on onehop; leave --${wrong} out`);
}

function readReference(positionals: readonly string[]): string | null {
  const [command, reference, ...rest] = positionals;
  if (command === undefined) return null;
  if (command !== "compare") throw new Error(`'${command}' is not a command`);
  if (reference === undefined) throw new Error("compare needs a commit, a branch or a tag");
  if (rest[0] !== undefined) throw new Error(`'${rest[0]}' is one argument too many`);
  return reference;
}

function readModes(text: string | undefined): readonly Mode[] {
  if (text === undefined) return MODES;
  const modes = selectModes(text.split(","));
  if (typeof modes === "string") throw new Error(`--modes: there is no mode '${modes}'`);
  return modes;
}

function readBuses(text: string | undefined): readonly BusName[] {
  if (text === undefined) return BUS_NAMES.filter((name) => name !== "relay");
  const wanted = text.split(",");
  const unknown = wanted.find((name) => !BUS_NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`--buses: there is no bus '${unknown}'`);
  return BUS_NAMES.filter((name) => wanted.includes(name));
}

function readCpu(option: string, text: string | undefined): number | null {
  return text === undefined ? null : readNumber(option, text, 0, 0, true);
}

function readNumber(
  option: string,
  text: string | undefined,
  fallback: number,
  least: number,
  isWhole = false,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === "" || !(value >= least && value < Number.POSITIVE_INFINITY))
    throw new Error(`${option}: '${text}' is not a number of at least ${least}`);
  if (isWhole && !Number.isInteger(value)) throw new Error(`${option}: '${text}' is not whole`);
  return value;
}
