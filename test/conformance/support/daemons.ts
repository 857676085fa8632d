/** Starts the bus under test: which one, the environment variable CONFORMANCE_BUS says. */

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { isOnPath } from "./programs.ts";

export type BusKind = "dbus-daemon" | "dbus-broker" | "onehop";

export interface RunningBus {
  readonly kind: BusKind;
  readonly address: string;
  /** The daemon's process id, or null where the suite did not start it. */
  readonly processId: number | null;
  stop(): Promise<void>;
}

export interface BusOptions {
  /** The user the daemon runs as; default: the one who runs the tests. */
  readonly uid?: number;
  /** A configuration file, of `support` if it has no path, instead of --session; broker-launch takes none and allows everything. */
  readonly configuration?:
    | "all-users.conf"
    | "anonymous.conf"
    | "mechanisms.conf"
    | "strict-replies.conf"
    | `/${string}`;
  /** Where it listens; default: a path of its own. broker-launch has no choice. */
  readonly listen?: string;
  /** With --systemd-activation, which broker-launch does not know. */
  readonly usesSystemd?: boolean;
  /** Called before the bus is started: writes what its configuration needs. */
  readonly prepare?: () => void;
  /** Variables for the daemon beside its own. */
  readonly environment?: Readonly<Record<string, string>>;
}

const HOUSE = join(import.meta.dirname, "../../..");
const BROKER_LAUNCH = join(HOUSE, "bench/build/broker-launch");
const START_MS = 10_000;

/** A descriptor that every daemon has from whoever started it; Node closes none of its own accord from 16 on. */
const INHERITED = 20;

/** What CONFORMANCE_BUS asks for; `address=…` is judged as dbus-daemon is. */
export const chosenBus: string = process.env["CONFORMANCE_BUS"] ?? "onehop";

export const busKind: BusKind = chosenBus.startsWith("address=")
  ? "dbus-daemon"
  : kindNamed(chosenBus);

/** Why the chosen bus cannot be started here, or null if it can. */
export function missingProgram(): string | null {
  if (chosenBus.startsWith("address=")) return null;
  if (busKind === "onehop") {
    const [program = "", script = ""] = onehopCommand();
    const file = script === "" ? program : script;
    return existsSync(file) ? null : `${file} is not built: npm run build`;
  }
  if (!isOnPath(busKind)) return `${busKind} is not installed`;
  if (busKind === "dbus-broker" && !existsSync(BROKER_LAUNCH)) {
    return `${BROKER_LAUNCH} is not built: npm run build:bench`;
  }
  return null;
}

/** Starts the chosen bus and waits until it accepts connections. */
export async function startBus(options: BusOptions = {}): Promise<RunningBus> {
  if (chosenBus.startsWith("address=")) {
    const address = chosenBus.slice("address=".length);
    return { kind: busKind, address, processId: null, stop: async () => {} };
  }
  options.prepare?.();
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  await chmod(folder, 0o755);
  if (options.uid !== undefined) await chown(folder, options.uid, options.uid);
  const path = join(folder, "bus");
  const [program = "", ...before] = commandOf(busKind);
  const flags =
    busKind === "dbus-broker"
      ? ["--address", path]
      : [
          options.configuration === undefined
            ? "--session"
            : `--config-file=${resolve(import.meta.dirname, options.configuration)}`,
          "--nofork",
          "--nopidfile",
          "--print-address",
          `--address=${options.listen ?? `unix:path=${path}`}`,
          ...(options.usesSystemd === true ? ["--systemd-activation"] : []),
        ];
  const inherited = openSync("/dev/null", "r");
  const stdio: StdioOptions = new Array(INHERITED + 1).fill("ignore");
  stdio[1] = "pipe";
  if (process.env["CONFORMANCE_VERBOSE"]) stdio[2] = "inherit";
  stdio[INHERITED] = inherited;
  const daemon = spawn(program, [...before, ...flags], {
    stdio,
    env: { ...process.env, ...options.environment },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  closeSync(inherited);
  const first = await firstLine(daemon, program);
  // The other two make their sockets so themselves, and leave it to the policy who may connect.
  if (busKind === "dbus-broker") await chmod(path, 0o777);
  return {
    kind: busKind,
    address: busKind === "dbus-broker" ? `unix:path=${path}` : first,
    processId: busKind === "dbus-broker" ? Number(first) : (daemon.pid ?? null),
    stop: async () => {
      await ended(daemon);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function commandOf(kind: BusKind): string[] {
  switch (kind) {
    case "dbus-daemon":
      return ["dbus-daemon"];
    case "dbus-broker":
      return [BROKER_LAUNCH];
    case "onehop":
      return onehopCommand();
  }
}

function onehopCommand(): string[] {
  const given = process.env["ONEHOP_DAEMON"];
  if (given !== undefined) return given.split(" ");
  return [process.execPath, join(HOUSE, "dist/onehop-dbus-daemon.cjs")];
}

function kindNamed(name: string): BusKind {
  if (name === "dbus-daemon" || name === "dbus-broker" || name === "onehop") return name;
  throw new Error(`CONFORMANCE_BUS=${name}: dbus-daemon, dbus-broker, onehop or address=…`);
}

/** The daemon's address, or dbus-broker's process id: both print it when they are ready. */
function firstLine(daemon: ChildProcess, program: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${program} printed nothing for ${START_MS} ms`)),
      START_MS,
    );
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    if (daemon.stdout === null) throw new Error("the daemon has no stdout");
    daemon.on("error", (error) => settle(() => reject(error)));
    daemon.on("exit", (code) =>
      settle(() => reject(new Error(`${program} ended with ${code} before it was ready`))),
    );
    createInterface({ input: daemon.stdout }).once("line", (line) => settle(() => resolve(line)));
  });
}

function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => daemon.kill("SIGKILL"), 3000);
    daemon.once("exit", () => {
      clearTimeout(force);
      resolve();
    });
    daemon.kill("SIGTERM");
  });
}
