/** One run of the load generator against one bus. */

import { DBLOAD, type RunningBus } from "./buses.ts";
import type { Children } from "./children.ts";
import { waitUntilIdle } from "./machine.ts";

/** What one run measured. */
export interface Measurement {
  /** CPU time of all threads of the bus for each message it delivered (in `connect`: each connection). */
  readonly cpuNs: number;
  readonly messagesPerSecond: number;
  /** Round trip times; null in modes that have none. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** How much of one processor the bus used, 0 to 1 (more with several threads). */
  readonly busCpuShare: number;
}

/** A measurement beside which another program watched the bus. */
export interface WatchedMeasurement extends Measurement {
  /** When the clock of the measurement ran, in seconds of CLOCK_MONOTONIC. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** What one memory run measured, in bytes of resident memory of the bus. */
export interface MemoryMeasurement {
  readonly idleBytes: number;
  readonly connectionBytes: number;
  readonly nameBytes: number;
  readonly replyBytes: number;
  readonly ruleBytes: number;
}

/** How long one start took. */
export interface StartMeasurement {
  readonly wallMs: number;
  /** CPU time of all threads by then; that of dbus-broker with its launcher's. */
  readonly cpuMs: number;
}

const LIMIT_MS = 180_000;
const NS_PER_MS = 1_000_000;

/** Loads the bus with these arguments of dbload. Returns what went wrong if it fails. */
export async function measureSpeed(
  children: Children,
  bus: RunningBus,
  args: readonly string[],
): Promise<Measurement | string> {
  const result = await runLoad(children, bus, args);
  return typeof result === "string" ? result : speedIn(result);
}

/** Loads the bus from within `watcher`, a command that runs the command after it. */
export async function measureWatched(
  children: Children,
  bus: RunningBus,
  args: readonly string[],
  watcher: readonly string[],
): Promise<WatchedMeasurement | string> {
  const result = await runLoad(children, bus, args, watcher);
  if (typeof result === "string") return result;
  return {
    ...speedIn(result),
    fromSeconds: numberIn(result, "from_s"),
    toSeconds: numberIn(result, "to_s"),
  };
}

function speedIn(result: object): Measurement {
  return {
    cpuNs: numberIn(result, "bus_cpu_ns_per_message"),
    messagesPerSecond: numberIn(result, "messages_per_s"),
    p50Us: "p50_us" in result ? numberIn(result, "p50_us") : null,
    p99Us: "p99_us" in result ? numberIn(result, "p99_us") : null,
    busCpuShare: numberIn(result, "bus_cpu_share"),
  };
}

/** Measures the memory of the bus with these arguments of dbload. */
export async function measureMemory(
  children: Children,
  bus: RunningBus,
  args: readonly string[],
): Promise<MemoryMeasurement | string> {
  const result = await runLoad(children, bus, args);
  if (typeof result === "string") return result;
  return {
    idleBytes: numberIn(result, "idle_bytes"),
    connectionBytes: numberIn(result, "bytes_per_connection"),
    nameBytes: numberIn(result, "bytes_per_name"),
    replyBytes: numberIn(result, "bytes_per_reply"),
    ruleBytes: numberIn(result, "bytes_per_rule"),
  };
}

/** Starts a bus, or another program, with these arguments of dbload. */
export async function measureStart(
  children: Children,
  args: readonly string[],
): Promise<StartMeasurement | string> {
  const result = await runDbload(children, ["start", ...args]);
  if (typeof result === "string") return result;
  return {
    wallMs: numberIn(result, "wall_ns") / NS_PER_MS,
    cpuMs: numberIn(result, "cpu_ns") / NS_PER_MS,
  };
}

async function runLoad(
  children: Children,
  bus: RunningBus,
  args: readonly string[],
  watcher: readonly string[] = [],
): Promise<object | string> {
  await waitUntilIdle(bus.pid);
  const target = ["--address", bus.socket, "--bus-pid", String(bus.pid)];
  return runDbload(children, [...args, ...target], watcher);
}

async function runDbload(
  children: Children,
  args: readonly string[],
  watcher: readonly string[] = [],
): Promise<object | string> {
  const finished = await children.run([...watcher, DBLOAD, ...args], LIMIT_MS);
  if (finished.code !== 0) return finished.stderr.trim() || "the load generator was killed";
  const result: unknown = JSON.parse(finished.stdout);
  if (typeof result !== "object" || result === null)
    throw new Error(`dbload printed ${finished.stdout}`);
  return result;
}

function numberIn(result: object, key: string): number {
  const value: unknown = Reflect.get(result, key);
  if (typeof value !== "number") throw new Error(`dbload did not report ${key}`);
  return value;
}
