/**
 * Two hostile users against a daemon, while neighbours of a third one check that they get all that is theirs, and
 * may still do everything: connect, own names, add rules, start services. Needs root, to be all of them.
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peersOf, string, usage } from "./hostile-peer.mjs";
import { neighbours, newState } from "./neighbours.mjs";
import { generator } from "./random.ts";
import { message, text } from "./raw-message.mjs";
import { userAttacks } from "./user-attacks.mjs";

const USAGE =
  "node --import ./test/fuzz/loader.mjs test/fuzz/users.mjs [--seconds 60] [--seed N] [--only name,name]";
const NEIGHBOUR = 1;
const HOSTILE = [65534, 13];
/** For attacks, and for the neighbours, to come to an end. */
const GRACE_MS = 10_000;
/** At a time, of each hostile user. */
const ATTACKERS = 3;
const SLOW_SERVICE = "org.example.Slow";
const BAD_SERVICE = "org.example.Bad";
/** What the attacks may leave: garbage that is not collected yet, and what malloc keeps. */
const MEMORY_SLACK_MIB = 512;
/** All limits that are not here are dbus-daemon's built-in ones, those of a system bus. */
const LIMITS = {
  auth_timeout: 2000,
  pending_fd_timeout: 5000,
  service_start_timeout: 2000,
  max_pending_service_starts: 64,
  max_outgoing_bytes: 16 << 20,
};

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    only: { type: "string", default: "" },
    /** The parts of this program that run as other users: "neighbours" or "attackers". */
    part: { type: "string", default: "" },
    path: { type: "string", default: "" },
    names: { type: "string", default: "{}" },
    help: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Neighbours, an errand and a sleeper, until a line comes on standard input; tells what they noticed. */
async function runNeighbours() {
  const state = newState();
  const failures = [];
  const fail = (reason) => failures.push(reason);
  const Peer = peersOf(options.path);
  const watched = [0, 1].map((index) => neighbours(Peer, index, state, fail));
  const sleeper = await Peer.open();
  sleeper.closed.then(() => {
    if (!state.isOver) fail("the sleeper was disconnected");
  });
  await sleeper.call("AddMatch", "s", string("type='signal',interface='org.example.Hostile'"));
  const waker = await Peer.open();
  const calls = [];
  sleeper.onMessage = (got) => {
    if (got.interface === "org.example.Wake") calls.push(got.serial);
  };
  sleeper.socket.pause();
  await sleep(300);
  const services = state.names.filter((name) => name.startsWith("org.example.Neighbour"));
  console.log(JSON.stringify({ services, sleepers: [sleeper.name] }));
  let sent = 0;
  const errands = (async () => {
    while (!state.isOver) {
      await errand(Peer, fail);
      waker.send({
        type: 1,
        flags: 1,
        path: "/",
        interface: "org.example.Wake",
        member: "Up",
        destination: sleeper.name,
      });
      sent++;
      await sleep(50);
    }
  })();
  await new Promise((done) => process.stdin.once("data", done));
  state.isOver = true;
  await Promise.all([...watched, errands]);
  sleeper.socket.resume();
  await sleeper.call("GetId").catch(() => fail("the sleeper cannot be woken"));
  if (calls.length !== sent) fail(`the sleeper got ${calls.length} of ${sent} calls`);
  const { count, worstMs } = state;
  console.log(JSON.stringify({ failures, count, sent, worstMs: Math.round(worstMs) }));
  process.exit(0);
}

/** Everything that somebody may want of a bus who has just come. */
async function errand(Peer, fail) {
  const peer = await Peer.open().catch(() => null);
  if (peer === null) return fail("a newcomer was not let in");
  const must = async (what, reply) => {
    const { type, errorName, body } = await reply;
    if (type !== 2) fail(`${what}: ${errorName} ${text(body)}`);
  };
  const name = string("org.example.Errand", 4);
  const start = Buffer.concat([string(BAD_SERVICE, 4), Buffer.alloc(4)]);
  try {
    await must("AddMatch", peer.call("AddMatch", "s", string("member='Errand'")));
    await must(
      "RequestName",
      peer.call("RequestName", "su", Buffer.concat([name, Buffer.alloc(4)])),
    );
    await must("ReleaseName", peer.call("ReleaseName", "s", string("org.example.Errand")));
    const { errorName } = await peer.call("StartServiceByName", "su", start);
    if (errorName !== "org.freedesktop.DBus.Error.Spawn.ChildExited") {
      fail(`StartServiceByName: ${errorName}`);
    }
  } catch (error) {
    fail(`an errand was cut short: ${error.message}`);
  }
  peer.socket.destroy();
}

/** Attacks one after the other, a few at a time, until the time is over. */
async function runAttackers() {
  const addon = createRequire(import.meta.url)(join(root, "native/build/onehop.node"));
  const Peer = peersOf(options.path);
  const { services, sleepers } = JSON.parse(options.names);
  const end = performance.now() + Number(options.seconds) * 1000;
  const names = options.only === "" ? Object.keys(userAttacks) : options.only.split(",");
  const random = generator(Number(options.seed));
  const done = {};
  // An attack may wait for something that the bus rightly never gives.
  const late = sleep(Number(options.seconds) * 1000 + GRACE_MS);
  const attackers = Promise.all(
    Array.from({ length: ATTACKERS }, async () => {
      const own = random.generator();
      while (performance.now() < end) {
        const name = own.pick(names);
        done[name] = (done[name] ?? 0) + 1;
        const shared = { Peer, string, message, addon, path: options.path };
        await userAttacks[name]({
          ...shared,
          random: own,
          services,
          sleepers,
          slowService: SLOW_SERVICE,
        }).catch(() => {});
      }
    }),
  );
  await Promise.race([attackers, late]);
  console.log(JSON.stringify(done));
  process.exit(0);
}

