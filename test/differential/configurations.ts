/**
 * Generated configurations on dbus-daemon and on this bus: is the same accepted, with the same meaning?
 *
 *     node --import ./test/fuzz/loader.mjs test/differential/configurations.ts --cases 2000 --seed 7
 */

import { parseArgs } from "node:util";
import { generator } from "../fuzz/random.ts";
import { compareConfigurations } from "./compare-configurations.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const count = Number(values.cases);
const comparison = await compareConfigurations(generator(Number(values.seed)), count);
for (const failure of comparison.failures) console.log(`${failure}\n`);
console.log(`seed ${values.seed}: ${comparison.accepted} accepted, ${comparison.refused} refused`);
for (const [reason, times] of comparison.known) console.log(`${times} × as wanted: ${reason}`);
const failed = comparison.failures.length;
console.log(`Tests: ${count - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
