/** `<pidfile>`: says which process is the bus, and keeps a second one away. */

import { existsSync, writeFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { describeError, systemErrorCode } from "./system-error.ts";

/** A pid file that this process has written. */
export class PidFile {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Why there can be none at `path`, as far as it is known before it is written; or `null`. */
  static problem(path: string): string | null {
    return existsSync(path) ? existing(path) : null;
  }

  /** @throws Error, in dbus-daemon's words, if there is one already or it cannot be written */
  static write(path: string): PidFile {
    const file = new PidFile(resolve(path));
    try {
      writeFileSync(file.#path, `${process.pid}\n`, { flag: "wx", mode: 0o644 });
    } catch (error) {
      const isThere = systemErrorCode(error) === "EEXIST";
      throw new Error(
        isThere ? existing(path) : `Failed to open "${path}": ${describeError(error)}`,
      );
    }
    return file;
  }

  /** @throws the system's error if the user that the daemon has become may not do that */
  remove(): Promise<void> {
    return unlink(this.#path);
  }
}

function existing(path: string): string {
  return `The pid file "${path}" exists, if the message bus is not running, remove this file`;
}
