/** Where the daemon's lines go: standard error, the system log, or both. */

import { writeSync } from "node:fs";
import type { LogEntry } from "../../bus/index.ts";
import { SystemLog } from "./system-log.ts";

/** dbus-daemon's form, which administrators know: program, process and kind of bus before the text. */
export class DaemonLog {
  #prefix: string;
  #toStderr: boolean;
  /** Null: lines do not go there. */
  #systemLog: SystemLog | null;

  /** Writes to standard error only, until {@link configure} is called. */
  constructor() {
    this.#prefix = "";
    this.#toStderr = true;
    this.#systemLog = null;
  }

  /** `type` is the configuration's: "session" and "system" are named in every line. */
  configure(type: string | null, target: "stderr" | "syslog" | "both"): void {
    if (type === "system") this.#prefix = "[system] ";
    if (type === "session") {
      this.#prefix = `[session uid=${process.geteuid?.()} pid=${process.pid}] `;
    }
    this.#toStderr = target !== "syslog";
    this.#systemLog = target === "stderr" ? null : new SystemLog();
  }

  info(text: string): void {
    this.write({ level: "info", text, fields: {} });
  }

  warning(text: string): void {
    this.write({ level: "warning", text, fields: {} });
  }

  error(text: string): void {
    this.write({ level: "error", text, fields: {} });
  }

  readonly write = ({ level, text, fields }: LogEntry): void => {
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
    const line = `${this.#prefix}${text}${pairs.join("")}`.replaceAll("\n", " ");
    const isLogged = this.#systemLog?.write(level, line, fields) ?? false;
    // A line that the system log cannot have is better there than nowhere.
    if (!this.#toStderr && isLogged) return;
    try {
      writeSync(2, `onehop-dbus-daemon[${process.pid}]: ${line}\n`);
    } catch {
      // Whoever read the lines has gone, or does not keep up: no reason for a bus to stop.
    }
  };
}
