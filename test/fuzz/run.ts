/** Fuzzes every target for its share of the time; one table, and 1 as exit code if there is a find. */

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { fuzzInProcess, type Outcome } from "./child.ts";
import { parseInput, writeInput } from "./corpus.ts";
import { failureOf } from "./failure.ts";
import { HOSTILE_PROGRAMS, runHostile } from "./run-hostile.ts";
import { TARGETS } from "./targets.ts";

const here = import.meta.dirname;
/** The part of the time that hostile peers and a whole daemon get. */
const HOSTILE_SHARE = 1 / 3;
const HOSTILE = Object.keys(HOSTILE_PROGRAMS);
const HELP = `npm run test:fuzz -- [options]

  --seconds N    for all targets together (60)
  --target A,B   only these: ${[...Object.keys(TARGETS), ...HOSTILE].join(", ")}
  --seed N       what chance begins with; printed
  --corpus DIR   where inputs begin (test/fuzz/corpus)
  --finds DIR    where what fails is written (test/fuzz/finds)
  --replay FILE  runs one input of a corpus or of the finds
  --blind        does not look which blocks an input reaches
  --keep DIR     writes the inputs that reached something new to DIR`;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string", default: "" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    corpus: { type: "string", default: join(here, "corpus") },
    finds: { type: "string", default: join(here, "finds") },
    replay: { type: "string" },
    blind: { type: "boolean", default: false },
    keep: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (options.help) console.log(HELP);
else if (options.replay !== undefined) process.exitCode = await replay(options.replay);
else process.exitCode = await fuzz(namesOf(options.target), secondsOf(options.seconds));

/** Ends the process if it is no time. */
function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0) return seconds;
  console.error(`--seconds is "${text}"; it has to be a number above 0, such as 60.`);
  process.exit(2);
}

/** The targets asked for, or all. Ends the process if one is unknown. */
function namesOf(list: string): string[] {
  const all = [...Object.keys(TARGETS), ...HOSTILE];
  const names = list === "" ? all : list.split(",");
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length === 0) return names;
  console.error(`There is no target ${unknown.join(", ")}; there are ${all.join(", ")}.`);
  process.exit(2);
}

async function fuzz(names: readonly string[], seconds: number): Promise<number> {
  console.log(`${seconds} seconds, seed ${options.seed}`);
  const others = names.filter((name) => !HOSTILE.includes(name));
  const hostileCount = names.length - others.length;
  const hostileShare = others.length === 0 ? 1 : hostileCount > 0 ? HOSTILE_SHARE : 0;
  const share = (seconds * (1 - hostileShare)) / others.length;
  const outcomes: Outcome[] = [];
  for (const [index, name] of names.entries()) {
    const seed = Number(options.seed) + index;
    const outcome = HOSTILE.includes(name)
      ? await runHostile(name, (seconds * hostileShare) / hostileCount, seed)
      : await fuzzInProcess({
          target: name,
          seconds: share,
          seed,
          corpus: options.corpus,
          isBlind: options.blind,
        });
    outcomes.push(outcome);
    tell(outcome);
  }
  printTable(outcomes);
  const failed = outcomes.filter(({ find }) => find !== null).length;
  console.log(`Tests: ${outcomes.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Saves what was found, and says how to see it again. */
function tell({ target, find, kept }: Outcome): void {
  const format = TARGETS[target]?.format;
  if (format === undefined) return;
  if (options.keep !== undefined) {
    for (const input of kept) {
      writeInput(join(options.keep, target), input, format, "reached something new");
    }
  }
  if (find === null) return;
  console.error(`\n${target}: ${find.what}`);
  if (find.input === null) return;
  const [firstLine = ""] = find.what.split("\n");
  const file = writeInput(join(options.finds, target), find.input, format, firstLine.slice(0, 200));
  console.error(readFileSync(file, "utf8").slice(0, 2000));
  console.error(`again: npm run test:fuzz -- --replay ${relative(process.cwd(), file)}\n`);
}

async function replay(file: string): Promise<number> {
  const name = options.target === "" ? basename(dirname(file)) : options.target;
  const entry = TARGETS[name];
  if (entry === undefined || !existsSync(file)) {
    console.error(`${file} is no input of a target: it lies in a folder of the target's name`);
    return 2;
  }
  const input = parseInput(readFileSync(file, "utf8"), entry.format);
  const failure = await failureOf(entry.make, input);
  console.log(`${name}: ${failure ?? "nothing fails"}`);
  return failure === null ? 0 : 1;
}

function printTable(outcomes: readonly Outcome[]): void {
  const rows = outcomes.map((outcome) => [
    outcome.target,
    String(outcome.inputs),
    outcome.milliseconds === 0
      ? "-"
      : String(Math.round((outcome.inputs * 1000) / outcome.milliseconds)),
    outcome.keptCount === 0 ? "-" : String(outcome.keptCount),
    outcome.blocks === 0 ? "-" : String(outcome.blocks),
    outcome.find === null ? "0" : "1",
  ]);
  const head = ["target", "inputs", "inputs/s", "kept", "blocks", "finds"];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    console.log(cells.join("  "));
  }
}
