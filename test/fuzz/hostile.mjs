/** Hostile peers against a daemon, while neighbours check that they get all that is theirs and nothing else. */

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { attacks } from "./attacks.mjs";
import { generator } from "./random.ts";
import { cut, fieldsOf, message, text } from "./raw-message.mjs";

const USAGE =
  "node --import ./test/fuzz/loader.mjs test/fuzz/hostile.mjs [--seconds 60] [--seed N] [--attackers 12] [--only name,name]";
/** A neighbour that hears nothing for so long is lost, not slow. */
const LOST_MS = 30_000;
/** An attack that takes longer is cut short. */
const ATTACK_MS = 5000;
/** What may stay of the memory that the attacks took: garbage not collected yet, spare buffers … */
const MEMORY_SLACK_MIB = 256;
/** … and what malloc keeps of the fullest queues: an attacker has one of max_outgoing_bytes at a time. */
const QUEUE_MIB = 64;
const BUS = "org.freedesktop.DBus";

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

/** A client of the bus that does its handshake well; what it does afterwards is up to others. */
class Peer {
  /** All that are connected, for the end: an attack that is cut short leaves some behind. */
  static connected = new Set();
  isOpen = true;
  name = "";
  onMessage = () => {};
  #serial = 0;
  #waiting = new Map();
  #input = Buffer.alloc(0);

  static async open(withHello = true) {
    const peer = new Peer();
    await peer.#open();
    if (withHello) peer.name = text((await peer.call("Hello")).body);
    return peer;
  }

  async #open() {
    this.socket = connectSocket(path);
    Peer.connected.add(this);
    this.closed = new Promise((done) => this.socket.once("close", done));
    this.socket.on("error", () => {});
    this.socket.once("close", () => {
      this.isOpen = false;
      Peer.connected.delete(this);
      for (const { reject } of this.#waiting.values()) reject(new Error("disconnected"));
      this.#waiting.clear();
    });
    const identity = Buffer.from(String(process.getuid())).toString("hex");
    this.socket.write(`\0AUTH EXTERNAL ${identity}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`);
    let lines = 2;
    let greeting = Buffer.alloc(0);
    await Promise.race([
      this.closed,
      new Promise((done) => {
        const read = (chunk) => {
          greeting = Buffer.concat([greeting, chunk]);
          while (lines > 0 && greeting.includes("\r\n")) {
            greeting = greeting.subarray(greeting.indexOf("\r\n") + 2);
            lines--;
          }
          if (lines > 0) return;
          this.socket.off("data", read);
          this.socket.on("data", (bytes) => this.#read(bytes));
          done();
        };
        this.socket.on("data", read);
      }),
    ]);
  }

  /** Sends a message made of raw-message.mjs's parts; returns its serial. */
  send(parts) {
    const serial = parts.serial ?? ++this.#serial;
    this.write(message({ ...parts, serial }));
    return serial;
  }

  write(bytes) {
    if (this.isOpen) this.socket.write(bytes);
  }

  call(member, signature = "", body = Buffer.alloc(0), destination = BUS, rest = {}) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new Error("disconnected"));
      const parts = {
        type: 1,
        path: "/",
        interface: BUS,
        member,
        destination,
        signature,
        body,
        ...rest,
      };
      this.#waiting.set(this.send(parts), { resolve, reject, destination });
    });
  }

  #read(bytes) {
    this.#input = this.#input.length > 0 ? Buffer.concat([this.#input, bytes]) : bytes;
    this.#input = cut(this.#input, (each) => {
      const fields = fieldsOf(each);
      const waiting =
        fields.type === 2 || fields.type === 3 ? this.#waiting.get(fields.replySerial) : undefined;
      if (waiting !== undefined) {
        this.#waiting.delete(fields.replySerial);
        waiting.resolve(fields);
      } else this.onMessage(fields);
    });
  }
}

function fail(reason) {
  failures.push(reason);
  console.error(`FAILED: ${reason}`);
}

const check = (isRight, reason) => {
  if (!isRight) fail(reason);
};

