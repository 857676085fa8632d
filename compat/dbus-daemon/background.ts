/** `--fork`: a daemon in the background, made by starting this program again and waiting for its word. */

import { spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { OpenFilesLimit } from "../../bus/index.ts";

/** Set for the process in the background: the descriptor on which it tells its address, and its limit of open files. */
const readyVariable = "ONEHOP_BACKGROUND";

/** What the background process told before it was ready. */
export type BackgroundResult =
  | { readonly address: string; readonly processId: number }
  | { readonly exitStatus: number };

/**
 * Starts this program again, with the same arguments, in a session of its own. Node cannot fork(2), so
 * that the new process loads the configuration anew; `kept` is a descriptor that it needs for that
 * (`--config-file=/proc/self/fd/N`), or `null`; `openFiles`: the limit that this process was started with.
 */
export async function startInBackground(
  kept: number | null,
  openFiles: OpenFilesLimit | null,
): Promise<BackgroundResult> {
  const readyDescriptor = Math.max((kept ?? 0) + 1, 3);
  const between = Array.from({ length: readyDescriptor - 3 }, (_, index) =>
    index + 3 === kept ? kept : ("ignore" as const),
  );
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ["ignore", "ignore", "inherit", ...between, "pipe"],
    env: { ...process.env, [readyVariable]: JSON.stringify({ readyDescriptor, openFiles }) },
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
  // A pipe between processes, readable on this side; spawn types all extra ones as either.
  const ready = child.stdio[readyDescriptor] as NodeJS.ReadableStream;
  const told = (await Promise.race([text(ready), exited.then(() => "")])).split("\n");
  // An address alone is not enough: the process may have failed after it had opened its sockets.
  if (told.length < 3 || child.pid === undefined) return { exitStatus: (await exited) || 1 };
  child.unref();
  return { address: told[0] ?? "", processId: child.pid };
}

/** The link of a background process to the one that started it. */
export class Foreground {
  readonly #descriptor: number;
  /** The limit that the process in the foreground was started with; `null` if nobody knows. */
  readonly openFiles: OpenFilesLimit | null;

  private constructor(descriptor: number, openFiles: OpenFilesLimit | null) {
    this.#descriptor = descriptor;
    this.openFiles = openFiles;
  }

  /** The link, if this process was started by {@link startInBackground}; once, services must not see it. */
  static take(): Foreground | null {
    const value = process.env[readyVariable];
    delete process.env[readyVariable];
    if (value === undefined) return null;
    // What startInBackground has written.
    const told = JSON.parse(value) as { readyDescriptor: number; openFiles: OpenFilesLimit | null };
    return new Foreground(told.readyDescriptor, told.openFiles);
  }

  tellAddress(address: string): void {
    writeSync(this.#descriptor, `${address}\n`);
  }

  /** Lets the starting process end, and leaves its folder, its files and its terminal alone. */
  leave(keepsUmask: boolean): void {
    process.chdir("/");
    if (!keepsUmask) process.umask(0o022);
    // dbus-daemon's own switch to see what a daemon says.
    if ((process.env["DBUS_DEBUG_OUTPUT"] ?? "") === "") {
      closeSync(2);
      // The lowest free descriptor is taken: this is standard error again.
      openSync("/dev/null", "w");
    }
    writeSync(this.#descriptor, "ready\n");
    closeSync(this.#descriptor);
  }
}
