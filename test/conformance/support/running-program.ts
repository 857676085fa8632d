/** Programs of others while they run on a bus of the suite. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Scene } from "./conformance.ts";

/** Longer than a client's: python and node take a while to start on a busy machine. */
export const PROGRAM_MS = 20_000;

export interface Finished {
  readonly output: string;
  readonly errors: string;
  readonly status: number | null;
}

export interface Running {
  readonly finished: Promise<Finished>;
  /** Waits until the output so far has `pattern` in it. */
  printed(pattern: RegExp): Promise<string>;
  hasPrinted(pattern: RegExp): boolean;
  stop(): void;
}

/** Starts `program` with the scene's bus as its session bus, as `uid` if one is given. */
export function startProgram(
  scene: Scene,
  uid: number | undefined,
  program: string,
  values: readonly string[],
): Running {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(program, values, {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: import.meta.dirname,
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", DBUS_SESSION_BUS_ADDRESS: scene.address },
    timeout: PROGRAM_MS,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let printed = "";
  let errors = "";
  let isOver = false;
  let wake = (): void => {};
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
    wake();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      isOver = true;
      wake();
      resolve({ output: printed, errors, status });
    });
  });
  return {
    finished,
    hasPrinted: (pattern) => isOver || pattern.test(printed),
    printed: async (pattern) => {
      while (!pattern.test(printed)) {
        if (isOver)
          throw new Error(`${program} ended without printing ${pattern}: ${printed}${errors}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return printed;
    },
    stop: () => child.kill("SIGTERM"),
  };
}
