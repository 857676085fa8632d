/** Target: a whole bus in this process, honest peers, and rogues that write whatever they like. */

import { type Bus, createBus } from "../../../bus/bus.ts";
import { type DescribedMessage, EMPTY_MESSAGE, matches } from "../../../matchrules/match.ts";
import { parseMatchRule } from "../../../matchrules/parse.ts";
import { methodCall, signal } from "../../../wire/message.ts";
import { isBusName, isInterfaceName, isMemberName } from "../../../wire/names.ts";
import { isObjectPath } from "../../../wire/object-path.ts";
import { LOCAL_INTERFACE, LOCAL_PATH, MessageFlag } from "../../../wire/protocol.ts";
import { linesOf, mutateLines } from "../mutate-lines.ts";
import { must, type Target } from "../target.ts";
import { BusPeer, type Witness } from "./bus-peer.ts";
import { BUS_WORDS, newBusLine } from "./bus-words.ts";
import { heldStrings } from "./held-strings.ts";
import { WELL_KNOWN_NAMES } from "./rule-words.ts";

const MAXIMUM_BYTES = 5000;
const PEERS = 6;
const LIMITS = {
  maxMatchRulesPerConnection: 12,
  maxRepliesPerConnection: 6,
  maxNamesPerConnection: 3,
};

export function busTarget(): Target {
  const bus = createBus({ limits: LIMITS });
  const base = heldStrings(bus.strings);
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 400_000, perByte: 6000 },
    mutate: (input, other, random) =>
      mutateLines(input, other, random, newBusLine, BUS_WORDS, MAXIMUM_BYTES),
    run: (input) => new Program(bus).run(linesOf(input)),
    settle: () => {
      const left = heldStrings(bus.strings) - base;
      must(left === 0, `${left} strings more are held though nobody is there`);
    },
    close: () => bus.close(),
  };
}

interface SentSignal {
  /** `SENDER NUMBER` */
  readonly key: string;
  readonly message: DescribedMessage;
}

