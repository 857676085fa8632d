/**
 * Policies and messages by chance: does onehop judge as dbus-daemon does? Run as root, by `node test/differential/policies.mjs`.
 */

import { parseArgs } from "node:util";
import { generator } from "../fuzz/random.ts";
import { Folder, type Program, startDaemon } from "./daemon-run.ts";
import { Peers } from "./peers.ts";
import { type Cases, judge, randomCases, type Verdict } from "./policy-cases.ts";
import { NAMES, type Pairs, randomPolicy } from "./policy-rules.ts";

const MESSAGES_PER_POLICY = 60;
/** Each verdict has to be at least so much of all. */
const LEAST_SHARE = 0.2;
const MOST_SHOWN = 10;

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});

async function main(): Promise<boolean> {
  const wanted = Number(options.cases);
  const seed = Number(options.seed);
  console.log(`${wanted} cases, seed ${seed}`);
  const random = generator(seed);
  const folder = new Folder();
  const peers = new Peers();
  const pairs: Pairs = new Set();
  const counts = { passed: 0, failed: 0, allowed: 0, messages: 0, owns: 0, policies: 0 };
  try {
    while (counts.passed + counts.failed < wanted && counts.failed < MOST_SHOWN) {
      const { text } = randomPolicy(random, pairs);
      const configuration = writeConfiguration(folder, text);
      const cases = randomCases(random, MESSAGES_PER_POLICY);
      counts.policies++;
      const [theirs, ours] = await bothVerdicts(configuration, peers, cases);
      for (const [index, verdict] of theirs.entries()) {
        const own = ours[index];
        if (verdict.isAllowed) counts.allowed++;
        if (verdict.what.includes(" owns ")) counts.owns++;
        if (
          own?.what === verdict.what &&
          own.isAllowed === verdict.isAllowed &&
          own.told === verdict.told
        ) {
          counts.passed++;
          continue;
        }
        counts.failed++;
        console.log(
          `policy:\n${text}\n${describe("dbus-daemon", verdict)}\n${describe("onehop", own)}`,
        );
        // What follows it in the list may only be out of step.
        break;
      }
    }
  } finally {
    peers.stop();
    folder.remove();
  }
  const all = counts.passed + counts.failed;
  const share = counts.allowed / all;
  console.log(
    `${counts.policies} policies, ${pairs.size} pairs of attributes, ${counts.owns} verdicts about names; ` +
      `allowed ${(share * 100).toFixed(1)} %`,
  );
  const isBalanced = share >= LEAST_SHARE && share <= 1 - LEAST_SHARE;
  if (!isBalanced) console.log("one verdict is too rare");
  console.log(`Tests: ${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && isBalanced;
}

function writeConfiguration(folder: Folder, policy: string): string {
  folder.write(
    "activatable.service",
    `[D-BUS Service]\nName=${NAMES.activatable}\nExec=/bin/false\n`,
  );
  return folder.write(
    "bus.conf",
    `<busconfig>
<type>session</type><listen>unix:dir=${folder.path}</listen>
<servicedir>${folder.path}</servicedir>
${policy}
</busconfig>`,
  );
}

async function bothVerdicts(
  configuration: string,
  peers: Peers,
  cases: Cases,
): Promise<[readonly Verdict[], readonly Verdict[]]> {
  const run = async (program: Program): Promise<readonly Verdict[]> => {
    const daemon = await startDaemon(program, configuration);
    try {
      return await judge(daemon.address, peers, cases);
    } finally {
      await daemon.stop();
    }
  };
  return [await run("dbus-daemon"), await run("onehop")];
}

function describe(program: Program, verdict: Verdict | undefined): string {
  if (verdict === undefined) return `${program}: no verdict`;
  return `${program}: ${verdict.isAllowed ? "allows" : "refuses"} ${verdict.what}\n  ${verdict.told}`;
}

process.exitCode = (await main()) ? 0 : 1;
