/** How much memory V8 may keep for garbage. */

export const growthOption: string = "--semi-space-growth-factor=1";

/** After the start, of which loading node:v8 would be 4 ms. */
const START_MS = 1000;

/**
 * V8 doubles its young generation whenever a while has passed, up to 16 MiB twice over, and never gives that back. A
 * bus makes little garbage: with the MiB that V8 begins with it needs as much CPU time, and 35 MB less after adding
 * 100,000 match rules (docs/performance.md).
 */
export function keepYoungGenerationSmall(): void {
  const keep = (): void => {
    process.getBuiltinModule("node:v8").setFlagsFromString(growthOption);
  };
  setTimeout(keep, START_MS).unref();
}
