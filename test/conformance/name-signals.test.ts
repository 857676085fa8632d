/** NameOwnerChanged, NameAcquired and NameLost: to whom, with what, in which order. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH } from "./support/client.ts";
import { conformance, type Scene, useBus } from "./support/conformance.ts";

useBus();

const CHANGED = "Message Bus Messages: NameOwnerChanged";
const ACQUIRED = "Message Bus Messages: NameAcquired";
const LOST = "Message Bus Messages: NameLost";

const ALLOW_REPLACEMENT = 1;
const REPLACE_EXISTING = 2;

let counter = 0;

function freshName(): string {
  return `org.example.Signals${++counter}`;
}

/** Hears every NameOwnerChanged about `name` and nothing else. */
async function witnessOf(scene: Scene, name: string): Promise<Client> {
  const witness = await scene.client();
  await witness.addMatch(`type='signal',member='NameOwnerChanged',arg0='${name}'`);
  return witness;
}

/** Sends a driver call and returns everything up to a barrier. */
async function lines(
  client: Client,
  member: string,
  signature: string,
  values: (string | number)[],
): Promise<string[]> {
  client.sendCall(member, { signature, arguments: values });
  return briefs(await client.drain());
}

conformance("A new owner is told of NameAcquired", { spec: ACQUIRED }, async (scene) => {
  const client = await scene.client();
  const name = freshName();
  client.sendCall("RequestName", { signature: "su", arguments: [name, 0] });
  const acquired = await client.first(({ member }) => member === "NameAcquired");
  expect(acquired).toMatchObject({
    path: DRIVER_PATH,
    interface: DRIVER,
    sender: DRIVER,
    destination: client.uniqueName,
    signature: "s",
    arguments: [name],
  });
});

conformance(
  "NameAcquired comes before the reply to RequestName",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const name = freshName();
    expect(await lines(client, "RequestName", "su", [name, 0])).toEqual([
      `signal NameAcquired ${name}`,
      "return 1",
    ]);
  },
);

conformance(
  "NameLost comes before the reply to ReleaseName",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const name = freshName();
    await client.requestName(name);
    await client.drain();
    expect(await lines(client, "ReleaseName", "s", [name])).toEqual([
      `signal NameLost ${name}`,
      "return 1",
    ]);
  },
);

conformance(
  "NameOwnerChanged comes before NameAcquired to a new owner who watches",
  { spec: "dbus-daemon" },
  async (scene) => {
    const name = freshName();
    const client = await witnessOf(scene, name);
    expect(await lines(client, "RequestName", "su", [name, 0])).toEqual([
      `signal NameOwnerChanged ${name} "" ${client.uniqueName}`,
      `signal NameAcquired ${name}`,
      "return 1",
    ]);
  },
);

conformance("NameOwnerChanged is a broadcast of the driver", { spec: CHANGED }, async (scene) => {
  const name = freshName();
  const witness = await witnessOf(scene, name);
  const owner = await scene.client();
  await owner.requestName(name);
  const [changed, ...more] = await witness.drain();
  expect(changed).toMatchObject({
    type: 4,
    path: DRIVER_PATH,
    interface: DRIVER,
    member: "NameOwnerChanged",
    sender: DRIVER,
    destination: null,
    signature: "sss",
    arguments: [name, "", owner.uniqueName],
  });
  expect(more).toEqual([]);
});

conformance("Without a rule nobody hears NameOwnerChanged", { spec: CHANGED }, async (scene) => {
  const [silent, owner] = [await scene.client(), await scene.client()];
  await owner.requestName(freshName());
  expect(briefs(await silent.drain())).toEqual([]);
});

conformance(
  "A replacement is one NameOwnerChanged from the old to the new owner",
  { spec: CHANGED },
  async (scene) => {
    const name = freshName();
    const [first, second] = [await scene.client(), await scene.client()];
    await first.requestName(name, ALLOW_REPLACEMENT);
    const witness = await witnessOf(scene, name);
    await second.requestName(name, REPLACE_EXISTING);
    expect(briefs(await witness.drain())).toEqual([
      `signal NameOwnerChanged ${name} ${first.uniqueName} ${second.uniqueName}`,
    ]);
  },
);

