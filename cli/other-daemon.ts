/** Another program as the bus of `onehop run`: any that is started as dbus-run-session(1) starts dbus-daemon. */

import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** A bus in a process of its own. */
export class OtherDaemon {
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, ended: Promise<void>, address: string) {
    this.#child = child;
    this.#ended = ended;
    this.address = address;
  }

  /**
   * `program` is looked for in PATH unless it has a slash; `configFile` is passed on, undefined means `--session`.
   *
   * @throws Error, in one line, if it cannot be run or ends its output without an address
   */
  static async start(program: string, configFile: string | undefined): Promise<OtherDaemon> {
    const configuration = configFile === undefined ? "--session" : `--config-file=${configFile}`;
    const child = spawn(program, ["--nofork", "--print-address=3", configuration], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        const reason = error.code === "ENOENT" ? "not found" : "cannot be executed";
        reject(new Error(`message bus daemon '${program}': ${reason}`));
      });
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    // A pipe between processes, readable on this side; spawn types all extra ones as either.
    const told = text(child.stdio[3] as NodeJS.ReadableStream);
    const [address = ""] = (await Promise.race([told, failed])).split("\n");
    const daemon = new OtherDaemon(child, ended, address);
    if (address !== "") return daemon;
    await daemon.stop();
    throw new Error(`message bus daemon '${program}' told no address`);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
  }
}
