/** The bus puts everything into one order, and nobody sees another. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createBus } from "../../bus/bus.ts";
import { type Message, methodCall, signal } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const PEERS = 5;
const tick = { path: "/", interface: "org.example.Clock", member: "Tick" };

type Step = readonly [kind: "signal" | "call" | "name" | "read" | "turn", peer: number, to: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("signal", "signal", "signal", "call", "name", "read", "turn"),
  fc.nat(PEERS - 1),
  fc.nat(PEERS - 1),
);

/** What identifies a broadcast, for whoever saw it. */
function identity({ sender, member, serial, body }: Message): string {
  return [sender, member, serial, ...body].join(" ");
}

test("all receivers see broadcasts and the driver's signals in the same order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const bus = createBus();
      const peers: MemoryPeer[] = [];
      for (let n = 0; n < PEERS; n++) peers.push(await MemoryPeer.join(bus));
      for (const peer of peers) await peer.driver("AddMatch", "s", ["type='signal'"]);
      const isReading = peers.map(() => true);
      for (const [kind, number, to] of steps) {
        const peer = peers[number] as MemoryPeer; // numbers are below PEERS
        const destination = (peers[to] as MemoryPeer).uniqueName; // as above
        if (kind === "signal") peer.send(signal({ ...tick, signature: "u", body: [to] }));
        else if (kind === "call")
          peer.send(methodCall({ path: "/", member: "M", destination, flags: 1 }));
        else if (kind === "name") void peer.driver("RequestName", "su", ["a.a", 3]);
        else if (kind === "turn") await turn();
        else {
          isReading[number] = !isReading[number];
          peer.end.setReading(isReading[number] ?? true);
        }
      }
      await turn();
      const numbered = new Map<string, number>();
      for (const { stream } of bus.snapshot().peers) {
        const sequences = stream.output.map(({ sequence }) => sequence);
        expect(sequences).toEqual([...sequences].sort((one, other) => one - other));
        expect(new Set(sequences).size).toBe(sequences.length);
        for (const { bytes, sequence } of stream.output) {
          const key = Buffer.from(bytes).toString("latin1");
          expect(numbered.get(key) ?? sequence).toBe(sequence);
          numbered.set(key, sequence);
        }
      }
      for (const peer of peers) peer.end.setReading(true);
      await turn();
      const seen = peers.map(({ received }) =>
        received.filter(({ destination }) => destination === null).map(identity),
      );
      for (const order of seen) expect(order).toEqual(seen[0]);
    }),
    { numRuns: 40 },
  );
});

test("a call and the broadcasts around it reach their receiver in the order of sending", async () => {
  const bus = createBus();
  const sender = await MemoryPeer.join(bus);
  const receiver = await MemoryPeer.join(bus);
  await receiver.driver("AddMatch", "s", ["type='signal'"]);
  for (let n = 0; n < 50; n++) {
    const body = { signature: "u", body: [n] };
    if (n % 3 === 0) sender.send(signal({ ...tick, ...body }), n % 2 === 0);
    else {
      sender.send(
        methodCall({ path: "/", member: "M", destination: receiver.uniqueName, ...body }),
      );
    }
  }
  await sender.drain();
  const received = await receiver.drain();
  expect(received.map(({ body }) => body[0])).toEqual(received.map((_, n) => n));
  expect(received).toHaveLength(50);
});

test("sequence numbers only ever grow, over messages and signals of the driver", async () => {
  const bus = createBus();
  const numbers: number[] = [bus.router.sequence.last];
  for (let n = 0; n < 5; n++) {
    const peer = await MemoryPeer.join(bus);
    numbers.push(bus.router.sequence.last);
    await peer.driver("RequestName", "su", ["a.a", 3]);
    numbers.push(bus.router.sequence.last);
    peer.end.close();
    await turn();
  }
  expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
});