/** A service that echoes, its client, a herald of numbered signals and its listener. */
async function neighbours(index, state) {
  const [service, client, herald, listener] = [
    await Peer.open(),
    await Peer.open(),
    await Peer.open(),
    await Peer.open(),
  ];
  const all = { service, client, herald, listener };
  for (const [role, peer] of Object.entries(all)) {
    peer.closed.then(() =>
      check(state.isOver, `neighbour ${role} ${index} (${peer.name}) was disconnected`),
    );
    state.names.push(peer.name);
  }
  const name = `org.example.Neighbour${index}`;
  state.names.push(name);
  await service.call("RequestName", "su", Buffer.concat([string(name, 4), Buffer.alloc(4)]));
  service.onMessage = (call) => {
    if (call.type !== 1 || call.interface !== "org.example.Echo") return;
    const { sender: destination, serial: replySerial, signature, body } = call;
    service.send({ type: 2, destination, replySerial, signature, body });
  };
  for (const peer of [client, herald]) {
    peer.onMessage = (got) =>
      check(
        got.type === 4 || got.type === 1,
        `${peer.name} got a reply that it did not ask for, from ${got.sender}`,
      );
  }
  let heard = 0;
  listener.onMessage = (got) => {
    if (got.interface === "org.example.Tick") {
      if (got.sender !== herald.name) return;
      check(
        text(got.body) === String(heard),
        `signal ${text(got.body)} came where ${heard} should`,
      );
      heard = Number(text(got.body)) + 1;
      state.count++;
    } else if (got.interface === "org.example.Truth") {
      check(text(got.body) === got.sender, `${text(got.body)} spoke as ${got.sender}`);
      state.truths++;
    }
  };
  await listener.call("AddMatch", "s", string("type='signal',interface='org.example.Tick'"));
  await listener.call("AddMatch", "s", string("type='signal',interface='org.example.Truth'"));
  const own = generator(index);
  let said = 0;
  while (!state.isOver) {
    const body = string(`${index}/${said}/${"x".repeat(own.pick([0, 10, 2000, 70_000]))}`);
    herald.send({
      type: 4,
      path: "/",
      interface: "org.example.Tick",
      member: "T",
      signature: "s",
      body: string(String(said++)),
    });
    const destination = own.below(2) === 0 ? name : service.name;
    const asked = performance.now();
    const answer = await Promise.race([
      client
        .call("Echo", "s", body, destination, { interface: "org.example.Echo" })
        .catch(() => null),
      sleep(LOST_MS, "lost", { ref: false }),
    ]);
    state.worstMs = Math.max(state.worstMs, performance.now() - asked);
    if (state.isOver && answer !== "lost") break;
    if (answer === "lost" || answer === null) return fail(`neighbour ${index} got no answer`);
    check(
      answer.type === 2,
      `neighbour ${index} got an error: ${answer.errorName} ${text(answer.body)}`,
    );
    check(
      answer.sender === service.name,
      `an answer of ${service.name} came from ${answer.sender}`,
    );
    check(answer.body.equals(body), `neighbour ${index} got another answer than it sent`);
    state.count++;
    await sleep(own.below(8));
  }
  for (let i = 0; i < 200 && heard < said; i++) await sleep(50);
  check(heard === said, `listener ${index} heard ${heard} of ${said} signals`);
  for (const peer of Object.values(all)) peer.socket.destroy();
}

function string(value, padTo = 1) {
  const bytes = Buffer.from(value);
  const whole = Buffer.alloc(Math.ceil((bytes.length + 5) / padTo) * padTo);
  whole.writeUInt32LE(bytes.length);
  bytes.copy(whole, 4);
  return whole;
}

function usage(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    mib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) >> 10,
  };
}

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
  const state = { isOver: false, names: [], count: 0, truths: 0, worstMs: 0 };
  let isAlive = true;
  daemon.once("exit", (code, signal) => {
    isAlive = false;
    check(state.isOver, `the daemon died: ${code ?? signal}\n${log}`);
    state.isOver = true;
  });
  await new Promise((done) => daemon.stdout.once("data", done));
  const base = await settledUsage(daemon.pid);
  const watched = [0, 1, 2].map((index) => neighbours(index, state));
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
