/**
 * Proves that the fuzzers find mistakes: applies each patch of defects/ to a copy of the tree, and all targets search
 * until one of them finds an input that fails there and not here. Arguments: parts of the defects' names; --blind.
 *
 * A patch begins with a sentence about what it breaks.
 */

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzzInProcess, type Outcome } from "./child.ts";
import { failureOf } from "./failure.ts";
import { TARGETS } from "./targets.ts";

/** Slices of time that each target gets, as long as nothing is found: 120 seconds on two processors. */
const SLICES = [2, 8, 16];
/** So long they search the copy without a defect: what they find there would prove nothing. */
const BASE_SLICES = [2];
const here = import.meta.dirname;
const house = join(here, "../..");
const copy = mkdtempSync(join(tmpdir(), "defects-"));

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    blind: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});
const defects = readdirSync(join(here, "defects"))
  .filter((file) => file.endsWith(".patch"))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort();

process.exitCode = 1;
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
copyTree();
const base = await search(BASE_SLICES);
if (base?.find != null) {
  console.log(`Without a defect ${base.target} finds: ${base.find.what}`);
} else {
  let missed = 0;
  for (const file of defects) {
    const [isFound, what] = await judge(file);
    if (!isFound) missed++;
    console.log(
      `${isFound ? "found " : "MISSED"}  ${file.replace(".patch", "").padEnd(26)}  ${what}`,
    );
  }
  console.log(`Defects: ${missed} missed, ${defects.length - missed} found; seed ${options.seed}`);
  process.exitCode = missed === 0 && defects.length > 0 ? 0 : 1;
}

/** Was the defect found, and how; or why it could not be tried. */
async function judge(file: string): Promise<[boolean, string]> {
  const patch = join(here, "defects", file);
  if (!apply(patch, [])) return [false, "the patch does not apply any more"];
  const touchesNative = readFileSync(patch, "utf8").includes("+++ b/native/src/");
  const isBuilt = !touchesNative || buildNative();
  const started = performance.now();
  const outcome = isBuilt ? await search(SLICES) : null;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (!apply(patch, ["--reverse"])) throw new Error(`${file} cannot be taken back`);
  if (touchesNative && !buildNative()) throw new Error("the addon does not build any more");
  if (!isBuilt) return [false, "the addon does not build"];
  if (outcome?.find == null) return [false, `in ${seconds} s`];
  const { target, find, inputs } = outcome;
  const [firstLine = ""] = find.what.split("\n");
  const how = `${seconds.padStart(5)} s  ${target}, ${inputs} inputs: ${firstLine.slice(0, 90)}`;
  const make = TARGETS[target]?.make;
  if (make === undefined || find.input === null) return [false, `${how}: no input is to blame`];
  const failsHere = (await failureOf(make, find.input)) !== null;
  return failsHere ? [false, `${how}: and so it does without the defect`] : [true, how];
}

/** All targets, for ever longer slices of time, until the first find; null if there is none. */
async function search(slices: readonly number[]): Promise<Outcome | null> {
  const abort = new AbortController();
  let first: Outcome | null = null;
  const waiting = slices.flatMap((seconds, round) =>
    Object.keys(TARGETS).map((target, index) => ({
      target,
      seconds,
      seed: Number(options.seed) + round * 100 + index,
    })),
  );
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && first === null; next = waiting.shift()) {
      const corpus = join(copy, "test/fuzz/corpus");
      const fuzzers = join(copy, "test/fuzz");
      const { signal } = abort;
      const outcome = await fuzzInProcess({
        ...next,
        corpus,
        fuzzers,
        signal,
        isBlind: options.blind,
      });
      if (outcome.find === null || first !== null) continue;
      first = outcome;
      abort.abort();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return first;
}

/** Everything that git knows, or would; the packages as a link. */
function copyTree(): void {
  const { stdout } = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: house,
    encoding: "utf8",
  });
  for (const file of stdout.split("\n")) {
    if (file === "" || !existsSync(join(house, file))) continue;
    cpSync(join(house, file), join(copy, file), { preserveTimestamps: true });
  }
  cpSync(join(house, "native/build"), join(copy, "native/build"), {
    recursive: true,
    preserveTimestamps: true,
  });
  symlinkSync(join(house, "node_modules"), join(copy, "node_modules"));
}

/** Patches carry one line of context, so that edits nearby do not matter. */
function apply(patch: string, more: readonly string[]): boolean {
  return spawnSync("git", ["apply", "-C1", ...more, patch], { cwd: copy }).status === 0;
}

function buildNative(): boolean {
  return spawnSync(process.execPath, ["native/build.mjs"], { cwd: copy }).status === 0;
}
