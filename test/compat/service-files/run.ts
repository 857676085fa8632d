/**
 * Generated service files on dbus-daemon and on onehop: the same names listed, the same programs started with the
 * same arguments, the same errors; every second batch on a bus whose services a helper starts. `--seed N`,
 * `--files N`, `--batch N`; the last line is `Tests: N passed, N failed`.
 *
 *     node --import ./test/fuzz/loader.mjs test/compat/service-files/run.ts
 */

import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { expectedOf, ServiceFiles, type Verdict } from "./verdicts.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    files: { type: "string", default: "600" },
    batch: { type: "string", default: "200" },
  },
});
const [seed, total, batch] = [values.seed, values.files, values.batch].map(Number) as [
  number,
  number,
  number,
]; // three in, three out
const onehop = join(import.meta.dirname, "../../../dist/onehop-dbus-daemon.cjs");
const counts = { files: 0, names: 0, listed: 0, started: 0, different: 0 };
for (let at = 0; at < total; at += batch) {
  const usesHelper = (at / batch) % 2 === 1;
  await compare(new ServiceFiles(seed + at, Math.min(batch, total - at), usesHelper));
}
console.log(JSON.stringify({ seed, ...counts }));
console.log(`Tests: ${counts.names - counts.different} passed, ${counts.different} failed`);
process.exitCode = counts.different > 0 || counts.names === 0 ? 1 : 0;

async function compare(files: ServiceFiles): Promise<void> {
  try {
    const names = files.files.map(({ name }) => name);
    const reference = await files.judge(["dbus-daemon"], names);
    const ours = await files.judge([process.execPath, onehop], reference.keys());
    counts.files += names.length;
    for (const [name, verdict] of ours) {
      const expected = reference.get(name);
      counts.names++;
      if (verdict.isListed) counts.listed++;
      if (verdict.words !== null) counts.started++;
      if (expected !== undefined && isDeepStrictEqual(expectedOf(expected), verdict)) continue;
      counts.different++;
      tell(files, verdict, expected);
    }
  } finally {
    files.remove();
  }
}

function tell(files: ServiceFiles, ours: Verdict, reference?: Verdict): void {
  const file = files.files.find(({ name }) => ours.name.includes(name));
  console.log(JSON.stringify(Buffer.from(file?.bytes ?? []).toString("latin1")));
  console.log(`  dbus-daemon ${JSON.stringify(reference)}`);
  console.log(`  onehop      ${JSON.stringify(ours)}`);
}
