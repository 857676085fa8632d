/** Target: descriptors over real sockets: too many, too few, unasked, in pieces, and given up. */

import { readdirSync } from "node:fs";
import { type StartedBus, startBus } from "../../../bus/start-bus.ts";
import { type Addon, loadAddon } from "../../../native/binding.ts";
import { methodCall, signal } from "../../../wire/message.ts";
import { encodeMessage } from "../../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../../wire/protocol.ts";
import { linesOf, mutateLines } from "../mutate-lines.ts";
import type { Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { DescriptorPeer, type SentSignal } from "./descriptor-peer.ts";

const MAXIMUM_BYTES = 1500;
const PEERS = 4;
/** The bus's own limit, and the kernel's. */
const MOST_PER_MESSAGE = 16;
const MOST_PER_CALL = 253;
const MOST_BODY_BYTES = 1 << 20;
const RULE = "interface='fuzz.Descriptors'";
/** So many rounds without a byte, and everything has arrived. */
const QUIET_ROUNDS = 3;
const WORDS = [
  ..."join,plain,leave,pause,resume,match,send,raw,driver,all,nobody,0,1,2,3,16,17,253".split(","),
  ..."4294967295,65536,300000,late,6c040001,42".split(","),
];

/** `send PEER TO COUNT CLAIM BYTES CUT late`: a signal with COUNT descriptors that says it has CLAIM. */
function newLine(random: Random): string {
  const peer = random.below(PEERS);
  switch (random.below(14)) {
    case 0:
    case 1:
      return `join ${peer}${random.below(4) === 0 ? " plain" : ""}`;
    case 2:
      return `leave ${peer}`;
    case 3:
    case 4:
      return `match ${peer}`;
    case 5:
      return `${random.pick(["pause", "resume"])} ${peer}`;
    case 6:
      return `raw ${peer} ${random.pick([0, 1, 5])} ${random.pick(["6c0400010000", "42", "ff", "00"])}`;
    default: {
      const count = random.pick([0, 1, 2, 3, 16, random.below(20), 253]);
      const claim = random.below(5) > 0 ? count : random.pick([0, 1, 17, 4294967295]);
      const to = random.pick([random.below(PEERS), random.below(PEERS), "all", "driver", "nobody"]);
      const bytes = random.pick([
        0,
        0,
        0,
        50,
        50,
        3000,
        3000,
        70_000,
        random.pick([70_000, 300_000]),
      ]);
      const cut = random.pick([0, 0, 1, 16, 40, 200, 65536]);
      const late = random.below(5) === 0 ? " late" : "";
      const together = random.below(3) === 0 ? "+" : "";
      return `${together}send ${peer} ${to} ${count} ${claim} ${bytes} ${cut}${late}`;
    }
  }
}

export async function descriptorsTarget(): Promise<Target> {
  const addon = loadAddon();
  const started = await startBus({ listen: ["unix:tmpdir=/tmp"], addon: "required" });
  const path = /path=([^,]+)/.exec(started.address)?.[1] ?? "";
  const neighbours = new Program(addon, path, started);
  await neighbours.play(["join 0", "join 1"]);
  const base = openDescriptors();
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 2_000_000, perByte: 20_000 },
    mutate: (input, other, random) =>
      mutateLines(input, other, random, newLine, WORDS, MAXIMUM_BYTES),
    run: async (input) => {
      const program = new Program(addon, path, started);
      await program.play(linesOf(input));
      await program.end();
      const left = openDescriptors() - base;
      must(left === 0, `${left} descriptors are left open`);
      await neighbours.play(["send 0 1 2 2 100 30", "send 1 0 1 1 0 0"]);
      neighbours.mustBeEven();
    },
    close: async () => {
      await neighbours.end();
      await started.stop();
    },
  };
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

class Program {
  readonly #addon: Addon;
  readonly #path: string;
  readonly #started: StartedBus;
  readonly #peers: (DescriptorPeer | null)[] = new Array(PEERS).fill(null);
  readonly #everybody: DescriptorPeer[] = [];
  readonly #listeners: Set<DescriptorPeer> = new Set();
  readonly #signals: Map<string, SentSignal> = new Map();
  #number = 0;

  constructor(addon: Addon, path: string, started: StartedBus) {
    this.#addon = addon;
    this.#path = path;
    this.#started = started;
  }

