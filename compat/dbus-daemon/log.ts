/** Where the daemon's lines go: standard error, the system log, or both. */

import { type ChildProcess, spawn } from "node:child_process";
import { writeSync } from "node:fs";
import type { LogEntry } from "../../bus/index.ts";

/** dbus-daemon's form, which administrators know: program, process and kind of bus before the text. */
export class DaemonLog {
  #prefix: string;
  #toStderr: boolean;
  #toSyslog: boolean;
  #logger: ChildProcess | null;

  /** Writes to standard error only, until {@link configure} is called. */
  constructor() {
    this.#prefix = "";
    this.#toStderr = true;
    this.#toSyslog = false;
    this.#logger = null;
  }

  /** `type` is the configuration's: "session" and "system" are named in every line. */
  configure(type: string | null, target: "stderr" | "syslog" | "both"): void {
    if (type === "system") this.#prefix = "[system] ";
    if (type === "session") this.#prefix = `[session uid=${process.geteuid?.()}] `;
    this.#toStderr = target !== "syslog";
    this.#toSyslog = target !== "stderr";
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
    if (this.#toStderr) {
      try {
        writeSync(2, `onehop-dbus-daemon[${process.pid}]: ${line}\n`);
      } catch {
        // Whoever read the lines has gone, or does not keep up: no reason for a bus to stop.
      }
    }
    if (this.#toSyslog) this.#writeToSyslog(level, line);
  };

  // Node cannot speak to /dev/log, a datagram socket; logger(1) is on every system that has one.
  #writeToSyslog(level: LogEntry["level"], line: string): void {
    if (this.#logger === null) {
      const words = ["--tag", "onehop-dbus-daemon", `--id=${process.pid}`, "--prio-prefix"];
      this.#logger = spawn("logger", words, { stdio: ["pipe", "ignore", "ignore"] });
      this.#logger.once("error", () => {
        this.#toSyslog = false;
        this.#toStderr = true;
        this.warning("there is no logger(1): lines go to standard error and not to the system log");
      });
      this.#logger.stdin?.on("error", () => {});
      // Neither the program nor its pipe keeps the daemon alive.
      this.#logger.unref();
    }
    const priority = { info: 6, warning: 4, error: 3 }[level];
    this.#logger.stdin?.write(`<${24 + priority}>${line}\n`);
  }
}
