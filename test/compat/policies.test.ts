/** A policy on a daemon beside the real one: some two hundred verdicts; `test/differential` has many more. */

import { existsSync } from "node:fs";
import { afterAll, expect } from "@jest/globals";
import { PYTHON } from "../conformance/support/programs.ts";
import { Folder, type Program, startDaemon } from "../differential/daemon-run.ts";
import { Peers } from "../differential/peers.ts";
import { judge, randomCases, type Verdict } from "../differential/policy-cases.ts";
import { randomPolicy } from "../differential/policy-rules.ts";
import { NAMES, RANDOM_WORLD } from "../differential/policy-world.ts";
import { generator } from "../fuzz/random.ts";
import { testWithProgram } from "./programs.ts";

const SEED = 20;
const folder = new Folder();
afterAll(() => folder.remove());

testWithProgram("dbus-daemon", "a random policy means what it means to dbus-daemon", async () => {
  const missing = process.getuid?.() === 0 ? missingPython() : "only root can be several users";
  if (missing !== null) {
    process.stdout.write(`not run: ${missing}\n`);
    return;
  }
  const peers = new Peers();
  const random = generator(SEED);
  const { text } = randomPolicy(random, new Set());
  const cases = randomCases(random, RANDOM_WORLD, 120);
  const exec = "[D-BUS Service]\nExec=/bin/false\n";
  folder.write("activatable.service", `${exec}Name=${NAMES.activatable}\n`);
  const configuration = folder.write(
    "bus.conf",
    `<busconfig><type>session</type><listen>unix:dir=${folder.path}</listen>
<servicedir>${folder.path}</servicedir>${text}</busconfig>`,
  );
  const verdictsOf = async (program: Program): Promise<readonly Verdict[]> => {
    const daemon = await startDaemon(program, configuration);
    try {
      return await judge(daemon.address, peers, RANDOM_WORLD, cases);
    } finally {
      await daemon.stop();
    }
  };
  try {
    const theirs = await verdictsOf("dbus-daemon");
    expect(theirs.length).toBeGreaterThan(200);
    expect(await verdictsOf("onehop")).toEqual(theirs);
  } finally {
    peers.stop();
  }
});

function missingPython(): string | null {
  if (existsSync(PYTHON)) return null;
  const text = `${PYTHON} is not installed`;
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(text);
  return text;
}
