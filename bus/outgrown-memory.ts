/** Memory that tables have outgrown goes back soon, not when V8 has another reason to collect garbage. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { onOutgrown } from "../wire/outgrown.ts";

type Collector = (options: { type: "major"; execution: "async" }) => Promise<void>;

/** A collection takes some 10 ms, so that it is made for so many bytes at least … */
const WORTH_BYTES = 1 << 20;
/** … and for this part of what all arrays take. */
const WORTH_PART = 16;

/**
 * Collects garbage, between two turns of the event loop, when arrays that tables left behind are worth it. V8 itself
 * would wait for some 64 MiB of them. For processes that are there for one bus.
 */
export function collectOutgrown(): void {
  let collect: Collector | null = null;
  let left = 0;
  onOutgrown((byteLength) => {
    left += byteLength;
    if (left < WORTH_BYTES || left < process.memoryUsage().arrayBuffers / WORTH_PART) return;
    left = 0;
    collect ??= collector();
    void collect({ type: "major", execution: "async" });
  });
}

function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
