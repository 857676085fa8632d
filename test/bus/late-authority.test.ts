/** A name authority that answers later: the asking peer waits, and nobody else. */

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { NameAuthority } from "../../routing/name-authority.ts";
import { methodCall, signal } from "../../wire/message.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const NAME = "org.example.Name";
const tick = { path: "/", interface: "org.example.Clock", member: "Tick" };

/** A bus whose questions about names wait in `questions` until they are put to the bus itself. */
function asking(defersHello = false): { bus: Bus; questions: (() => void)[] } {
  const questions: (() => void)[] = [];
  const later = (local: NameAuthority): NameAuthority => ({
    hello: (endpoint, answer) => {
      if (defersHello) questions.push(() => local.hello(endpoint, answer));
      else local.hello(endpoint, answer);
    },
    request: (endpoint, name, flags, answer) =>
      questions.push(() => local.request(endpoint, name, flags, answer)),
    release: (endpoint, name, answer) =>
      questions.push(() => local.release(endpoint, name, answer)),
  });
  return { questions, bus: createBus({ nameAuthority: later }) };
}

test("what the asking peer sends after its question is handled after the answer, in order", async () => {
  const { bus, questions } = asking();
  const asker = await MemoryPeer.join(bus);
  const watcher = await MemoryPeer.join(bus);
  await watcher.driver("AddMatch", "s", ["type='signal'"]);
  const request = asker.driver("RequestName", "su", [NAME, 0]);
  for (let n = 0; n < 3; n++) asker.send(signal({ ...tick, signature: "u", body: [n] }));
  const id = asker.driver("GetId");
  expect(await watcher.drain()).toEqual([]);
  expect(questions).toHaveLength(1);
  expect(asker.received).toEqual([]);

  questions.shift()?.();
  expect((await request).body).toEqual([1]);
  expect((await id).body).toEqual([bus.guid]);
  expect(asker.received.map(({ member }) => member)).toEqual(["NameAcquired"]);
  expect((await watcher.drain()).map(({ member, body }) => [member, body[0]])).toEqual([
    ["NameOwnerChanged", NAME],
    ["Tick", 0],
    ["Tick", 1],
    ["Tick", 2],
  ]);
});

test("others go on meanwhile, and messages to the waiting peer reach it", async () => {
  const { bus, questions } = asking();
  const asker = await MemoryPeer.join(bus);
  const other = await MemoryPeer.join(bus);
  void asker.driver("RequestName", "su", [NAME, 0]);
  await turn();
  other.send(methodCall({ path: "/", member: "M", destination: asker.uniqueName }));
  expect((await other.driver("GetId")).body).toEqual([bus.guid]);
  expect(asker.received.map(({ member }) => member)).toEqual(["M"]);
  expect(questions).toHaveLength(1);
});

test("two questions of one peer are put one after the other", async () => {
  const { bus, questions } = asking();
  const asker = await MemoryPeer.join(bus);
  const request = asker.driver("RequestName", "su", [NAME, 0]);
  const release = asker.driver("ReleaseName", "s", [NAME]);
  await turn();
  expect(questions).toHaveLength(1);
  questions.shift()?.();
  expect((await request).body).toEqual([1]);
  await turn();
  questions.shift()?.();
  expect((await release).body).toEqual([1]);
  expect([...bus.names.names()]).toEqual([]);
});

test("Hello may be answered later, and what follows it waits", async () => {
  const { bus, questions } = asking(true);
  const peer = new MemoryPeer(bus.connect());
  peer.authenticate();
  const hello = peer.driver("Hello");
  const id = peer.driver("GetId");
  await turn();
  expect(peer.handshake).toContain("OK ");
  expect(peer.received).toEqual([]);
  questions.shift()?.();
  expect((await hello).body).toEqual([":1.0"]);
  expect((await id).body).toEqual([bus.guid]);
  expect(peer.received.map(({ member }) => member)).toEqual(["NameAcquired"]);
});

test("a peer that leaves while it waits for a name never owns it", async () => {
  const { bus, questions } = asking();
  const asker = await MemoryPeer.join(bus);
  const watcher = await MemoryPeer.join(bus);
  await watcher.driver("AddMatch", "s", ["member='NameOwnerChanged'"]);
  void asker.driver("RequestName", "su", [NAME, 0]);
  await turn();
  asker.end.close();
  await turn();
  questions.shift()?.();
  await turn();
  expect((await watcher.drain()).map(({ body }) => body)).toEqual([
    [asker.uniqueName, asker.uniqueName, ""],
  ]);
  expect([...bus.names.names()]).toEqual([]);
  expect(bus.directory.findText(NAME)).toBeNull();
  expect((await watcher.driver("NameHasOwner", "s", [NAME])).body).toEqual([false]);
  void watcher.driver("RequestName", "su", [NAME, 0]);
  await turn();
  questions.shift()?.();
  expect((await watcher.driver("GetNameOwner", "s", [NAME])).body).toEqual([watcher.uniqueName]);
});

test("a peer that leaves while it waits to give a name up has given it up", async () => {
  const { bus, questions } = asking();
  const owner = await MemoryPeer.join(bus);
  const next = await MemoryPeer.join(bus);
  void owner.driver("RequestName", "su", [NAME, 0]);
  await turn();
  questions.shift()?.();
  void next.driver("RequestName", "su", [NAME, 0]);
  void owner.driver("ReleaseName", "s", [NAME]);
  await turn();
  for (const question of questions.splice(0, 1)) question();
  owner.end.close();
  await turn();
  for (const question of questions.splice(0)) question();
  await turn();
  const queue = bus.names.queueOf(NAME).map(({ uniqueName }) => uniqueName);
  expect(queue).toEqual([next.uniqueName]);
  expect(bus.directory.findText(NAME)?.uniqueName).toBe(next.uniqueName);
});

test("a peer that leaves while it waits for Hello gets no name", async () => {
  const { bus, questions } = asking(true);
  const leaver = new MemoryPeer(bus.connect());
  leaver.authenticate();
  void leaver.driver("Hello");
  await turn();
  leaver.end.close();
  await turn();
  expect(bus.connectionCount).toBe(0);
  questions.shift()?.();
  await turn();
  expect([...bus.directory.endpoints()]).toEqual([]);
  const joining = MemoryPeer.join(bus);
  await turn();
  questions.shift()?.();
  const peer = await joining;
  expect((await peer.driver("ListNames")).body).toEqual([
    ["org.freedesktop.DBus", peer.uniqueName],
  ]);
});
