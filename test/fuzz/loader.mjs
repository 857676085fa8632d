/**
 * Runs TypeScript as it lies there: `node --import ./test/fuzz/loader.mjs file.ts`. The product's files
 * count their blocks (instrument.mjs) if ONEHOP_FUZZ_COUNT=1.
 */

import { readFileSync } from "node:fs";
import { register } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { transformSync } from "@swc/core";
import { instrument } from "./instrument.mjs";

const MOST_BLOCKS = 1 << 15;
const house = fileURLToPath(new URL("../..", import.meta.url));
const counts = process.env.ONEHOP_FUZZ_COUNT === "1";
/** Blocks numbered so far, by the thread that loads. */
let numbered = 0;

if (isMainThread) {
  const blocks = new Uint32Array(MOST_BLOCKS);
  globalThis.onehopFuzz = { blocks, used: 0 };
  register(import.meta.url);
}

/** Node's hook: the module at `url`. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const file = fileURLToPath(url);
  const { code } = transformSync(readFileSync(file, "utf8"), {
    filename: file,
    jsc: { target: "es2023", parser: { syntax: "typescript" } },
    module: { type: "es6" },
    sourceMaps: counts ? false : "inline",
  });
  const source = counts && isProduct(file) ? counting(code) : code;
  return { format: "module", shortCircuit: true, source };
}

function isProduct(file) {
  return !/^(test|node_modules|\.\.)\//.test(relative(house, file));
}

function counting(code) {
  const instrumented = instrument(code, numbered);
  numbered += instrumented.count;
  if (numbered > MOST_BLOCKS) throw new Error(`there are more than ${MOST_BLOCKS} blocks`);
  const declaration = `const onehopBlocks = (globalThis.onehopFuzz.used = Math.max(globalThis.onehopFuzz.used, ${numbered}), globalThis.onehopFuzz.blocks);`;
  return `${declaration}${instrumented.code}`;
}
