/**
 * Peers that run into limits by chance, on dbus-daemon and on this bus: is the same refused, with the same words?
 *
 *     node --import ./test/fuzz/loader.mjs test/differential/limits.ts --cases 200 --seed 7
 */

import { parseArgs } from "node:util";
import { generator } from "../fuzz/random.ts";
import { Folder, type Program, startDaemon } from "./daemon-run.ts";
import { configurationOf, randomLimits, randomSteps, type Step } from "./limit-cases.ts";
import { LimitedWorld } from "./limit-world.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const random = generator(Number(values.seed));
const folder = new Folder();
let [steps, refused, failed] = [0, 0, 0];
for (let number = 0; number < Number(values.cases); number++) {
  const limits = randomLimits(random);
  const program = randomSteps(random);
  const configuration = folder.write(`limits-${number}.conf`, configurationOf(limits));
  const [reference, ours] = [
    await outcomes("dbus-daemon", configuration, program),
    await outcomes("onehop", configuration, program),
  ];
  for (const [at, step] of program.entries()) {
    steps++;
    if (reference[at]?.includes("LimitsExceeded") === true) refused++;
    if (isSame(reference[at] ?? "", ours[at] ?? "")) continue;
    failed++;
    console.log(`${JSON.stringify(limits)}\n  after ${at} steps: ${JSON.stringify(step)}`);
    console.log(`  dbus-daemon: ${reference[at]}\n  onehop:      ${ours[at]}`);
    break;
  }
}
folder.remove();
console.log(`seed ${values.seed}: ${values.cases} buses, ${steps} steps, ${refused} refused`);
console.log(`Tests: ${steps - failed} passed, ${failed} failed`);
process.exit(failed === 0 && refused > 0 ? 0 : 1);

/** An error may go on with a hint behind dbus-daemon's words. */
function isSame(reference: string, ours: string): boolean {
  return ours === reference || (reference.includes("Error.") && ours.startsWith(`${reference} (`));
}

async function outcomes(
  program: Program,
  configuration: string,
  all: readonly Step[],
): Promise<string[]> {
  const daemon = await startDaemon(program, configuration);
  const world = await LimitedWorld.at(daemon.address);
  const told: string[] = [];
  for (const step of all) told.push(await world.take(step));
  world.end();
  await daemon.stop();
  return told;
}
