/**
 * Policies and messages by chance: does onehop judge as dbus-daemon does? Run as root, by `node test/differential/policies.mjs`.
 */

import { existsSync, readFileSync } from "node:fs";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { generator } from "../fuzz/random.ts";
import { Folder, type Program, startDaemon } from "./daemon-run.ts";
import { Peers } from "./peers.ts";
import { type Cases, judge, randomCases, type Verdict } from "./policy-cases.ts";
import { type Pairs, randomPolicy, SCAFFOLD } from "./policy-rules.ts";
import { installedWorld, NAMES, RANDOM_WORLD, type World } from "./policy-world.ts";

const MESSAGES_PER_POLICY = 60;
/** Each verdict has to be at least so much of all. */
const LEAST_SHARE = 0.2;
const MOST_SHOWN = 10;
/** Attributes of messages that may stand in one rule: 75 pairs for sending, 43 for receiving, 3 of them the same. */
const PAIRS = 115;
const SYSTEM_CONFIGURATION = "/usr/share/dbus-1/system.conf";
const SYSTEM_POLICIES = "/usr/share/dbus-1/system.d";

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});

class Tally {
  passed = 0;
  failed = 0;
  allowed = 0;
  policies = 0;
  names = 0;
  connections = 0;
  lines = 0;

  /** Compares what two buses did; what follows the first difference may only be out of step. */
  compare(policy: string, theirs: readonly Verdict[], ours: readonly Verdict[]): void {
    this.policies++;
    for (const [index, verdict] of theirs.entries()) {
      const own = ours[index];
      if (verdict.isAllowed) this.allowed++;
      if (verdict.what.includes(" owns ")) this.names++;
      if (verdict.what.endsWith(" connects")) this.connections++;
      if (!isDeepStrictEqual(own, verdict)) {
        this.failed++;
        const told = [describe("dbus-daemon", verdict), describe("onehop", own)];
        console.log([`policy:\n${policy}`, ...told].join("\n"));
        return;
      }
      this.passed++;
    }
  }

  /** Compares the lines about refusals in two logs, in any order; ours has no more of them when they are too many. */
  compareLogs(policy: string, theirs: string, ours: string): void {
    const isCut = ours.includes("not all are logged");
    const expected = refusals(theirs);
    const own = refusals(ours);
    const left = [...expected];
    const extra = own.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    this.lines += own.length;
    if (extra.length === 0 && (isCut || left.length === 0)) return;
    this.failed++;
    console.log(`policy:\n${policy}\nthe logs differ: missing\n${left.join("\n")}`);
    console.log(`not in dbus-daemon's:\n${extra.join("\n")}`);
  }
}

async function main(): Promise<boolean> {
  const wanted = Number(options.cases);
  const seed = Number(options.seed);
  console.log(`${wanted} cases, seed ${seed}`);
  const random = generator(seed);
  const folder = new Folder();
  const peers = new Peers();
  const pairs: Pairs = new Set();
  const tally = new Tally();
  try {
    while (tally.passed < wanted && tally.failed < MOST_SHOWN) {
      const { text } = randomPolicy(random, pairs);
      const cases = randomCases(random, RANDOM_WORLD, MESSAGES_PER_POLICY);
      await runBoth(folder, peers, RANDOM_WORLD, text, cases, tally);
    }
    const installed = existsSync(SYSTEM_POLICIES) ? installedWorld(SYSTEM_POLICIES) : null;
    if (installed === null) console.log("no policies are installed for the system bus");
    else {
      const cases = randomCases(random, installed, 5 * MESSAGES_PER_POLICY);
      await runBoth(folder, peers, installed, installedPolicy(), cases, tally);
    }
  } finally {
    peers.stop();
    folder.remove();
  }
  const share = tally.allowed / (tally.passed + tally.failed);
  console.log(
    `${tally.policies} policies, ${pairs.size} of ${PAIRS} pairs of attributes; of the verdicts ${tally.names} about names, ` +
      `${tally.connections} about connecting; ${(share * 100).toFixed(1)} % allowed; ${tally.lines} lines of logs`,
  );
  const isBalanced = share >= LEAST_SHARE && share <= 1 - LEAST_SHARE;
  if (!isBalanced) console.log("one verdict is too rare");
  console.log(`Tests: ${tally.passed} passed, ${tally.failed} failed`);
  return tally.failed === 0 && isBalanced;
}

/** What system.conf says, and all files that packages have put beside it. */
function installedPolicy(): string {
  const text = readFileSync(SYSTEM_CONFIGURATION, "utf8").replaceAll(/<!--[\s\S]*?-->/g, "");
  const policies = text.match(/<policy[\s\S]*?<\/policy>/g) ?? [];
  return `${policies.join("\n")}\n<includedir>${SYSTEM_POLICIES}</includedir>\n${SCAFFOLD}`;
}

async function runBoth(
  folder: Folder,
  peers: Peers,
  world: World,
  policy: string,
  cases: Cases,
  tally: Tally,
): Promise<void> {
  const configuration = writeConfiguration(folder, policy);
  const run = async (
    program: Program,
  ): Promise<{ readonly verdicts: readonly Verdict[]; readonly log: string }> => {
    const daemon = await startDaemon(program, configuration);
    try {
      const verdicts = await judge(daemon.address, peers, world, cases);
      return { verdicts, log: daemon.errors() };
    } finally {
      await daemon.stop();
    }
  };
  const theirs = await run("dbus-daemon");
  const ours = await run("onehop");
  tally.compare(policy, theirs.verdicts, ours.verdicts);
  tally.compareLogs(policy, theirs.log, ours.log);
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

/**
 * Lines about refused messages, without what goes before and, in ours, after. dbus-daemon also tells that those who
 * have left may not be told so.
 */
function refusals(log: string): string[] {
  const pattern = /((?:Rejected|Would reject) .*?)(?:; (?:decided by .*|no rule allows it))?$/;
  return log
    .split("\n")
    .filter((line) => !line.includes('member="NameLost"'))
    .flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

function describe(program: Program, verdict: Verdict | undefined): string {
  if (verdict === undefined) return `${program}: no verdict`;
  return `${program}: ${verdict.isAllowed ? "allows" : "refuses"} ${verdict.what}\n  ${verdict.told}`;
}

process.exitCode = (await main()) ? 0 : 1;
