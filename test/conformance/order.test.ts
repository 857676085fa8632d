/** Order: of one sender's messages, of broadcasts for all who hear them, and of what the driver says in between. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, type Scene, useBus } from "./support/conformance.ts";
import { heard, methodCall, methodReturn, signal } from "./support/messages.ts";
import { Type } from "./support/wire.ts";

useBus();

const ORDER = "Message Bus: ordering";

const numbered = (index: number): { signature: string; arguments: number[] } => ({
  signature: "u",
  arguments: [index],
});

/** What `receiver` got of the numbered messages, as "sender/number" in order of arrival. */
async function sequence(receiver: Client): Promise<string[]> {
  return (await receiver.drain())
    .filter(({ signature }) => signature === "u")
    .map(({ sender, arguments: [index] }) => `${sender}/${index}`);
}

async function clients(scene: Scene, count: number): Promise<Client[]> {
  const all: Client[] = [];
  for (let index = 0; index < count; index++) all.push(await scene.client());
  return all;
}

conformance(
  "One sender's calls, unicast signals and broadcasts arrive in the order sent",
  { spec: ORDER },
  async (scene) => {
    const [sender, receiver] = await clients(scene, 2);
    if (sender === undefined || receiver === undefined) return;
    await receiver.addMatch("type='signal',member='S'");
    for (let index = 0; index < 300; index++) {
      const kinds = [
        methodCall(receiver.uniqueName),
        signal(),
        signal({ destination: receiver.uniqueName }),
      ];
      const kind = kinds[index % kinds.length];
      if (kind !== undefined) sender.send({ ...kind, ...numbered(index) });
    }
    await sender.drain();
    const expected = Array.from({ length: 300 }, (_, index) => `${sender.uniqueName}/${index}`);
    expect(await sequence(receiver)).toEqual(expected);
  },
);

conformance(
  "Calls to a unique name and to its well-known names keep their order",
  { spec: ORDER },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const names = ["org.example.OrderA", "org.example.OrderB", receiver.uniqueName];
    for (const name of names.slice(0, 2)) await receiver.requestName(name);
    await receiver.drain();
    for (let index = 0; index < 99; index++) {
      sender.send(methodCall(names[index % 3] ?? "", numbered(index)));
    }
    await sender.drain();
    expect(await sequence(receiver)).toEqual(
      Array.from({ length: 99 }, (_, index) => `${sender.uniqueName}/${index}`),
    );
  },
);

conformance(
  "All receivers see all broadcasts in the same order",
  { spec: ORDER },
  async (scene) => {
    const senders = await clients(scene, 3);
    const receivers = await clients(scene, 4);
    for (const receiver of receivers) await receiver.addMatch("type='signal',member='S'");
    for (let index = 0; index < 50; index++) {
      for (const sender of senders) sender.send(signal(numbered(index)));
    }
    for (const sender of senders) await sender.drain();
    const seen = await Promise.all(receivers.map((receiver) => sequence(receiver)));
    expect(seen[0]).toHaveLength(150);
    for (const other of seen) expect(other).toEqual(seen[0]);
  },
);

conformance(
  "Senders that are also receivers see the same order as the others",
  { spec: ORDER },
  async (scene) => {
    const peers = await clients(scene, 3);
    for (const peer of peers) await peer.addMatch("type='signal',member='S'");
    for (let index = 0; index < 50; index++)
      for (const peer of peers) peer.send(signal(numbered(index)));
    for (const peer of peers) await peer.flushed();
    const serials = peers.map((peer) => peer.sendCall("GetId"));
    for (const [index, peer] of peers.entries()) await peer.replyTo(serials[index] ?? 0);
    const seen = await Promise.all(peers.map((peer) => sequence(peer)));
    expect(seen[0]).toHaveLength(150);
    for (const other of seen) expect(other).toEqual(seen[0]);
  },
);

conformance(
  "What was caused by a broadcast comes after it, for everybody",
  { spec: ORDER },
  async (scene) => {
    const [cause, effect, witness] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    for (const peer of [effect, witness]) await peer.addMatch("type='signal',member='Cause'");
    await cause.addMatch("type='signal',member='Effect'");
    await witness.addMatch("type='signal',member='Effect'");
    for (let round = 0; round < 20; round++) {
      cause.send(signal({ member: "Cause" }));
      await effect.next();
      effect.send(signal({ member: "Effect" }));
      await cause.next();
    }
    const lines = briefs(await heard(effect, witness));
    expect(lines).toEqual(
      Array.from({ length: 40 }, (_, index) => (index % 2 ? "signal Effect" : "signal Cause")),
    );
  },
);

conformance("A call sent after a broadcast arrives after it", { spec: ORDER }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  await receiver.addMatch("type='signal',member='S'");
  sender.send(signal());
  sender.send(methodCall(receiver.uniqueName));
  expect(briefs(await heard(sender, receiver))).toEqual(["signal S", "call M"]);
});

conformance(
  "A reply and a broadcast sent after it arrive in that order",
  { spec: ORDER },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    await caller.addMatch("type='signal',member='S'");
    const serial = caller.send(methodCall(callee.uniqueName));
    await callee.next();
    callee.send(signal({ member: "S", ...numbered(1) }));
    callee.send(methodReturn(caller.uniqueName, serial));
    callee.send(signal({ member: "S", ...numbered(2) }));
    expect(briefs(await heard(callee, caller))).toEqual(["signal S 1", "return", "signal S 2"]);
  },
);

conformance("Pipelined driver calls are answered in order", { spec: ORDER }, async (scene) => {
  const client = await scene.client();
  const serials = Array.from({ length: 200 }, (_, index) =>
    client.sendCall(index % 2 ? "GetId" : "ListNames"),
  );
  expect((await client.drain()).map(({ replySerial }) => replySerial)).toEqual(serials);
});

