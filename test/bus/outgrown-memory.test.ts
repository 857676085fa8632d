import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from "node:perf_hooks";
import { expect, jest, test } from "@jest/globals";
import { collectOutgrown } from "../../bus/outgrown-memory.ts";
import { Records } from "../../matchrules/records.ts";
import { onOutgrown } from "../../wire/outgrown.ts";

const CELLS = 1 << 20;

function fill(records: Records): void {
  for (let used = 0; used < CELLS; used += 64) records.allocate(64);
}

test("a table tells of the large arrays that it leaves behind", () => {
  const sizes: number[] = [];
  onOutgrown((byteLength) => sizes.push(byteLength));
  const records = new Records();
  fill(records);
  expect(sizes.length).toBeGreaterThan(2);
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1 << 18);
  expect(Math.max(...sizes)).toBeLessThan(records.cells.byteLength);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
});

test("a collection is asked for when they are worth it", async () => {
  const asked = new Promise<void>((resolve) => {
    new PerformanceObserver((list) => {
      if (list.getEntries().some(isForced)) resolve();
    }).observe({ entryTypes: ["gc"] });
  });
  // What else this process has must not matter.
  jest.spyOn(process, "memoryUsage").mockReturnValue({ ...process.memoryUsage(), arrayBuffers: 0 });
  collectOutgrown();
  fill(new Records());
  await asked;
});

/** Not one that V8 had a reason of its own for. */
function isForced(entry: object): boolean {
  const { flags = 0 } = (entry as { readonly detail: NodeGCPerformanceDetail }).detail; // it is of type gc
  return (flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
}
