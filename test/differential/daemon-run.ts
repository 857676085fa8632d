/** Daemons started with one configuration after the other: the real dbus-daemon, and onehop in its place. */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type Program = "dbus-daemon" | "onehop";

const HOUSE = join(import.meta.dirname, "../..");
const START_MS = 20_000;

/** A folder for configurations and sockets that every user may enter. */
export class Folder {
  readonly path: string = mkdtempSync(join(tmpdir(), "onehop-differential-"));

  constructor() {
    chmodSync(this.path, 0o755);
  }

  /** Writes a file that everybody may read; its path. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text, { mode: 0o644 });
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface RunningDaemon {
  readonly address: string;
  readonly processId: number;
  /** What it has printed on standard error. */
  errors(): string;
  stop(): Promise<void>;
}

/** Starts a daemon and waits until it says where it listens. */
export async function startDaemon(
  program: Program,
  configuration: string,
  flags: readonly string[] = [],
): Promise<RunningDaemon> {
  const [command = "", ...words] =
    program === "dbus-daemon"
      ? ["dbus-daemon"]
      : [process.execPath, join(HOUSE, "dist/onehop-dbus-daemon.cjs")];
  const daemon = spawn(
    command,
    [...words, `--config-file=${configuration}`, "--nofork", "--print-address", ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let errors = "";
  daemon.stderr?.on("data", (bytes: Buffer) => {
    errors += bytes.toString();
  });
  const address = await firstLine(daemon, () => errors);
  return {
    address,
    processId: daemon.pid ?? 0,
    errors: () => errors,
    stop: () =>
      new Promise((resolve) => {
        daemon.once("exit", () => resolve());
        daemon.kill("SIGTERM");
      }),
  };
}

function firstLine(daemon: ChildProcess, errors: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`the daemon did not start: ${errors()}`));
    const timer = setTimeout(fail, START_MS);
    daemon.once("exit", fail);
    if (daemon.stdout === null) throw new Error("the daemon has no stdout");
    createInterface({ input: daemon.stdout }).once("line", (line) => {
      clearTimeout(timer);
      daemon.off("exit", fail);
      resolve(line);
    });
  });
}