/** A line begins with a verb and a peer; with `+` in front, the next line is of the same turn. */
class Program {
  readonly #bus: Bus;
  readonly #witness: Witness = { sent: new Set(), honestNames: new Set() };
  readonly #peers: (BusPeer | null)[] = new Array(PEERS).fill(null);
  readonly #everybody: BusPeer[] = [];
  #signalCount = 0;
  /** Have peers come or gone, or names, in this turn? */
  #isUnsettled = false;
  #signalsOfTurn: SentSignal[] = [];

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  async run(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const isOfSameTurn = line.startsWith("+");
      const [verb = "", peer = "", ...words] = textOf(line).split(" ");
      this.#step(verb, Number(peer), words);
      if (isOfSameTurn) continue;
      this.#expectSignals();
      await turn();
    }
    this.#expectSignals();
    await this.#end();
  }

  #step(verb: string, index: number, words: readonly string[]): void {
    const peer = this.#peers[index];
    if (peer === undefined) return;
    if (peer === null || peer.isGone) {
      if (verb === "join" || verb === "lurk") this.#enter(index, verb === "lurk");
      return;
    }
    if (verb === "raw") {
      this.#isUnsettled = true;
      this.#corrupt(peer);
      peer.write(Buffer.from(words.join("").replace(/[^0-9a-f]/g, ""), "hex"));
    } else if (verb === "leave") this.#leave(index, peer);
    else if (verb === "split") peer.chunkBytes = Math.max(1, Number(words[0]) || 1);
    else if (verb === "pause" || verb === "resume") peer.setReading(verb === "resume");
    else if (verb === "mute") peer.isMuted = true;
    else if (!peer.isRogue && peer.uniqueName !== "") this.#say(peer, verb, words);
  }

  #enter(index: number, isRogue: boolean): void {
    const peer = new BusPeer(this.#bus, this.#witness);
    this.#peers[index] = peer;
    this.#everybody.push(peer);
    this.#isUnsettled = true;
    peer.isRogue = isRogue;
    if (!isRogue) peer.join();
  }

  /** From now on nobody knows what it will get, nor can tell what it sent. */
  #corrupt(peer: BusPeer): void {
    peer.isRogue = true;
    this.#witness.honestNames.delete(peer.uniqueName);
    for (const one of this.#everybody) one.forgetSignalsOf(peer.uniqueName);
  }

  #leave(index: number, peer: BusPeer): void {
    this.#isUnsettled = true;
    this.#peers[index] = null;
    peer.leave();
  }

  /** What honest peers do. */
  #say(peer: BusPeer, verb: string, words: readonly string[]): void {
    const [first = "", second = ""] = words;
    switch (verb) {
      case "own":
        this.#isUnsettled = true;
        peer.driver("RequestName", "su", [first, Number(second) & 7], () => {});
        break;
      case "release":
        this.#isUnsettled = true;
        peer.driver("ReleaseName", "s", [first], () => {});
        break;
      case "match":
      case "unmatch": {
        const text = words.join(" ");
        const rule = parseMatchRule(text);
        if ("code" in rule) break;
        if (verb === "match") peer.addRule(rule, text);
        else peer.removeRule(rule, text);
        break;
      }
      case "call":
        this.#call(peer, first, second);
        break;
      case "signal":
        this.#signal(peer, words);
        break;
    }
  }

  #call(peer: BusPeer, to: string, how: string): void {
    const destination = this.#peers[Number(to)]?.uniqueName || to;
    if (!isBusName(destination)) return;
    const flags = how === "noreply" ? MessageFlag.NoReplyExpected : 0;
    const call = { path: "/a", interface: "i.a", member: "M", destination, flags };
    const serial = peer.send(methodCall(call));
    if (flags === 0) peer.waiting.set(serial, () => {});
  }

  #signal(peer: BusPeer, [path = "", named = "", member = "", text = ""]: readonly string[]): void {
    if (!isObjectPath(path) || !isInterfaceName(named) || !isMemberName(member)) return;
    // These are the library's own, and end the connection.
    if (path === LOCAL_PATH || named === LOCAL_INTERFACE) return;
    const number = this.#signalCount++;
    const body = [text, number];
    const message: DescribedMessage = {
      ...EMPTY_MESSAGE,
      sender: peer.uniqueName,
      senderNames: WELL_KNOWN_NAMES.filter(
        (name) => this.#bus.directory.findText(name)?.uniqueName === peer.uniqueName,
      ),
      path,
      interface: named,
      member,
      args: [{ kind: "string", value: text }, { kind: "other" }],
    };
    this.#signalsOfTurn.push({ key: `${peer.uniqueName} ${number}`, message });
    peer.send(signal({ path, interface: named, member, signature: "su", body }));
  }

  /**
   * Before anything of a turn reaches the bus: who has to hear the signals of it. What peers send in one turn
   * comes peer by peer, so a rule asked for or given up in it may count for signals said before, or not.
   */
  #expectSignals(): void {
    for (const { key, message } of this.#signalsOfTurn) {
      for (const one of this.#peers) {
        if (one === null || one.isRogue || one.isGone) continue;
        if (this.#isUnsettled || one.unansweredRules > 0) one.possible.add(key);
        else if (one.rules.some((rule) => matches(rule, message))) one.expected.add(key);
      }
    }
    this.#signalsOfTurn = [];
    this.#isUnsettled = false;
  }

  /** Who owes answers leaves, then everybody has to have got all that is theirs; then nothing is left. */
  async #end(): Promise<void> {
    for (const peer of this.#everybody) peer.setReading(true);
    await turn();
    for (const peer of this.#everybody) if (peer.isRogue || peer.isMuted) peer.leave();
    await turn();
    for (const peer of this.#everybody) {
      if (peer.isRogue || peer.isGone) continue;
      const { uniqueName, waiting, expected } = peer;
      must(waiting.size === 0, `${uniqueName} got no reply to ${[...waiting.keys()]}`);
      must(expected.size === 0, `${uniqueName} did not hear ${[...expected]}`);
      peer.leave();
    }
    await turn();
    // An index is given out again two turns later.
    await turn();
    const { directory, subscriptions, router, names, connectionCount } = this.#bus;
    const left = {
      connectionCount,
      endpoints: [...directory.endpoints()].length,
      rules: subscriptions.ruleCount,
      replies: router.replies.size,
      names: names.claimCount,
      pending: [...router.pending.entries()].length,
      monitorRules: router.monitors.ruleCount,
    };
    must(
      Object.values(left).every((count) => count === 0),
      `${JSON.stringify(left)} are left`,
    );
  }
}

/** Without the sign in front, and without what no string may have in it. */
function textOf(line: string): string {
  return Buffer.from(line.replace(/^\+/, ""), "latin1").toString("utf8").replaceAll("\0", "");
}

/** All microtasks, and what they bring about. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
