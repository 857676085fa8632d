/** What the daemon tells the program that supervises it, by the protocol of sd_notify(3). */

import { findAddon } from "../../transport/addon.ts";
import type { DaemonLog } from "./log.ts";
import { describeErrorNumber, isTryAgain } from "./system-error.ts";

/** How soon a message is tried again for which the manager had no room. */
const RETRY_MS = 20;

export class ServiceManager {
  readonly #socket: string;
  readonly #log: DaemonLog;
  /** What has not been sent yet, the oldest first. */
  #waiting: readonly string[] = [];

  /** `socket`: the value of NOTIFY_SOCKET, which may be empty: then nobody is told anything. */
  constructor(socket: string, log: DaemonLog) {
    this.#socket = socket;
    this.#log = log;
  }

  ready(): void {
    this.#tell("READY=1");
  }

  /** A new configuration is being read; `ready` follows. The time is what `Type=notify-reload` asks for. */
  reloading(): void {
    const microseconds = process.hrtime.bigint() / 1000n;
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${microseconds}`);
  }

  stopping(): void {
    this.#tell("STOPPING=1");
  }

  #tell(state: string): void {
    if (this.#socket === "") return;
    this.#waiting = [...this.#waiting, state];
    if (this.#waiting.length === 1) this.#send();
  }

  /** The bus never waits for a manager that does not read. */
  readonly #send = (): void => {
    const problem = this.#trySend();
    if (problem === null) return;
    this.#waiting = [];
    this.#log.warning(`cannot tell NOTIFY_SOCKET (${this.#socket}) anything: ${problem}`);
  };

  /** Why nothing can be sent, or null: all is sent, or will be tried again. */
  #trySend(): string | null {
    const { addon, missing } = findAddon("optional");
    if (addon === null) return missing;
    const isAbstract = this.#socket.startsWith("@");
    if (!isAbstract && !this.#socket.startsWith("/")) return "it is no Unix socket";
    const name = isAbstract ? this.#socket.slice(1) : this.#socket;
    for (const [index, state] of this.#waiting.entries()) {
      const result = addon.sendDatagram(name, isAbstract, Buffer.from(state));
      if (isTryAgain(result)) {
        this.#waiting = this.#waiting.slice(index);
        setTimeout(this.#send, RETRY_MS).unref();
        return null;
      }
      if (result < 0) return describeErrorNumber(result);
    }
    this.#waiting = [];
    return null;
  }
}
