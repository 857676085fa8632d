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
const rows = [];

for (const bus of chosen) {
  const file = join(folder, "results.json");
  spawnSync(
    process.execPath,
    [jest, "--selectProjects=conformance", "--maxWorkers=2", "--json", `--outputFile=${file}`],
    {
      cwd: house,
      stdio: ["ignore", "ignore", "ignore"],
      env: {
        ...process.env,
        CONFORMANCE_BUS: bus,
        NODE_OPTIONS: "--experimental-vm-modules --no-warnings",
      },
    },
  );
  rows.push(summary(bus, JSON.parse(readFileSync(file, "utf8"))));
  rmSync(file);
}
rmSync(folder, { recursive: true });

console.table(Object.fromEntries(rows.map(({ bus, failures, excuses, ...row }) => [bus, row])));
for (const { bus, excuses } of rows) {
  for (const [reason, count] of excuses) console.log(`${bus}: ${count} × ${reason}`);
}
for (const { bus, failures } of rows) {
  for (const failure of failures) console.log(`FAILED on ${bus}: ${failure}`);
}
const sum = (column) => rows.reduce((total, row) => total + row[column], 0);
console.log(
  `Tests: ${sum("failed")} failed, ${sum("passed")} passed, ${sum("excused")} excused, ${sum("withheld")} withheld`,
);
process.exitCode = rows.some(({ failed }) => failed > 0) ? 1 : 0;

/** Counts the cases of one run; an excused case has run and differed as its excuse says. */
function summary(bus, results) {
  const cases = results.testResults.flatMap(({ assertionResults }) => assertionResults);
  const excuses = new Map();
  for (const { title } of cases) {
    const [, mark] = /\[((?:excused|withheld): [^\]]*)\]/.exec(title) ?? [];
    if (mark !== undefined) excuses.set(mark, (excuses.get(mark) ?? 0) + 1);
  }
  const marked = (word) =>
    cases.filter(({ title, status }) => status === "passed" && title.includes(`[${word}: `)).length;
  const passed = cases.filter(({ status }) => status === "passed").length;
  const broken = results.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  const failures = [
    ...cases.filter(({ status }) => status === "failed").map(({ title }) => title),
    ...broken.map(({ name, message }) => `${name}: ${message.split("\n")[0]}`),
  ];
  const milliseconds =
    Math.max(...results.testResults.map(({ endTime }) => endTime)) - results.startTime;
  return {
    bus,
    passed: passed - marked("excused") - marked("withheld"),
    failed: failures.length,
    excused: marked("excused"),
    withheld: marked("withheld"),
    seconds: Math.round(milliseconds / 100) / 10,
    failures,
    excuses,
  };
}
