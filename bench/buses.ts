/** The buses under measurement: where they are found and how they are started. */

import { accessSync, chmodSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import type { Children, Companion } from "./children.ts";
import { ROOT } from "./machine.ts";
import type { Mode } from "./modes.ts";

export const BUS_NAMES = ["dbus-daemon", "dbus-broker", "onehop", "relay"] as const;
export type BusName = (typeof BUS_NAMES)[number];

/** Everything allowed, limits out of the way. */
export const CONFIGURATION: string = join(ROOT, "bench/tools/dbus-daemon-unlimited.conf");
/** The same for several users, with limits that they share. */
const SHARED = join(ROOT, "bench/tools/dbus-daemon-shared.conf");
const BUILD = join(ROOT, "bench/build");

/** The load generator. */
export const DBLOAD: string = join(BUILD, "dbload");

/** What a mode asks of a bus. */
export type BusKind = Pick<Mode, "relay" | "isShared">;

/** A program that can be measured. */
export interface BusProgram {
  /** The heading of its columns. */
  readonly name: string;
  readonly isRelay: boolean;
  /** The command that makes it listen on `socket`; it prints a line when it does. */
  readonly command: (socket: string, kind: BusKind) => readonly string[];
  /** Whether that line is the process id of the bus, which is not the process started. */
  readonly printsPid: boolean;
}

/** A bus that listens. */
export interface RunningBus {
  readonly socket: string;
  /** The process whose CPU time and memory count. */
  readonly pid: number;
  readonly companion: Companion;
}

/** The program of that name, or a sentence on why it cannot be started. */
export function findBus(name: BusName): BusProgram | string {
  switch (name) {
    case "dbus-daemon":
      if (!hasProgram("dbus-daemon"))
        return "dbus-daemon is not installed (Debian: apt-get install dbus-daemon)";
      return dbusDaemon(name, ["dbus-daemon"]);
    case "dbus-broker":
      if (!hasProgram("dbus-broker"))
        return "dbus-broker is not installed (Debian: apt-get install dbus-broker)";
      if (!existsSync(join(BUILD, "broker-launch")))
        return "dbus-broker cannot be started: bench/build/broker-launch was not built (Debian: apt-get install libsystemd-dev)";
      return {
        name,
        isRelay: false,
        printsPid: true,
        command: (socket) => [join(BUILD, "broker-launch"), "--address", socket],
      };
    case "onehop": {
      const command = process.env["ONEHOP_DAEMON"];
      return command === undefined ? onehopIn(ROOT, name) : dbusDaemon(name, command.split(" "));
    }
    case "relay":
      return {
        name,
        isRelay: true,
        printsPid: false,
        command: (socket, { relay }) => [join(BUILD, "relay"), relay ?? "pair", socket],
      };
  }
}

/** The command that starts the onehop of this tree. */
export function onehopCommand(): readonly string[] {
  const given = process.env["ONEHOP_DAEMON"];
  return given?.split(" ") ?? [process.execPath, join(ROOT, "dist/onehop-dbus-daemon.cjs")];
}

/** The onehop built in `directory`, or a sentence on why it cannot be started. */
export function onehopIn(directory: string, name: string): BusProgram | string {
  // Older trees have no bundle.
  const programs = ["dist/onehop-dbus-daemon.cjs", "dist/compat/dbus-daemon/main.js"];
  const program = programs.map((path) => join(directory, path)).find(existsSync);
  if (program === undefined)
    return `${name} cannot be started: ${join(directory, "dist")} has no daemon; build it first`;
  return dbusDaemon(name, [process.execPath, program]);
}

/** Starts `program` on that processor. Returns what went wrong if it does not come up. */
export async function startBus(
  program: BusProgram,
  socket: string,
  kind: BusKind,
  cpu: number,
  children: Children,
): Promise<RunningBus | string> {
  const command = ["taskset", "--cpu-list", String(cpu), ...program.command(socket, kind)];
  const companion = await children.start(command);
  if (!("pid" in companion))
    return `did not start (exit code ${companion.code}): ${companion.stderr.trim()}`;
  // taskset becomes the program it starts, so the process started is the bus itself.
  const pid = program.printsPid ? Number(companion.firstLine) : companion.pid;
  // The other two make their sockets so themselves.
  if (kind.isShared && program.printsPid) chmodSync(socket, 0o777);
  return { socket, pid, companion };
}

/** A program that takes dbus-daemon's options. */
export function dbusDaemon(
  name: string,
  command: readonly string[],
  configuration: string = CONFIGURATION,
): BusProgram {
  return {
    name,
    isRelay: false,
    printsPid: false,
    command: (socket, { isShared }) => [
      ...command,
      `--config-file=${isShared ? SHARED : configuration}`,
      "--nofork",
      "--print-address",
      `--address=unix:path=${socket}`,
    ],
  };
}

function hasProgram(name: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
