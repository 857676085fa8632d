/** What is explained is what happens: a peer of a bus gets a message if and only if one of its rules is explained to match. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createBus } from "../../bus/bus.ts";
import { Explainer } from "../../matchrules/explainer.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { Message } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, MessageFlag, MessageType } from "../../wire/protocol.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const PEERS = 3;
const names = ["org.example.A", "org.example.B"];
const peerIndex = fc.integer({ min: 0, max: PEERS - 1 });

/** `:N` stands for the unique name of peer N, until there are peers. */
const uniqueName = peerIndex.map((index) => `:${index}`);
const anyName = fc.oneof(fc.constantFrom(...names), uniqueName);

/** Keys that messages of this test may meet; three of them make few rules that never match. */
const key = fc.oneof(
  fc.constantFrom("type='signal'", "type='method_call'", "interface='a.b'", "member='M'"),
  fc.constantFrom("path='/a'", "path_namespace='/a'", "path_namespace='/'", "arg0='text'"),
  fc.constantFrom("arg0path='/a/'", "arg1path='/a'", "arg0namespace='org.example'", "arg1='text'"),
  anyName.map((name) => `sender='${name}'`),
  fc.constant(`sender='${DRIVER_NAME}'`),
  anyName.map((name) => `destination='${name}'`),
  fc.constantFrom("eavesdrop='true'", "eavesdrop='true'", "eavesdrop='false'"),
);
const rule = fc
  .uniqueArray(key, { maxLength: 3, selector: (text) => /^(path|arg\d|[a-z]+)/.exec(text)?.[0] })
  .map((keys) => keys.join(","));

const text = fc.constantFrom("text", "/a", "/a/b", "org.example.A", "org.exampled", "");
const body = fc.oneof(
  fc.array(text, { maxLength: 2 }).map((texts) => ({ signature: "s".repeat(texts.length), texts })),
  text.map((only) => ({ signature: "us", texts: [7, only] })),
  fc.constantFrom("/a", "/a/b").map((path) => ({ signature: "o", texts: [path] })),
);

type Step =
  | { readonly does: "subscribe"; readonly peer: number; readonly rules: readonly string[] }
  | { readonly does: "own" | "disown"; readonly peer: number; readonly name: string }
  | { readonly does: "send"; readonly peer: number; readonly message: Message };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant("subscribe" as const),
      peer: peerIndex,
      rules: fc.array(rule, { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constantFrom("own" as const, "own" as const, "disown" as const),
      peer: peerIndex,
      name: fc.constantFrom(...names),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      does: fc.constant("send" as const),
      peer: peerIndex,
      message: fc
        .record({
          type: fc.constantFrom(MessageType.Signal, MessageType.Signal, MessageType.MethodCall),
          path: fc.constantFrom("/a", "/a/b", "/ab"),
          interface: fc.constantFrom("a.b", "a.c"),
          member: fc.constantFrom("M", "N"),
          destination: fc.oneof(fc.constant(null), anyName),
          body,
        })
        .map(({ body: { signature, texts }, ...header }) => {
          const flags = MessageFlag.NoReplyExpected;
          return new Message({ ...header, flags, signature }, texts);
        }),
    }),
  },
);

/** The bus, its peers, and what they have asked for. */
class Scene {
  readonly peers: readonly MemoryPeer[];
  readonly rules: readonly Explainer[][];
  /** Owners and those who wait, as requested. */
  readonly queues: Map<string, number[]> = new Map();
  copies = 0;
  pairs = 0;

  private constructor(peers: readonly MemoryPeer[]) {
    this.peers = peers;
    this.rules = peers.map(() => []);
  }

  static async open(): Promise<Scene> {
    const bus = createBus();
    const peers: MemoryPeer[] = [];
    for (let i = 0; i < PEERS; i++) peers.push(await MemoryPeer.join(bus));
    for (const peer of peers) await peer.drain();
    return new Scene(peers);
  }

