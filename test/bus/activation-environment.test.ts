/** UpdateActivationEnvironment: what it keeps, who may call it, and what systemd is told. */

import { expect, test } from "@jest/globals";
import { Bus, createBus } from "../../bus/bus.ts";
import type { Message } from "../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import type { Variant } from "../../wire/variant.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { joinAsOther } from "../support/other-user.ts";

const SYSTEMD = "org.freedesktop.systemd1";

function update(
  peer: MemoryPeer,
  variables: Record<string, string>,
  path = DRIVER_PATH,
): Promise<Message> {
  return peer.call({
    path,
    interface: DRIVER_NAME,
    member: "UpdateActivationEnvironment",
    destination: DRIVER_NAME,
    signature: "a{ss}",
    body: [new Map(Object.entries(variables))],
  });
}

async function features(bus: Bus): Promise<unknown> {
  const peer = await MemoryPeer.join(bus);
  const reply = await peer.call({
    path: DRIVER_PATH,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    destination: DRIVER_NAME,
    signature: "ss",
    body: [DRIVER_NAME, "Features"],
  });
  return (reply.body[0] as Variant).value; // v
}

test("variables are kept, and the latest value counts", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  expect(bus.activationEnvironment).toEqual(new Map());
  const reply = await update(peer, { DISPLAY: ":0", LANG: "C" });
  expect([reply.errorName, reply.signature]).toEqual([null, ""]);
  await update(peer, { DISPLAY: ":1" });
  expect([...bus.activationEnvironment]).toEqual([
    ["DISPLAY", ":1"],
    ["LANG", "C"],
  ]);
});

test("any two strings are a variable, as in dbus-daemon", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const odd = { "": "nameless", "A=B": "two", "ä b": "x\ny" };
  expect((await update(peer, odd)).errorName).toBeNull();
  expect(bus.activationEnvironment).toEqual(new Map(Object.entries(odd)));
});

test("it is refused at other paths and to other users, and nothing changes", async () => {
  const bus = createBus({ mayConnect: () => true });
  const peer = await MemoryPeer.join(bus);
  const other = await joinAsOther(bus);
  const elsewhere = await update(peer, { A: "1" }, "/");
  expect([elsewhere.errorName, elsewhere.body]).toEqual([
    "org.freedesktop.DBus.Error.AccessDenied",
    [
      "Method 'UpdateActivationEnvironment' is only available at the canonical object path '/org/freedesktop/DBus'",
    ],
  ]);
  const refused = await update(other, { A: "1" });
  expect(refused.errorName).toBe("org.freedesktop.DBus.Error.AccessDenied");
  expect(refused.body[0]).toContain("rejected attempt to call UpdateActivationEnvironment");
  expect(bus.activationEnvironment.size).toBe(0);
});

test("systemd is told at once where it is there, and when it comes where it is not", async () => {
  const bus = createBus({ systemdActivation: true });
  const peer = await MemoryPeer.join(bus);
  await update(peer, { A: "1", B: "2" });
  await update(peer, { B: "3" });
  const systemd = await MemoryPeer.join(bus);
  await systemd.driver("RequestName", "su", [SYSTEMD, 0]);
  await update(peer, { C: "4" });
  const calls = (await systemd.drain()).filter(({ member }) => member === "SetEnvironment");
  expect(calls.map(({ destination, body }) => [destination, body])).toEqual([
    [SYSTEMD, [["A=1", "B=3"]]],
    [systemd.uniqueName, [["C=4"]]],
  ]);
  for (const { sender, path, interface: name } of calls) {
    expect([sender, path, name]).toEqual([
      DRIVER_NAME,
      "/org/freedesktop/systemd1",
      "org.freedesktop.systemd1.Manager",
    ]);
  }
});

test("a bus that does not work with systemd tells it nothing and does not say that it does", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  await peer.driver("RequestName", "su", [SYSTEMD, 0]);
  await update(peer, { A: "1" });
  expect((await peer.drain()).map(({ member }) => member)).toEqual(["NameAcquired"]);
  expect(await features(bus)).toEqual(["ActivatableServicesChanged", "HeaderFiltering"]);
  expect(await features(createBus({ systemdActivation: true }))).toEqual([
    "ActivatableServicesChanged",
    "HeaderFiltering",
    "SystemdActivation",
  ]);
});

test("a restored bus still has the variables, and still owes them to systemd", async () => {
  const options = { systemdActivation: true };
  const bus = createBus(options);
  await update(await MemoryPeer.join(bus), { A: "1" });
  const { bus: restored } = Bus.restore(structuredClone(bus.snapshot()), options);
  expect(restored.activationEnvironment).toEqual(new Map([["A", "1"]]));
  const systemd = await MemoryPeer.join(restored);
  await systemd.driver("RequestName", "su", [SYSTEMD, 0]);
  const told = (await systemd.drain()).filter(({ member }) => member === "SetEnvironment");
  expect(told.map(({ body }) => body)).toEqual([[["A=1"]]]);
});