function configuration(folder) {
  const services = join(folder, "services");
  mkdirSync(services);
  const file = (name, exec) => `[D-BUS Service]\nName=${name}\nExec=${exec}\n`;
  writeFileSync(join(services, `${SLOW_SERVICE}.service`), file(SLOW_SERVICE, "/bin/sleep 3"));
  writeFileSync(join(services, `${BAD_SERVICE}.service`), file(BAD_SERVICE, "/bin/false"));
  const limits = Object.entries(LIMITS).map(
    ([name, value]) => `<limit name="${name}">${value}</limit>`,
  );
  const path = join(folder, "bus.conf");
  writeFileSync(
    path,
    `<busconfig><type>system</type><listen>unix:path=${join(folder, "bus")}</listen><auth>EXTERNAL</auth>
    <servicedir>${services}</servicedir>${limits.join("")}
    <policy context="default">
      <allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
    </policy></busconfig>`,
  );
  return path;
}

/** This program again, as somebody else; lines come to `tell`. */
function runAs(uid, part, more, tell) {
  const loader = join(root, "test/fuzz/loader.mjs");
  const args = ["--import", loader, fileURLToPath(import.meta.url), `--part=${part}`, ...more];
  const child = spawn(process.execPath, args, {
    stdio: ["pipe", "pipe", "inherit"],
    uid,
    gid: uid,
    cwd: "/",
  });
  createInterface({ input: child.stdout }).on("line", tell);
  return { child, ended: new Promise((done) => child.once("close", done)) };
}

async function main() {
  console.log(`seed ${options.seed}, ${options.seconds} seconds`);
  const folder = mkdtempSync(join(tmpdir(), "onehop-users-"));
  chmodSync(folder, 0o755);
  const path = join(folder, "bus");
  // Another one, to see what it does: dbus-daemon, or an older build.
  const program = process.env.ONEHOP_DAEMON?.split(" ") ?? [
    process.execPath,
    join(root, "dist/onehop-dbus-daemon.cjs"),
  ];
  const daemon = spawn(
    "prlimit",
    [
      "--nofile=2048",
      ...program,
      `--config-file=${configuration(folder)}`,
      "--nofork",
      "--print-address",
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const failures = [];
  let log = "";
  daemon.stderr.on("data", (chunk) => {
    log = (log + chunk).slice(-20_000);
  });
  let isOver = false;
  daemon.once("exit", (code, signal) => {
    if (!isOver) failures.push(`the daemon died: ${code ?? signal}\n${log}`);
  });
  await new Promise((done) => daemon.stdout.once("data", done));
  const lines = [];
  let heard = () => {};
  const good = runAs(NEIGHBOUR, "neighbours", [`--path=${path}`], (line) => {
    lines.push(line);
    heard();
  });
  const lineCount = (count) =>
    new Promise((done) => {
      heard = () => lines.length >= count && done();
      heard();
    });
  await Promise.race([lineCount(1), good.ended]);
  const base = usage(daemon.pid);
  const total = {};
  const shared = [`--path=${path}`, `--seconds=${options.seconds}`, `--only=${options.only}`];
  const bad = HOSTILE.map((uid, index) =>
    runAs(
      uid,
      "attackers",
      [...shared, `--seed=${Number(options.seed) + index}`, `--names=${lines[0]}`],
      (line) => {
        for (const [name, count] of Object.entries(JSON.parse(line)))
          total[name] = (total[name] ?? 0) + count;
      },
    ),
  );
  await Promise.all(bad.map(({ ended }) => ended));
  console.log(`attacks: ${JSON.stringify(total)}`);
  good.child.stdin.write("over\n");
  if (await Promise.race([good.ended.then(() => false), sleep(6 * GRACE_MS, true, { ref: false })]))
    good.child.kill();
  const result = lines[1] === undefined ? null : JSON.parse(lines[1]);
  failures.push(...(result?.failures ?? ["the neighbours have not come to an end"]));
  const isBack = ({ fds, mib }) => fds <= base.fds && mib <= base.mib + MEMORY_SLACK_MIB;
  for (let i = 0; i < 200 && !isBack(usage(daemon.pid)); i++) await sleep(50);
  const left = usage(daemon.pid);
  if (!isBack(left)) failures.push(`of ${JSON.stringify(base)} it came to ${JSON.stringify(left)}`);
  isOver = true;
  daemon.kill();
  rmSync(folder, { recursive: true });
  if (failures.length > 0) console.error(log.slice(-3000));
  for (const failure of new Set(failures)) console.error(`FAILED: ${failure}`);
  console.log(
    `before ${JSON.stringify(base)}, after ${JSON.stringify(left)}, ${JSON.stringify(result)}`,
  );
  process.exit(failures.length === 0 ? 0 : 1);
}

if (options.help) console.log(USAGE);
else if (options.part === "neighbours") await runNeighbours();
else if (options.part === "attackers") await runAttackers();
else if (process.getuid() === 0) await main();
else console.log("not run: it takes root to be several users\nattacks: {}");