  async take(one: Step): Promise<void> {
    switch (one.does) {
      case "subscribe":
        await Promise.all(one.rules.map((text) => this.#subscribe(one.peer, text)));
        return;
      case "own":
      case "disown":
        return this.#changeOwner(one.peer, one.name, one.does === "own");
      case "send":
        return this.#send(one.peer, one.message);
    }
  }

  async #subscribe(index: number, text: string): Promise<void> {
    const spelled = text.replaceAll(/':(\d)'/g, (_, i) => `'${this.#unique(Number(i))}'`);
    const parsed = parseMatchRule(spelled);
    if ("code" in parsed) throw new Error(`${spelled}: ${parsed.text}`);
    this.rules[index]?.push(new Explainer(parsed));
    const reply = await this.#peer(index).driver("AddMatch", "s", [spelled]);
    expect(reply.type).toBe(MessageType.MethodReturn);
  }

  /** Also a message of the bus itself: NameOwnerChanged. */
  async #changeOwner(index: number, name: string, isRequest: boolean): Promise<void> {
    const queue = this.queues.get(name) ?? [];
    const [before] = queue;
    if (isRequest) await this.#peer(index).driver("RequestName", "su", [name, 0]);
    else await this.#peer(index).driver("ReleaseName", "s", [name]);
    const rest = queue.filter((owner) => isRequest || owner !== index);
    if (isRequest && !rest.includes(index)) rest.push(index);
    this.queues.set(name, rest);
    if (rest[0] === before) return this.#expect(null, null);
    const owner = (one: number | undefined): string => (one === undefined ? "" : this.#unique(one));
    const header = {
      ...{ type: MessageType.Signal, path: "/org/freedesktop/DBus", interface: DRIVER_NAME },
      ...{ member: "NameOwnerChanged", sender: DRIVER_NAME, signature: "sss" },
    };
    return this.#expect(new Message(header, [name, owner(before), owner(rest[0])]), null);
  }

  async #send(index: number, message: Message): Promise<void> {
    const destination = message.destination?.replace(/^:(\d)$/, (_, i) => this.#unique(Number(i)));
    const sent = new Message({ ...message, destination: destination ?? null }, message.body);
    this.#peer(index).send(sent);
    await this.#peer(index).driver("GetId");
    const receiver =
      this.queues.get(destination ?? "")?.[0] ??
      this.peers.findIndex(({ uniqueName }) => uniqueName === destination);
    const isDelivered =
      destination === undefined ? message.type === MessageType.Signal : receiver >= 0;
    const sender = this.#unique(index);
    const expected = isDelivered ? new Message({ ...sent, sender }, message.body) : null;
    return this.#expect(expected, receiver >= 0 ? receiver : null);
  }

  /** `receiver` gets the message without a rule. What is between a peer and the bus is not looked at. */
  async #expect(message: Message | null, receiver: number | null): Promise<void> {
    const bytes = message === null ? null : encodeMessage(message, 1);
    const sender = this.peers.findIndex(({ uniqueName }) => uniqueName === message?.sender);
    const circumstances = {
      senderNames: this.#namesOf(sender),
      destinationNames:
        receiver === null ? [] : [this.#unique(receiver), ...this.#namesOf(receiver)],
    };
    for (const [index, peer] of this.peers.entries()) {
      const came = (await peer.drain())
        .filter(({ destination }) => destination !== DRIVER_NAME)
        .filter((one) => one.sender !== DRIVER_NAME || one.member === "NameOwnerChanged");
      const explanations =
        bytes === null
          ? []
          : (this.rules[index] ?? []).map((explainer) => explainer.explain(bytes, circumstances));
      this.pairs += explanations.length;
      const isExplained = explanations.some(({ isMatch }) => isMatch);
      const isExpected = message !== null && (isExplained || index === receiver);
      if (isExplained) this.copies++;
      expect(came.map(summary)).toEqual(isExpected ? [summary(message)] : []);
    }
  }

  #peer(index: number): MemoryPeer {
    const peer = this.peers[index];
    if (peer === undefined) throw new Error(`there is no peer ${index}`);
    return peer;
  }

  #unique(index: number): string {
    return this.#peer(index).uniqueName;
  }

  #namesOf(index: number): string[] {
    return names.filter((name) => this.queues.get(name)?.[0] === index);
  }
}

function summary(message: Message): object {
  const { type, sender, destination, path, interface: name, member, body: args } = message;
  return { type, sender, destination, path, interface: name, member, args };
}

test("a peer gets a message if and only if a rule of its is explained to match, or it is the destination", async () => {
  let [pairs, copies] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 80, size: "max" }),
      async (steps) => {
        const scene = await Scene.open();
        for (const one of steps) await scene.take(one);
        pairs += scene.pairs;
        copies += scene.copies;
      },
    ),
    { numRuns: 10, interruptAfterTimeLimit: 20_000 },
  );
  expect(pairs).toBeGreaterThan(3_000);
  expect(copies).toBeGreaterThan(60);
}, 60_000);
