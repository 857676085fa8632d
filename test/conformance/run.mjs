/** Runs the whole suite on every bus that is here and prints a table; ends with 1 if anything failed anywhere. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const house = join(import.meta.dirname, "../..");
const jest = join(house, "node_modules/jest/bin/jest.js");
const buses = process.argv.slice(2);
const chosen = buses.length > 0 ? buses : ["dbus-daemon", "dbus-broker", "onehop"];
const folder = mkdtempSync(join(tmpdir(), "conformance-run-"));
const file = join(folder, "results.json");

const runs = chosen.map((bus) => {
  const { stdout } = spawnSync(
    process.execPath,
    [jest, "--selectProjects=conformance", "--maxWorkers=2", "--json", `--outputFile=${file}`],
    {
      cwd: house,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
      env: {
        ...process.env,
        CONFORMANCE_BUS: bus,
        NODE_OPTIONS: "--experimental-vm-modules --no-warnings",
      },
    },
  );
  const results = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  return summary(bus, results, stdout.split("\n"));
});
rmSync(folder, { recursive: true });

console.table(Object.fromEntries(runs.map(({ bus, row }) => [bus, row])));
for (const { bus, reasons } of runs) {
  for (const [reason, count] of reasons) console.log(`${bus}: ${count} × ${reason}`);
}
for (const { bus, failures } of runs) {
  for (const failure of failures) console.log(`FAILED on ${bus}: ${failure}`);
}
const sum = (column) => runs.reduce((total, { row }) => total + row[column], 0);
const columns = ["failed", "passed", "excused", "withheld", "not run"];
console.log(`Tests: ${columns.map((column) => `${sum(column)} ${column}`).join(", ")}`);
process.exitCode = sum("failed") > 0 ? 1 : 0;

/**
 * Counts the cases of one run. An excused case has run and differed as its excuse says; a withheld one cannot be tried
 * on this bus; for one that was not run something is missing here, and the case has said so on a line of its own.
 */
function summary(bus, { testResults, startTime }, lines) {
  const cases = testResults.flatMap(({ assertionResults }) => assertionResults);
  const notRun = new Map();
  for (const line of lines.filter((each) => each.startsWith("not run: "))) {
    const found = cases.find(({ title }) => line.startsWith(`not run: ${title}: `));
    if (found !== undefined)
      notRun.set(found.title, line.slice(`not run: ${found.title}: `.length));
  }
  const row = { passed: 0, failed: 0, excused: 0, withheld: 0, "not run": 0, seconds: 0 };
  const reasons = new Map();
  const failures = [];
  for (const { title, status } of cases) {
    const [mark, word] = /\[((?:excused|withheld)): [^\]]*\]/.exec(title) ?? [];
    if (status === "failed") {
      row.failed++;
      failures.push(title);
    } else if (notRun.has(title)) {
      row["not run"]++;
      count(reasons, `not run: ${notRun.get(title)}`);
    } else if (mark !== undefined) {
      row[word]++;
      count(reasons, mark.slice(1, -1));
    } else {
      row.passed++;
    }
  }
  for (const { name, message, status, assertionResults } of testResults) {
    if (status !== "failed" || assertionResults.length > 0) continue;
    row.failed++;
    failures.push(`${name}: ${message.trim().split("\n")[0]}`);
  }
  const milliseconds = Math.max(...testResults.map(({ endTime }) => endTime)) - startTime;
  row.seconds = Math.round(milliseconds / 100) / 10;
  return { bus, row, reasons, failures };
}

function count(counts, key) {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