conformance("A replaced owner is told of NameLost, once", { spec: LOST }, async (scene) => {
  const name = freshName();
  const [first, second] = [await scene.client(), await scene.client()];
  await first.requestName(name, ALLOW_REPLACEMENT);
  await first.drain();
  await second.requestName(name, REPLACE_EXISTING);
  const [lost, ...more] = await first.drain();
  expect(lost).toMatchObject({
    member: "NameLost",
    path: DRIVER_PATH,
    interface: DRIVER,
    sender: DRIVER,
    destination: first.uniqueName,
    arguments: [name],
  });
  expect(more).toEqual([]);
});

conformance("A peer put into the queue hears nothing", { spec: ACQUIRED }, async (scene) => {
  const name = freshName();
  const [owner, queued] = [await scene.client(), await scene.client()];
  await owner.requestName(name);
  await owner.drain();
  await queued.requestName(name);
  expect(briefs(await queued.drain())).toEqual([]);
  expect(briefs(await owner.drain())).toEqual([]);
});

conformance(
  "When the owner releases, the next is told and the change announced once",
  { spec: CHANGED },
  async (scene) => {
    const name = freshName();
    const [owner, queued] = [await scene.client(), await scene.client()];
    await owner.requestName(name);
    await queued.requestName(name);
    const witness = await witnessOf(scene, name);
    await owner.releaseName(name);
    expect(briefs(await queued.drain())).toEqual([`signal NameAcquired ${name}`]);
    expect(briefs(await witness.drain())).toEqual([
      `signal NameOwnerChanged ${name} ${owner.uniqueName} ${queued.uniqueName}`,
    ]);
  },
);

conformance("When the owner disconnects, the next is told", { spec: ACQUIRED }, async (scene) => {
  const name = freshName();
  const [owner, queued] = [await scene.client(), await scene.client()];
  await owner.requestName(name);
  await queued.requestName(name);
  const witness = await witnessOf(scene, name);
  await scene.leave(owner);
  expect(briefs(await queued.drain())).toEqual([`signal NameAcquired ${name}`]);
  expect(briefs(await witness.drain())).toEqual([
    `signal NameOwnerChanged ${name} ${owner.uniqueName} ${queued.uniqueName}`,
  ]);
});

conformance("A name nobody waits for goes to the empty owner", { spec: CHANGED }, async (scene) => {
  const name = freshName();
  const owner = await scene.client();
  await owner.requestName(name);
  const witness = await witnessOf(scene, name);
  await owner.releaseName(name);
  expect(briefs(await witness.drain())).toEqual([
    `signal NameOwnerChanged ${name} ${owner.uniqueName} ""`,
  ]);
});

conformance(
  "A peer that disconnects loses its names first and its unique name last",
  { spec: CHANGED },
  async (scene) => {
    const witness = await scene.client();
    await witness.addMatch("type='signal',member='NameOwnerChanged'");
    const owner = await scene.client();
    const names = [freshName(), freshName()];
    for (const name of names) await owner.requestName(name);
    await witness.drain();
    await scene.leave(owner);
    const changes = (await witness.drain()).map(({ arguments: [name] }) => name);
    expect(changes.slice(0, 2).sort()).toEqual([...names].sort());
    expect(changes.slice(2)).toEqual([owner.uniqueName]);
  },
);

conformance(
  "A queued peer's disconnection is no change of the name's owner",
  { spec: CHANGED },
  async (scene) => {
    const name = freshName();
    const [owner, queued] = [await scene.client(), await scene.client()];
    await owner.requestName(name);
    await queued.requestName(name);
    const witness = await witnessOf(scene, name);
    await scene.leave(queued);
    expect(briefs(await witness.drain())).toEqual([]);
  },
);

conformance(
  "A repeated request of the owner announces nothing",
  { spec: CHANGED },
  async (scene) => {
    const name = freshName();
    const owner = await scene.client();
    await owner.requestName(name);
    const witness = await witnessOf(scene, name);
    await owner.requestName(name, ALLOW_REPLACEMENT);
    expect(briefs(await witness.drain())).toEqual([]);
  },
);

conformance(
  "NameAcquired to another peer is not to be heard with a rule",
  { spec: ACQUIRED },
  async (scene) => {
    const witness = await scene.client();
    await witness.addMatch("type='signal',member='NameAcquired'");
    await (await scene.client()).requestName(freshName());
    expect(briefs(await witness.drain())).toEqual([]);
  },
);
