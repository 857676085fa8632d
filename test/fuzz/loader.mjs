/**
 * Runs TypeScript as it lies there: `node --import ./test/fuzz/loader.mjs file.ts`. The product's files
 * count their blocks (instrument.mjs) if ONEHOP_FUZZ_COUNT=1.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const MOST_BLOCKS = 1 << 15;
const house = fileURLToPath(new URL("../..", import.meta.url));
/** JavaScript by a digest of its source: making it takes longer than all else when a target starts. */
const cache = join(house, "node_modules/.cache/onehop-fuzz");
const counts = process.env.ONEHOP_FUZZ_COUNT === "1";

if (isMainThread) {
  const blocks = new Uint32Array(MOST_BLOCKS);
  const fuzz = { blocks, used: 0, take };
  globalThis.onehopFuzz = fuzz;
  register(import.meta.url);

  /** A module's part of the counters. */
  function take(count) {
    if (fuzz.used + count > MOST_BLOCKS)
      throw new Error(`there are more than ${MOST_BLOCKS} blocks`);
    fuzz.used += count;
    return blocks.subarray(fuzz.used - count, fuzz.used);
  }
}

/** Node's hook: the module at `url`. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const file = fileURLToPath(url);
  const isCounting = counts && isProduct(file);
  const source = readFileSync(file, "utf8");
  const digest = createHash("sha256").update(`1 ${isCounting} ${source}`).digest("hex");
  const cached = join(cache, `${digest}.js`);
  return { format: "module", shortCircuit: true, source: read(cached) ?? (await made(cached)) };

  async function made(target) {
    const code = await javascriptOf(source, file, isCounting);
    mkdirSync(cache, { recursive: true });
    // Renamed, not written in place: several processes start at once.
    writeFileSync(`${target}.${process.pid}`, code);
    renameSync(`${target}.${process.pid}`, target);
    return code;
  }
}

async function javascriptOf(source, file, isCounting) {
  const { transformSync } = await import("@swc/core");
  const { code } = transformSync(source, {
    filename: file,
    jsc: { target: "es2023", parser: { syntax: "typescript" } },
    module: { type: "es6" },
  });
  if (!isCounting) return code;
  const { instrument } = await import("./instrument.mjs");
  const instrumented = instrument(code);
  return `const onehopBlocks = globalThis.onehopFuzz.take(${instrumented.count});${instrumented.code}`;
}

function isProduct(file) {
  return !/^(test|node_modules|\.\.)\//.test(relative(house, file));
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
