/** What operations cost this process: CPU time of all its threads, and time. */

import type { ClientMeasurement } from "../clients.ts";

/** Counts from when it was made, with `count` operations done before. */
export class Meter {
  readonly #count: number;
  readonly #cpu: NodeJS.CpuUsage = process.cpuUsage();
  readonly #startMs: number = performance.now();

  constructor(count: number) {
    this.#count = count;
  }

  read(count: number, byteLength: number): ClientMeasurement {
    const { user, system } = process.cpuUsage(this.#cpu);
    const done = count - this.#count;
    if (done === 0) throw new Error("nothing was done in the time that was given");
    const perSecond = (1000 * done) / (performance.now() - this.#startMs);
    return { cpuNs: (1000 * (user + system)) / done, perSecond, byteLength };
  }
}
