/**
 * Everything that is generated and judged by dbus-daemon and by this bus: configurations, policies, limits, service
 * files.
 * `--seed N`; `--scale N` times as many cases as the short run that CI makes. The last line is `Tests: N passed, N failed`.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const loader = ["--import", join(here, "../fuzz/loader.mjs")];
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    scale: { type: "string", default: "1" },
  },
});
const { seed } = values;
const scale = Number(values.scale);
const suites = [
  ["configurations", [...loader, join(here, "configurations.ts"), "--cases", `${300 * scale}`]],
  ["policies", [join(here, "policies.mjs"), "--cases", `${2000 * scale}`]],
  ["limits", [...loader, join(here, "limits.ts"), "--cases", `${40 * scale}`]],
  [
    "service files",
    [...loader, join(here, "../compat/service-files/run.ts"), "--files", `${600 * scale}`],
  ],
];

let passed = 0;
let failed = 0;
for (const [name, words] of suites) {
  console.log(`== ${name}, seed ${seed}`);
  const { status, stdout } = spawnSync(process.execPath, [...words, "--seed", seed], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
  const [, good, bad] = /^Tests: (\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
  process.stdout.write(stdout.replace(/^Tests: .*\n/m, ""));
  console.log(`${name}: ${good ?? 0} the same, ${bad ?? 0} different`);
  passed += Number(good ?? 0);
  failed += status === 0 ? 0 : Math.max(1, Number(bad ?? 1));
}
console.log(`Tests: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
