/** File descriptors in messages. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, expectError, type Scene, useBus } from "./support/conformance.ts";
import { heard, methodCall, methodReturn, signal } from "./support/messages.ts";
import { encode, Type, type Value } from "./support/wire.ts";

useBus();

const FDS = "Unix File Descriptors";

const handles = (count: number): { signature: string; arguments: Value[]; unixFds: number } => ({
  signature: "ah",
  arguments: [Array.from({ length: count }, (_, index) => index)],
  unixFds: count,
});

async function pair(scene: Scene): Promise<[sender: Client, receiver: Client]> {
  return [await scene.peer({ negotiateFds: true }), await scene.peer({ negotiateFds: true })];
}

for (const count of [1, 2, 16]) {
  conformance(
    `A call passes ${count} descriptor${count > 1 ? "s" : ""} to the same files, in order`,
    { spec: FDS },
    async (scene) => {
      const [sender, receiver] = await pair(scene);
      const contents = Array.from({ length: count }, (_, index) => `file ${index}`);
      sender.send(methodCall(receiver.uniqueName, handles(count)), contents);
      const message = await receiver.next();
      expect(message.unixFds).toBe(count);
      expect(message.files.map(({ content }) => content)).toEqual(contents);
      expect(new Set(message.files.map(({ identity }) => identity)).size).toBe(count);
    },
  );
}

conformance("A reply passes descriptors back", { spec: FDS }, async (scene) => {
  const [caller, callee] = await pair(scene);
  const serial = caller.send(methodCall(callee.uniqueName));
  await callee.next();
  callee.send(methodReturn(caller.uniqueName, serial, handles(1)), ["from the callee"]);
  expect((await caller.replyTo(serial)).files.map(({ content }) => content)).toEqual([
    "from the callee",
  ]);
});

conformance(
  "A broadcast passes its descriptors to every receiver that can have them",
  { spec: FDS },
  async (scene) => {
    const [sender, one] = await pair(scene);
    const two = await scene.peer({ negotiateFds: true });
    for (const receiver of [one, two]) await receiver.addMatch("type='signal',member='S'");
    sender.send(signal(handles(2)), ["a", "b"]);
    for (const receiver of [one, two]) {
      expect((await receiver.next()).files.map(({ content }) => content)).toEqual(["a", "b"]);
    }
  },
);

conformance(
  "A receiver of a broadcast that cannot have descriptors does not get it",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up on such a receiver" } },
  async (scene) => {
    const [sender, able] = await pair(scene);
    const unable = await scene.client();
    for (const receiver of [able, unable]) await receiver.addMatch("type='signal',member='S'");
    sender.send(signal(handles(1)), ["a"]);
    sender.send(signal({ signature: "s", arguments: ["next"] }));
    expect(briefs(await heard(sender, able))).toEqual(["signal S 0", "signal S next"]);
    expect(briefs(await unable.drain())).toEqual(["signal S next"]);
  },
);

conformance(
  "A call with descriptors to a peer that did not agree to them is refused",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it calls the error Failed" } },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const receiver = await scene.client();
    const serial = sender.send(methodCall(receiver.uniqueName, handles(1)), ["a"]);
    expectError(
      await sender.replyTo(serial),
      "NotSupported",
      "Tried to send message with Unix file descriptors",
    );
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance("A message between others' descriptors keeps none", { spec: FDS }, async (scene) => {
  const [sender, receiver] = await pair(scene);
  sender.send(methodCall(receiver.uniqueName, handles(1)), ["first"]);
  sender.send(methodCall(receiver.uniqueName));
  sender.send(methodCall(receiver.uniqueName, handles(2)), ["third a", "third b"]);
  const got = (await heard(sender, receiver)).map(({ files }) =>
    files.map(({ content }) => content),
  );
  expect(got).toEqual([["first"], [], ["third a", "third b"]]);
});

conformance("The same descriptor may be referred to twice", { spec: FDS }, async (scene) => {
  const [sender, receiver] = await pair(scene);
  sender.send(methodCall(receiver.uniqueName, { signature: "hh", arguments: [0, 0], unixFds: 1 }), [
    "one",
  ]);
  expect(await receiver.next()).toMatchObject({ arguments: [0, 0], unixFds: 1 });
});

conformance(
  "Descriptors that no argument refers to are passed all the same",
  { spec: FDS },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    sender.send(methodCall(receiver.uniqueName, { unixFds: 1 }), ["unreferred"]);
    expect((await receiver.next()).files.map(({ content }) => content)).toEqual(["unreferred"]);
  },
);

conformance(
  "Descriptors arrive although the message comes in pieces",
  { spec: FDS },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    const bytes = encode(
      methodCall(receiver.uniqueName, {
        signature: "sh",
        arguments: ["x".repeat(9000), 0],
        unixFds: 1,
      }),
      sender.takeSerial(),
    );
    sender.sendBytes(bytes.subarray(0, 5), ["early"]);
    await sender.flushed();
    sender.sendBytes(bytes.subarray(5, 4000));
    await sender.flushed();
    sender.sendBytes(bytes.subarray(4000));
    expect((await receiver.next()).files.map(({ content }) => content)).toEqual(["early"]);
  },
);

conformance("A big-endian message passes descriptors", { spec: FDS }, async (scene) => {
  const [sender, receiver] = await pair(scene);
  sender.send(methodCall(receiver.uniqueName, { ...handles(1), bigEndian: true }), ["big"]);
  expect(await receiver.next()).toMatchObject({
    bigEndian: true,
    unixFds: 1,
    files: [{ content: "big" }],
  });
});

conformance(
  "A driver call with descriptors is judged by its signature",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.peer({ negotiateFds: true });
    const refused = client.send(
      {
        type: Type.Call,
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        destination: "org.freedesktop.DBus",
        member: "GetNameOwner",
        signature: "h",
        arguments: [0],
        unixFds: 1,
      },
      ["useless"],
    );
    expectError(await client.replyTo(refused), "InvalidArgs");
    expect((await client.call("GetId")).type).toBe(Type.Return);
  },
);

conformance(
  "Descriptors to a missing name are an error like any other",
  { spec: FDS },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const serial = sender.send(methodCall("org.example.Missing", handles(1)), ["lost"]);
    expectError(await sender.replyTo(serial), "ServiceUnknown");
  },
);

conformance(
  "A message that claims more descriptors than came ends the connection",
  { spec: FDS },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    sender.send(methodCall(receiver.uniqueName, handles(2)), ["only one"]);
    await sender.disconnected();
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance(
  "A message that claims a descriptor and brings none ends the connection",
  { spec: FDS },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    sender.send(methodCall(receiver.uniqueName, handles(1)));
    await sender.disconnected();
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance(
  "Claiming descriptors without having agreed on them ends the connection",
  { spec: FDS },
  async (scene) => {
    const sender = await scene.client();
    const receiver = await scene.peer({ negotiateFds: true });
    sender.send(methodCall(receiver.uniqueName, handles(1)));
    await sender.disconnected();
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance("Claiming that there are no descriptors is allowed", { spec: FDS }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  sender.send(methodCall(receiver.uniqueName, { unixFds: 0 }));
  expect(briefs(await heard(sender, receiver))).toEqual(["call M"]);
});

conformance(
  "A message with more than sixteen descriptors ends the connection",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it allows as many as the kernel" } },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    const contents = Array.from({ length: 17 }, (_, index) => String(index));
    sender.send(methodCall(receiver.uniqueName, handles(17)), contents);
    await sender.disconnected();
  },
);

conformance(
  "A thousand descriptors, a message at a time, leave none behind",
  { spec: FDS },
  async (scene) => {
    const [sender, receiver] = await pair(scene);
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < 100; index++) {
        sender.send(methodCall(receiver.uniqueName, handles(1)), [`${round}.${index}`]);
      }
      const got = (await heard(sender, receiver)).flatMap(({ files }) =>
        files.map(({ content }) => content),
      );
      expect(got).toEqual(Array.from({ length: 100 }, (_, index) => `${round}.${index}`));
    }
  },
);
