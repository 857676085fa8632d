/** `npm run bench -- client`: client libraries beside each other, each in a process of its own. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { findAddon } from "../transport/addon.ts";
import type { RunningBus } from "./buses.ts";
import type { Companion } from "./children.ts";
import { CLIENT_ROWS, type ClientRow, IN_FLIGHT } from "./client-rows.ts";
import { CODEC_LIBRARIES } from "./clients/codecs.ts";
import { LIBRARIES, type Library } from "./clients/libraries.ts";
import { ROOT, waitUntilIdle } from "./machine.ts";
import { Book, type RoundsPlan, type RoundsResult, Stable, turned } from "./rounds.ts";

/** What a client cost in a row. */
export interface ClientMeasurement {
  /** CPU time of its process for one call, signal, encoding or decoding. */
  readonly cpuNs: number;
  readonly perSecond: number;
  /** Bytes of what was encoded or decoded; 0 in the other rows. */
  readonly byteLength: number;
}

/** sd-bus is C: what no JavaScript can do better by much. */
export type ClientName = Library | "sd-bus";

const PROGRAMS = join(import.meta.dirname, "clients");
const SDBUS_CLIENT = join(ROOT, "bench/build/sdbus-client");
/** Codec rows need no more than this part of the time: nothing waits in them. */
const CODEC_SHARE = 0.4;
/** Beyond what was asked for. */
const PATIENCE_MS = 20_000;

/** The clients that can be measured, and a sentence on each that cannot. */
export function findClients(): {
  readonly names: readonly ClientName[];
  readonly missing: string[];
} {
  const problems: readonly (readonly [ClientName, string | null])[] = [
    ...LIBRARIES.map((library) => [library, problemOf(library)] as const),
    [
      "sd-bus",
      existsSync(SDBUS_CLIENT)
        ? null
        : "sd-bus: bench/build/sdbus-client was not built (Debian: apt-get install libsystemd-dev)",
    ],
  ];
  return {
    names: problems.filter(([, problem]) => problem === null).map(([name]) => name),
    missing: problems.flatMap(([, problem]) => problem ?? []),
  };
}

function problemOf(library: Library): string | null {
  switch (library) {
    case "onehop": {
      const { addon, missing } = findAddon("optional");
      return addon === null ? `onehop with its addon: ${missing}` : null;
    }
    case "without addon":
      return null;
    case "dbus-native":
    case "dbus-next":
      try {
        createRequire(import.meta.url).resolve(library);
        return null;
      } catch {
        return `${library}: it is not installed (npm ci)`;
      }
  }
}

/** Measures each row with each client in each round, on one bus and one service for the round. */
export async function measureClients(
  plan: RoundsPlan,
  names: readonly ClientName[],
): Promise<RoundsResult<ClientMeasurement>> {
  const book = new Book<ClientMeasurement>(
    { rounds: plan.rounds, programs: names },
    CLIENT_ROWS.length,
  );
  for (let round = 0; round < plan.rounds; round++) {
    const stable = new Stable(plan);
    const scene = await openScene(plan, stable);
    try {
      for (const row of CLIENT_ROWS) {
        for (const name of turned(names, round)) {
          if (!takesPart(name, row)) {
            book.skip(row.name, name);
            continue;
          }
          book.announce(round, row.title, name);
          const result =
            typeof scene === "string" ? scene : await measureOnce(plan, scene.bus, row, name);
          plan.interruption.throwIfAborted();
          book.enter(row.name, name, result);
        }
      }
    } finally {
      if (typeof scene !== "string") await scene.service.end();
      await stable.close();
    }
  }
  return book.close();
}

function takesPart(name: ClientName, row: ClientRow): boolean {
  if (name === "sd-bus") return row.hasSdBus;
  return row.codec === null || CODEC_LIBRARIES.includes(name);
}

/** The bus and the service, both on the bus's processor; or why they do not run. */
async function openScene(
  plan: RoundsPlan,
  stable: Stable,
): Promise<{ readonly bus: RunningBus; readonly service: Companion } | string> {
  const [program] = plan.programs;
  if (program === undefined) return "there is no bus";
  const bus = await stable.busOf(program, { relay: null, isShared: false });
  if (typeof bus === "string") return `${program.name} ${bus}`;
  const service = await plan.children.start([
    ...pinnedTo(plan.busCpu),
    ...[process.execPath, join(PROGRAMS, "service.js"), bus.socket],
  ]);
  return "pid" in service ? { bus, service } : `the service did not start: ${service.stderr}`;
}

async function measureOnce(
  plan: RoundsPlan,
  bus: RunningBus,
  row: ClientRow,
  name: ClientName,
): Promise<ClientMeasurement | string> {
  await waitUntilIdle(bus.pid);
  const share = row.codec === null ? 1 : CODEC_SHARE;
  const seconds = share * plan.seconds;
  const warmupSeconds = share * plan.warmupSeconds;
  const times = [String(seconds), String(warmupSeconds)];
  const program =
    name === "sd-bus"
      ? [SDBUS_CLIENT, bus.socket, row.name === "pipelined" ? String(IN_FLIGHT) : "1", ...times]
      : [process.execPath, join(PROGRAMS, "subject.js"), name, row.name, bus.socket, ...times];
  const limitMs = 1000 * (seconds + warmupSeconds) + PATIENCE_MS;
  const finished = await plan.children.run([...pinnedTo(plan.loadCpu), ...program], limitMs);
  if (finished.code !== 0) return finished.stderr.trim() || "it did not end in time";
  return measurementIn(JSON.parse(finished.stdout));
}

function measurementIn(result: object): ClientMeasurement {
  const [cpuNs, perSecond, byteLength] = ["cpuNs", "perSecond", "byteLength"].map((key) =>
    Number(Reflect.get(result, key)),
  );
  if (!cpuNs || !perSecond || byteLength === undefined)
    throw new Error(`the client printed ${JSON.stringify(result)}`);
  return { cpuNs, perSecond, byteLength };
}

function pinnedTo(cpu: number): readonly string[] {
  return ["taskset", "--cpu-list", String(cpu)];
}
