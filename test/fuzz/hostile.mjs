/** Hostile peers against a daemon, while neighbours check that they get all that is theirs and nothing else. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { attacks } from "./attacks.mjs";
import { peersOf, string, usage } from "./hostile-peer.mjs";
import { neighbours, newState } from "./neighbours.mjs";
import { generator } from "./random.ts";

const USAGE =
  "node --import ./test/fuzz/loader.mjs test/fuzz/hostile.mjs [--seconds 60] [--seed N] [--attackers 12] [--only name,name]";
/** An attack that takes longer is cut short. */
const ATTACK_MS = 5000;
/** What may stay of the memory that the attacks took: garbage not collected yet, spare buffers … */
const MEMORY_SLACK_MIB = 256;
/** … and what malloc keeps of the fullest queues: an attacker has one of max_outgoing_bytes at a time. */
const QUEUE_MIB = 64;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    attackers: { type: "string", default: "12" },
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const root = fileURLToPath(new URL("../..", import.meta.url));
const addon = createRequire(import.meta.url)(join(root, "native/build/onehop.node"));
const failures = [];
const folder = mkdtempSync(join(tmpdir(), "onehop-hostile-"));
const path = join(folder, "bus");
const random = generator(Number(options.seed));
console.log(`seed ${options.seed}, ${options.seconds} seconds`);
const Peer = peersOf(path);

function fail(reason) {
  failures.push(reason);
  console.error(`FAILED: ${reason}`);
}

const check = (isRight, reason) => {
  if (!isRight) fail(reason);
};

/** Once it has answered somebody and opened all that it opens, such as watches of directories. */
async function settledUsage(pid) {
  const first = await Peer.open();
  first.socket.destroy();
  await first.closed;
  for (let before = usage(pid); ; ) {
    await sleep(500);
    const now = usage(pid);
    if (now.fds === before.fds) return now;
    before = now;
  }
}

async function main() {
  const program = join(root, "dist/onehop-dbus-daemon.cjs");
  const args = [program, "--session", "--nofork", "--print-address", `--address=unix:path=${path}`];
  const daemon = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  daemon.stderr.on("data", (chunk) => {
    log = (log + chunk).slice(-20_000);
  });
  const state = newState();
  let isAlive = true;
  daemon.once("exit", (code, signal) => {
    isAlive = false;
    check(state.isOver, `the daemon died: ${code ?? signal}\n${log}`);
    state.isOver = true;
  });
  await new Promise((done) => daemon.stdout.once("data", done));
  const base = await settledUsage(daemon.pid);
  const watched = [0, 1, 2].map((index) => neighbours(Peer, index, state, fail));
  await sleep(500);
  const end = performance.now() + Number(options.seconds) * 1000;
  const names = options.only === "" ? Object.keys(attacks) : options.only.split(",");
  const done = {};
  const attackers = Array.from({ length: Number(options.attackers) }, async () => {
    const own = random.generator();
    while (performance.now() < end && isAlive && failures.length === 0) {
      const name = own.pick(names);
      done[name] = (done[name] ?? 0) + 1;
      const opened = [];
      let isCut = false;
      const open = async (...how) => {
        const peer = await Peer.open(...how);
        if (isCut) peer.socket.destroy();
        else opened.push(peer);
        return peer;
      };
      const attack = attacks[name]({
        random: own,
        Peer: { open },
        path,
        addon,
        neighbours: state.names,
        string,
      });
      const ending = attack.then(
        () => true,
        () => true,
      );
      if (await Promise.race([ending, sleep(ATTACK_MS, false, { ref: false })])) continue;
      // A busy machine: an attacker attacks once at a time all the same.
      isCut = true;
      for (const peer of opened) peer.socket.destroy();
    }
  });
  await Promise.all(attackers);
  console.log(`attacks: ${JSON.stringify(done)}`);
  state.isOver = true;
  await Promise.all(watched);
  for (const peer of Peer.connected) peer.socket.destroy();
  const mostMib = base.mib + MEMORY_SLACK_MIB + Number(options.attackers) * QUEUE_MIB;
  const isBack = ({ fds, mib }) => fds <= base.fds && mib <= mostMib;
  for (let i = 0; i < 200 && isAlive && !isBack(usage(daemon.pid)); i++) await sleep(50);
  if (isAlive) {
    const left = usage(daemon.pid);
    check(
      isBack(left),
      `of ${base.fds} descriptors and ${base.mib} MiB it came to ${left.fds} and ${left.mib}`,
    );
    console.log(`before ${JSON.stringify(base)}, after ${JSON.stringify(left)}`);
  }
  console.log(
    `${state.count} answers and signals, ${state.truths} forged ones unmasked, slowest answer ${Math.round(state.worstMs)} ms`,
  );
  daemon.kill();
  rmSync(folder, { recursive: true });
  process.exit(failures.length === 0 ? 0 : 1);
}

await main();
