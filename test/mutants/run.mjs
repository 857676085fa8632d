/**
 * Proves that the conformance suite notices mistakes: applies each patch of this folder to a copy of the tree, builds
 * it, and expects a case to fail that does not fail without the patch. Arguments: names of mutants, or parts of them.
 *
 * A patch begins with a sentence about what it breaks and a line `Cases:` with the test files that should notice.
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
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const house = join(here, "../..");
const copy = mkdtempSync(join(tmpdir(), "mutants-"));
const results = join(copy, "results.json");

const wanted = process.argv.slice(2);
const mutants = readdirSync(here)
  .filter((file) => file.endsWith(".patch"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => {
    const [sentence = "", cases = ""] = readFileSync(join(here, file), "utf8").split("\n");
    return {
      file,
      name: file.replace(".patch", ""),
      sentence,
      cases: cases.replace("Cases: ", "").split(" "),
    };
  });

process.exitCode = 1;
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
copyTree();
const problem = build();
if (problem !== null) {
  console.log(`The tree does not build:\n${problem}`);
} else {
  const broken = failingCases([...new Set(mutants.flatMap(({ cases }) => cases))], [], false);
  for (const title of broken) console.log(`left out, it fails without a mutant: ${title}`);
  let survivors = 0;
  for (const mutant of mutants) {
    const [isNoticed, what] = judge(mutant, broken);
    if (!isNoticed) survivors++;
    console.log(`${isNoticed ? "noticed " : "SURVIVED"} ${mutant.name.padEnd(32)} ${what}`);
  }
  console.log(`Mutants: ${survivors} survived, ${mutants.length - survivors} noticed`);
  process.exitCode = survivors === 0 && mutants.length > 0 ? 0 : 1;
}

/** Was the mutant noticed, and by which case; or why it could not be tried. */
function judge({ file, cases }, broken) {
  if (!apply(file, [])) return [false, "the patch does not apply any more"];
  const failure = build();
  const [first] = failure === null ? failingCases(cases, broken) : [];
  if (!apply(file, ["--reverse"])) throw new Error(`${file} cannot be taken back`);
  if (failure !== null) return [false, `it does not build: ${failure.split("\n")[0]}`];
  return first === undefined ? [false, `by ${cases.join(", ")}`] : [true, first];
}

/** Everything the daemon is built from, what has been built already, and the addon. */
function copyTree() {
  const { stdout } = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: house,
    encoding: "utf8",
  });
  for (const file of stdout.split("\n")) {
    if (file === "" || file.startsWith("test/") || !existsSync(join(house, file))) continue;
    cpSync(join(house, file), join(copy, file), { preserveTimestamps: true });
  }
  for (const folder of ["dist", "native/build", "native/prebuilds"]) {
    if (!existsSync(join(house, folder))) continue;
    cpSync(join(house, folder), join(copy, folder), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(house, "node_modules"), join(copy, "node_modules"));
}

/** Patches carry one line of context, so that edits nearby do not matter. */
function apply(file, options) {
  const { status } = spawnSync("git", ["apply", "-C1", ...options, join(here, file)], {
    cwd: copy,
  });
  return status === 0;
}

/** Builds the copy's daemon; returns what the compiler says, or null. */
function build() {
  const compiler = join(house, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-b", "compat/dbus-daemon"], {
    cwd: copy,
    encoding: "utf8",
  });
  return status === 0 ? null : stdout;
}

/** The titles that fail in these files on the copy's daemon, except `known`. One is enough if there is a mutant. */
function failingCases(files, known, stopsAtFirst = true) {
  spawnSync(
    process.execPath,
    [
      join(house, "node_modules/jest/bin/jest.js"),
      "--selectProjects=conformance",
      `--testPathPatterns=test/conformance/(${files.join("|")})\\.test\\.ts$`,
      ...(known.length === 0 ? [] : [`--testNamePattern=^(?!(${known.map(escaped).join("|")})$)`]),
      "--maxWorkers=2",
      "--json",
      `--outputFile=${results}`,
    ],
    {
      cwd: house,
      stdio: "ignore",
      env: {
        ...process.env,
        CONFORMANCE_BUS: "onehop",
        CONFORMANCE_STOP: stopsAtFirst ? "1" : "",
        ONEHOP_DAEMON: `${process.execPath} ${join(copy, "dist/compat/dbus-daemon/main.js")}`,
        NODE_OPTIONS: "--experimental-vm-modules --no-warnings",
      },
    },
  );
  const { testResults, numPassedTests, numFailedTests } = JSON.parse(readFileSync(results, "utf8"));
  rmSync(results);
  if (!stopsAtFirst && numPassedTests < numFailedTests) {
    throw new Error("without a mutant most cases fail already: mutants would prove nothing");
  }
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "failed")
    .map(({ title }) => title);
}

function escaped(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