conformance(
  "Errors of the bus stand in line with its other replies",
  { spec: ORDER },
  async (scene) => {
    const client = await scene.client();
    const serials = [
      client.sendCall("GetId"),
      client.send(methodCall("org.example.Missing")),
      client.sendCall("Nope"),
      client.sendCall("GetNameOwner", { signature: "s", arguments: ["org.example.Missing"] }),
      client.sendCall("GetId"),
    ];
    expect((await client.drain()).map(({ replySerial }) => replySerial)).toEqual(serials);
  },
);

conformance(
  "AddMatch holds from the next message on, RemoveMatch too",
  { spec: ORDER },
  async (scene) => {
    const client = await scene.client();
    const rule = { signature: "s", arguments: ["type='signal',member='S'"] };
    client.send(signal(numbered(1)));
    client.sendCall("AddMatch", rule);
    client.send(signal(numbered(2)));
    client.sendCall("RemoveMatch", rule);
    client.send(signal(numbered(3)));
    expect(briefs(await client.drain())).toEqual(["return", "signal S 2", "return"]);
  },
);

conformance(
  "A name requested in the same breath owns the signal that follows",
  { spec: ORDER },
  async (scene) => {
    const [sender, witness] = [await scene.client(), await scene.client()];
    await witness.addMatch("sender='org.example.Breath'");
    await witness.addMatch("member='NameOwnerChanged',arg0='org.example.Breath'");
    sender.sendCall("RequestName", { signature: "su", arguments: ["org.example.Breath", 0] });
    sender.send(signal(numbered(1)));
    sender.sendCall("ReleaseName", { signature: "s", arguments: ["org.example.Breath"] });
    sender.send(signal(numbered(2)));
    expect(briefs(await heard(sender, witness))).toEqual([
      `signal NameOwnerChanged org.example.Breath "" ${sender.uniqueName}`,
      "signal S 1",
      `signal NameOwnerChanged org.example.Breath ${sender.uniqueName} ""`,
    ]);
  },
);

conformance("A name requested in the same breath can be called", { spec: ORDER }, async (scene) => {
  const client = await scene.client();
  client.sendCall("RequestName", { signature: "su", arguments: ["org.example.OwnCall", 0] });
  client.send(methodCall("org.example.OwnCall"));
  client.sendCall("ReleaseName", { signature: "s", arguments: ["org.example.OwnCall"] });
  client.send(methodCall("org.example.OwnCall"));
  const lines = briefs(await client.drain()).filter((line) => !line.startsWith("signal"));
  expect(lines).toEqual(["return 1", "call M", "return 1", "error ServiceUnknown"]);
});

conformance(
  "All that a peer sent before it went arrives before the news of its end",
  { spec: ORDER },
  async (scene) => {
    const [dying, witness] = [await scene.client(), await scene.client()];
    await witness.addMatch("type='signal',member='S'");
    await witness.addMatch(`member='NameOwnerChanged',arg0='${dying.uniqueName}'`);
    for (let index = 0; index < 100; index++) dying.send(signal(numbered(index)));
    dying.send(methodCall(witness.uniqueName, numbered(100)));
    await dying.flushed();
    await scene.leave(dying);
    const arrivals = await witness.drain();
    expect(arrivals).toHaveLength(102);
    expect(arrivals.slice(0, 101).map(({ arguments: [index] }) => index)).toEqual(
      Array.from({ length: 101 }, (_, index) => index),
    );
    expect(arrivals[101]?.member).toBe("NameOwnerChanged");
  },
);

conformance(
  "A call sent just before the caller went is delivered",
  { spec: ORDER },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    caller.send(methodCall(callee.uniqueName));
    await caller.flushed();
    await scene.leave(caller);
    expect(briefs(await callee.drain())).toEqual(["call M"]);
  },
);

conformance(
  "A name's loss is announced before its next owner's signals",
  { spec: ORDER },
  async (scene) => {
    const [first, second, witness] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    const name = "org.example.Handover";
    await first.requestName(name);
    await second.requestName(name);
    await witness.addMatch(`member='NameOwnerChanged',arg0='${name}'`);
    await witness.addMatch(`sender='${name}'`);
    first.send(signal(numbered(1)));
    first.sendCall("ReleaseName", { signature: "s", arguments: [name] });
    await second.first(
      ({ member, arguments: [lost] }) => member === "NameAcquired" && lost === name,
    );
    second.send(signal(numbered(2)));
    expect(briefs(await heard(second, witness))).toEqual([
      "signal S 1",
      `signal NameOwnerChanged ${name} ${first.uniqueName} ${second.uniqueName}`,
      "signal S 2",
    ]);
  },
);

conformance(
  "A busy sender does not keep another's call from its answer",
  { spec: ORDER },
  async (scene) => {
    const [busy, witness, other] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await witness.addMatch("type='signal',member='S'");
    for (let index = 0; index < 2000; index++) busy.send(signal(numbered(index)));
    expect((await other.call("GetId")).type).toBe(Type.Return);
    expect(await heard(busy, witness)).toHaveLength(2000);
  },
);

conformance(
  "A receiver that reads late gets everything, in order",
  { spec: ORDER },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const padding = "x".repeat(20_000);
    for (let index = 0; index < 100; index++) {
      sender.send(
        methodCall(receiver.uniqueName, { signature: "us", arguments: [index, padding] }),
      );
    }
    const got = await heard(sender, receiver);
    expect(got.map(({ arguments: [index] }) => index)).toEqual(
      Array.from({ length: 100 }, (_, index) => index),
    );
  },
);
