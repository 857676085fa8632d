/** Peers of several users on any bus, all of one process: the other end of peers.py. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "../conformance/support/client.ts";
import { type Link, type LinkEvents, socketPath } from "../conformance/support/link.ts";
import { PYTHON } from "../conformance/support/programs.ts";

/** Who a peer is to be. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

interface Report {
  readonly event: "opened" | "failed" | "bytes" | "closed";
  readonly number: number;
  readonly bytes?: string;
  readonly reason?: string;
}

interface Ends {
  readonly events: LinkEvents;
  opened(): void;
  failed(reason: string): void;
}

export class Peers {
  readonly #process: ChildProcess;
  readonly #ends: Map<number, Ends> = new Map();
  #last = 0;

  constructor() {
    this.#process = spawn(PYTHON, ["-IS", join(import.meta.dirname, "peers.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("peers.py has no stdout");
    createInterface({ input: stdout }).on("line", (line) => {
      this.#report(JSON.parse(line) as Report); // peers.py writes nothing else
    });
  }

  /** A raw client; `until` and `negotiateFds` as in the conformance suite. */
  connect(
    address: string,
    user: User,
    options: { until?: "begin" | "hello"; negotiateFds?: boolean } = {},
  ): Promise<Client> {
    return new Client().open((events) => this.#open(address, user, events), options);
  }

  stop(): void {
    this.#process.stdin?.end();
  }

  #open(address: string, user: User, events: LinkEvents): Promise<Link> {
    const number = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#ends.set(number, {
        events,
        failed: (reason) => reject(new Error(reason)),
        opened: () =>
          resolve({
            processId: this.#process.pid ?? 0,
            send: (bytes, files = []) =>
              this.#command({
                send: number,
                bytes: Buffer.from(bytes).toString("base64"),
                descriptors: files.length,
              }),
            flushed: () => Promise.resolve(),
            stopReading: () => {
              throw new Error("peers.py always reads");
            },
            close: () => {
              this.#ends.delete(number);
              this.#command({ close: number });
            },
          }),
      });
      this.#command({ open: number, path: socketPath(address), ...user });
    });
  }

  #command(line: object): void {
    this.#process.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #report({ event, number, bytes, reason }: Report): void {
    const ends = this.#ends.get(number);
    if (ends === undefined) return;
    if (event === "opened") ends.opened();
    else if (event === "failed") ends.failed(reason ?? "unknown");
    else if (event === "bytes") ends.events.onBytes(Buffer.from(bytes ?? "", "base64"), []);
    else ends.events.onClosed();
  }
}
