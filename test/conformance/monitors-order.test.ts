/** The order in which monitors see messages, monitors that do not read, and descriptors. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, type Scene, useBus } from "./support/conformance.ts";
import { heard, methodCall, signal } from "./support/messages.ts";
import { monitor, seen, shown, watch } from "./support/watch.ts";
import { type Message, Type, type Value } from "./support/wire.ts";

useBus();

const MONITOR = "org.freedesktop.DBus.Monitoring.BecomeMonitor";

const handles = (count: number): { signature: string; arguments: Value[]; unixFds: number } => ({
  signature: "ah",
  arguments: [Array.from({ length: count }, (_, index) => index)],
  unixFds: count,
});

/** What makes one message of a bus another than the others; dbus-broker gives all of its own the same serial. */
function identity(message: Message): string {
  const { type, sender, destination, member, serial, replySerial } = message;
  const values = JSON.stringify(message.arguments);
  return `${type} ${sender} ${destination} ${member} ${serial} ${replySerial} ${values}`;
}

/** Five clients talk to one another at once; returns them and what each received. */
async function talk(scene: Scene): Promise<readonly (readonly [Client, readonly Message[]])[]> {
  const people: Client[] = [];
  for (let count = 0; count < 5; count++) {
    const client = await scene.client();
    await client.addMatch("type='signal',member='S'");
    people.push(client);
  }
  for (const client of people) await client.drain();
  for (let round = 0; round < 20; round++) {
    people.forEach((client, index) => {
      const next = people[(index + round) % people.length] ?? client;
      client.send(signal({ signature: "u", arguments: [round] }));
      client.send(methodCall(next.uniqueName, { signature: "u", arguments: [round] }));
      client.sendCall("RequestName", {
        signature: "su",
        arguments: [`org.example.Round${round}`, 0],
      });
    });
  }
  // Everything sent so far is dealt with before anybody's second call after this is answered.
  const early: Message[][] = [];
  for (const client of people) early.push(await client.drain());
  const late: Message[][] = [];
  for (const client of people) late.push(await client.drain());
  return people.map((client, index) => [client, [...(early[index] ?? []), ...(late[index] ?? [])]]);
}

conformance(
  "A monitor sees messages in an order that agrees with every receiver's",
  { spec: MONITOR },
  async (scene) => {
    const silent = await monitor(scene);
    const talks = await talk(scene);
    const order = (await shown(silent, await scene.client())).map(identity);
    for (const [client, received] of talks) {
      const mine = new Set(received.map(identity));
      expect(received.length).toBeGreaterThan(100);
      // A broadcast counts for who received it; what others were sent does not.
      expect(order.filter((each) => mine.has(each))).toEqual(received.map(identity));
      expect(client.isClosed).toBe(false);
    }
  },
);

conformance("Two monitors see everything in the same order", { spec: MONITOR }, async (scene) => {
  const first = await monitor(scene);
  const second = await monitor(scene);
  const one = await scene.client();
  await shown(first, one);
  await shown(second, one);
  await talk(scene);
  const order = (await shown(first, one)).map(identity);
  const other = (await shown(second, one)).map(identity);
  expect(other).toEqual(order);
  expect(order.length).toBeGreaterThan(400);
});

conformance(
  "A monitor that does not read holds nobody up, and others see everything",
  { spec: MONITOR },
  async (scene) => {
    const deaf = await scene.client();
    await watch(deaf);
    const silent = await monitor(scene, ["member='Large'"]);
    const [a, b] = [await scene.client(), await scene.client()];
    deaf.stopReading();
    const body = { signature: "s", arguments: ["x".repeat(1 << 20)] };
    for (let count = 0; count < 8; count++) {
      a.send(methodCall(b.uniqueName, { member: "Large", ...body }));
      expect((await b.next()).body.length).toBe((1 << 20) + 5);
    }
    expect(await seen(silent, a, {})).toHaveLength(8);
  },
);

// Descriptors

conformance(
  "A monitor gets the descriptors of what it sees, and so does the receiver",
  { spec: "Unix File Descriptors" },
  async (scene) => {
    const [sender, receiver] = [
      await scene.peer({ negotiateFds: true }),
      await scene.peer({ negotiateFds: true }),
    ];
    const silent = await watch(await scene.peer({ negotiateFds: true }), ["member='M'"]);
    sender.send(methodCall(receiver.uniqueName, handles(2)), ["first", "second"]);
    const seenThere = (await silent.next()).files;
    const received = (await receiver.next()).files;
    expect(received.map(({ content }) => content)).toEqual(["first", "second"]);
    expect(seenThere.map(({ identity: file }) => file)).toEqual(
      received.map(({ identity: file }) => file),
    );
  },
);

conformance(
  "A monitor sees the descriptors of a call that reaches nobody, and the error",
  { spec: "dbus-daemon" },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const silent = await watch(await scene.peer({ negotiateFds: true }), [
      "member='M'",
      "type='error'",
    ]);
    await sender.replyTo(sender.send(methodCall("org.example.Missing", handles(1)), ["lost"]));
    const call = await silent.next();
    expect([call.type, call.files.map(({ content }) => content)]).toEqual([Type.Call, ["lost"]]);
    expect((await silent.next()).errorName).toBe("org.freedesktop.DBus.Error.ServiceUnknown");
  },
);

conformance(
  "A monitor sees a call with descriptors for a peer that cannot have them, and the error",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it calls the error Failed" } },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const receiver = await scene.client();
    const silent = await watch(await scene.peer({ negotiateFds: true }));
    await sender.replyTo(sender.send(methodCall(receiver.uniqueName, handles(1)), ["kept"]));
    expect(await seen(silent, sender, { sender, receiver })).toEqual([
      "call sender > receiver M 0",
      "error bus > sender NotSupported",
    ]);
  },
);

conformance(
  "A monitor is told of a subscriber that does not get a signal for its descriptors",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up on such a subscriber" } },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const unable = await scene.client();
    await unable.addMatch("type='signal',member='S'");
    const silent = await watch(await scene.peer({ negotiateFds: true }));
    sender.send(signal(handles(1)), ["kept"]);
    expect(briefs(await heard(sender, unable))).toEqual([]);
    expect(await seen(silent, sender, { sender })).toEqual([
      "signal sender > S 0",
      "error bus > sender NotSupported",
    ]);
    expect(briefs(await sender.drain())).toEqual([]);
  },
);

conformance(
  "A monitor that cannot have descriptors sees what has none",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up on such a monitor" } },
  async (scene) => {
    const [sender, receiver] = [
      await scene.peer({ negotiateFds: true }),
      await scene.peer({ negotiateFds: true }),
    ];
    const silent = await watch(await scene.client(), ["member='M'"]);
    sender.send(methodCall(receiver.uniqueName, handles(1)), ["passed"]);
    sender.send(methodCall(receiver.uniqueName, { signature: "s", arguments: ["next"] }));
    expect((await receiver.next()).files).toHaveLength(1);
    expect(await seen(silent, sender, { sender, receiver })).toEqual([
      "call sender > receiver M next",
    ]);
  },
);