  async play(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const [verb = "", peer = "", ...words] = line.replace(/^\+/, "").split(" ");
      // Between sockets nobody says what comes first: whether a rule is in place has to be certain.
      const isAlone = verb === "match";
      if (isAlone) await this.#quiet();
      this.#step(verb, Number(peer), words);
      if (isAlone || !line.startsWith("+")) await this.#quiet();
    }
  }

  /** Everybody reads, leaves, and leaves nothing behind. */
  async end(): Promise<void> {
    for (const peer of this.#everybody) peer.isReading = true;
    await this.#quiet();
    this.mustBeEven();
    for (const peer of this.#everybody) peer.leave();
    await this.#quiet();
  }

  mustBeEven(): void {
    for (const peer of this.#everybody) if (!peer.isRogue && !peer.isGone) peer.mustBeEven();
  }

  #step(verb: string, index: number, words: readonly string[]): void {
    const peer = this.#peers[index];
    if (peer === undefined) return;
    if (peer === null || peer.isGone) {
      if (verb === "join") this.#join(index, words[0] !== "plain");
      return;
    }
    if (verb === "leave") {
      this.#peers[index] = null;
      this.#listeners.delete(peer);
      peer.leave();
      this.#everybody.splice(this.#everybody.indexOf(peer), 1);
    } else if (verb === "pause" || verb === "resume") {
      peer.isReading = verb === "resume";
      if (!peer.isReading) peer.wasSlow = true;
    } else if (verb === "match" && !peer.isRogue) {
      peer.queue(call("AddMatch", "s", [RULE]), []);
      this.#listeners.add(peer);
    } else if (verb === "raw") {
      this.#corrupt(peer);
      const count = Math.min(MOST_PER_CALL, Number(words[0]) || 0);
      const bytes = Buffer.from((words[1] ?? "").replace(/[^0-9a-f]/g, ""), "hex");
      peer.queue(bytes, DescriptorPeer.filesOf(0, count));
    } else if (verb === "send" && peer.uniqueName !== "") this.#send(peer, words);
  }

  #join(index: number, passesDescriptors: boolean): void {
    const peer = new DescriptorPeer(this.#addon, this.#path, passesDescriptors, this.#signals);
    this.#peers[index] = peer;
    this.#everybody.push(peer);
    peer.queue(call("Hello", "", []), []);
  }

  #send(sender: DescriptorPeer, words: readonly string[]): void {
    const [to = "", ...numbers] = words;
    const [count = 0, claim = 0, bytes = 0, cut = 0] = numbers.map((word) => Number(word) || 0);
    const isLate = words.includes("late");
    const number = this.#number++;
    const files = DescriptorPeer.filesOf(number, Math.max(0, Math.min(MOST_PER_CALL, count)));
    const tag = `${sender.uniqueName}/${number}`;
    const receiver = this.#peers[Number(to)] ?? null;
    const others: Readonly<Record<string, string | null>> = {
      all: null,
      driver: DRIVER_NAME,
      nobody: ":1.999999",
    };
    const destination = to in others ? others[to] : (receiver?.uniqueName ?? "");
    if (destination === undefined || destination === "") return;
    const body = [tag, "x".repeat(Math.max(0, Math.min(MOST_BODY_BYTES, bytes)))];
    const place = { path: "/", interface: "fuzz.Descriptors", member: "M", destination };
    const message = signal({ ...place, signature: "ss", body, unixFds: claim >>> 0 });
    const encoded = encodeMessage(message, number + 10, number % 2 === 0);
    // Descriptors that come behind their message's first bytes, or are not as many as it says, are an offence
    // or are taken for those of a later message.
    const isRight =
      claim === files.length &&
      (claim === 0 || (sender.passesDescriptors && claim <= MOST_PER_MESSAGE)) &&
      !(isLate && cut > 0);
    if (!isRight) this.#corrupt(sender);
    this.#signals.set(tag, { sender, inodes: files.map((file) => sender.inodes[file] ?? 0) });
    if (isRight && !sender.isRogue) this.#expect(tag, sender, receiver, destination, claim);
    const first = encoded.subarray(0, cut);
    sender.queue(first, isLate || first.length === 0 ? [] : files);
    sender.queue(encoded.subarray(first.length), isLate || first.length === 0 ? files : []);
  }

  /** From now on nothing can be said of what it sends, but whose it is. */
  #corrupt(sender: DescriptorPeer): void {
    sender.isRogue = true;
    for (const peer of this.#everybody) {
      for (const tag of peer.expected) {
        if (this.#signals.get(tag)?.sender === sender) peer.expected.delete(tag);
      }
    }
  }

  #expect(
    tag: string,
    sender: DescriptorPeer,
    receiver: DescriptorPeer | null,
    to: string | null,
    claim: number,
  ): void {
    const receivers = to === null ? [...this.#listeners] : receiver === null ? [] : [receiver];
    for (const one of receivers) {
      if (claim > 0 && !one.passesDescriptors) continue;
      // A peer that does not read may be refused some, and may be disconnected before it sends.
      if (one.isReading && !one.isRogue && !sender.wasSlow) one.expected.add(tag);
      else one.possible.add(tag);
    }
  }

  /** Until nothing moves any more, in this process and in its sockets. */
  async #quiet(): Promise<void> {
    const { counters } = this.#started.bus;
    let before = -1;
    for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const moved = this.#everybody.map((peer) => peer.pump()).includes(true);
      quiet = moved || counters.accepted !== before ? 0 : quiet + 1;
      before = counters.accepted;
    }
  }
}

let serial = 0;

function call(member: string, signature: string, body: readonly unknown[]): Uint8Array {
  const place = { path: DRIVER_PATH, interface: DRIVER_NAME, destination: DRIVER_NAME };
  serial = (serial + 1) % 0x7fffffff;
  return encodeMessage(methodCall({ ...place, member, signature, body }), serial + 1);
}
