/** Names that nobody owns yet: who starts their owners, and in which order everything comes. */

import { expect } from "@jest/globals";
import { brief, briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { methodCall, methodReturn, signal } from "./support/messages.ts";
import { activation, GONE_TO_BACKGROUND, useServices } from "./support/services.ts";
import { Flag, Type } from "./support/wire.ts";

const services = useServices();

const START = "StartServiceByName";
const AUTO = "Message Bus Starting Services: auto-starting";
const ORDER = "dbus-daemon: order around a start";

const idle = (): string => services.service(GONE_TO_BACKGROUND);

const numbered = (index: number): { signature: string; arguments: number[] } => ({
  signature: "u",
  arguments: [index],
});

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

async function numbers(client: Client): Promise<unknown[]> {
  const calls = (await client.drain()).filter(({ type }) => type === Type.Call);
  return calls.map(({ arguments: [number] }) => number);
}

activation(
  "StartServiceByName is answered with 1 once somebody owns the name",
  { spec: START },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    const serial = start(caller, name);
    expect(await caller.drain()).toEqual([]);
    await owner.requestName(name);
    expect(brief(await caller.replyTo(serial))).toBe("return 1");
  },
);

activation(
  "StartServiceByName is answered with 2 if somebody owns the name already",
  { spec: START },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    await owner.requestName(name);
    expect(brief(await caller.replyTo(start(caller, name)))).toBe("return 2");
  },
);

activation(
  "StartServiceByName does not find a name without a service file",
  { spec: START },
  async (scene) => {
    const caller = await scene.client();
    const name = services.newName();
    const text = `The name ${name} was not provided by any .service files`;
    expectError(await caller.replyTo(start(caller, name)), "ServiceUnknown", text);
  },
);

activation(
  "StartServiceByName does not find an owned name without a service file either",
  { spec: "dbus-daemon" },
  async (scene) => {
    const caller = await scene.client();
    const name = services.newName();
    await caller.requestName(name);
    expectError(await caller.replyTo(start(caller, name)), "ServiceUnknown");
  },
);

activation(
  "StartServiceByName finds neither unique names nor the bus",
  { spec: "dbus-daemon" },
  async (scene) => {
    const caller = await scene.client();
    for (const name of [caller.uniqueName, ":1.4711", "org.freedesktop.DBus", "", "no name"]) {
      expectError(await caller.replyTo(start(caller, name)), "ServiceUnknown");
    }
  },
);

activation("The flags of StartServiceByName mean nothing", { spec: START }, async (scene) => {
  const caller = await scene.client();
  const name = idle();
  const serial = caller.sendCall("StartServiceByName", {
    signature: "su",
    arguments: [name, 0xffffffff],
  });
  await caller.requestName(name);
  expect(brief(await caller.replyTo(serial))).toBe("return 1");
});

activation(
  "StartServiceByName starts although it is itself sent with NO_AUTO_START",
  { spec: "dbus-daemon" },
  async (scene) => {
    const caller = await scene.client();
    const report = services.report();
    const name = services.service(services.script(`echo started > ${report.path}`));
    caller.sendCall("StartServiceByName", {
      signature: "su",
      arguments: [name, 0],
      flags: Flag.NoAutoStart,
    });
    expect(await report.read()).toBe("started\n");
  },
);

activation(
  "A started program takes the name and answers the call that started it",
  { spec: AUTO },
  async (scene) => {
    const caller = await scene.client();
    const name = services.newName();
    services.write(
      `first/${name}.service`,
      `[D-BUS Service]\nName=${name}\nExec=/usr/bin/dbus-test-tool echo --session --name=${name}\n`,
    );
    const reply = await caller.replyTo(caller.send(methodCall(name)));
    expect(brief(reply)).toBe("return");
    const owner = await caller.ask("GetNameOwner", "s", name);
    expect(reply.sender).toBe(owner.arguments[0]);
  },
);

activation("A program is started once, however many ask for it", { spec: START }, async (scene) => {
  const callers = [await scene.client(), await scene.client()];
  const report = services.report();
  const name = services.service(services.script(`echo started > ${report.path}`));
  const serials = callers.flatMap((caller) => [start(caller, name), start(caller, name)]);
  for (const caller of callers) caller.send(methodCall(name));
  for (const caller of callers) await caller.drain();
  expect(await report.read()).toBe("started\n");
  const owner = await scene.client();
  await owner.requestName(name);
  for (const [index, caller] of callers.entries()) {
    const own = serials.slice(index * 2, index * 2 + 2);
    expect((await caller.drain()).map(({ replySerial }) => replySerial)).toEqual(own);
  }
});

activation(
  "A call to an activatable name waits for the owner and reaches it",
  { spec: AUTO },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    const serial = caller.send(methodCall(name, numbered(7)));
    expect(await caller.drain()).toEqual([]);
    await owner.requestName(name);
    const call = await owner.first(({ type }) => type === Type.Call);
    expect({ ...call, fields: null, files: null }).toMatchObject({
      sender: caller.uniqueName,
      destination: name,
      serial,
      arguments: [7],
    });
    owner.send(methodReturn(caller.uniqueName, serial, numbered(8)));
    expect(brief(await caller.replyTo(serial))).toBe("return 8");
  },
);

activation(
  "A signal with a destination starts its receiver and reaches it",
  { spec: AUTO },
  async (scene) => {
    const [sender, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    sender.send(signal({ destination: name, ...numbered(3) }));
    await sender.drain();
    await owner.requestName(name);
    expect(briefs(await owner.drain())).toContain("signal S 3");
  },
);

activation(
  "A call that wants no reply starts its receiver and reaches it",
  { spec: AUTO },
  async (scene) => {
    const [sender, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    sender.send(methodCall(name, { flags: Flag.NoReplyExpected, ...numbered(4) }));
    await sender.drain();
    await owner.requestName(name);
    expect(await numbers(owner)).toEqual([4]);
  },
);

activation(
  "A call with NO_AUTO_START starts nothing",
  { spec: "Message Protocol: NO_AUTO_START" },
  async (scene) => {
    const caller = await scene.client();
    const name = idle();
    const serial = caller.send(methodCall(name, { flags: Flag.NoAutoStart }));
    expectError(await caller.replyTo(serial), "NameHasNoOwner", `Name "${name}" does not exist`);
    const later = await scene.client();
    await later.requestName(name);
    expect(briefs(await later.drain())).toEqual([`signal NameAcquired ${name}`]);
  },
);

activation(
  "A call with NO_AUTO_START does not wait for what others have started",
  { spec: "dbus-daemon" },
  async (scene) => {
    const caller = await scene.client();
    const name = idle();
    caller.send(methodCall(name));
    const serial = caller.send(methodCall(name, { flags: Flag.NoAutoStart }));
    expectError(await caller.replyTo(serial), "NameHasNoOwner");
  },
);

activation(
  "Messages of one sender keep their order across the start",
  { spec: ORDER },
  async (scene) => {
    const [sender, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    for (let index = 0; index < 100; index++) sender.send(methodCall(name, numbered(index)));
    await sender.drain();
    const asked = owner.requestName(name);
    for (let index = 100; index < 120; index++)
      sender.send(methodCall(name, { ...numbered(index) }));
    await asked;
    await sender.drain();
    const all = [];
    while (all.length < 120) all.push(...(await numbers(owner)));
    expect(all).toEqual(Array.from({ length: 120 }, (_, index) => index));
  },
);

activation(
  "Messages of several senders wait in the order of their arrival",
  { spec: ORDER },
  async (scene) => {
    const [one, other, owner] = [await scene.client(), await scene.client(), await scene.client()];
    const name = idle();
    for (let index = 0; index < 20; index++) {
      const sender = index % 2 === 0 ? one : other;
      sender.send(methodCall(name, numbered(index)));
      await sender.drain();
    }
    await owner.requestName(name);
    expect(await numbers(owner)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  },
);

activation(
  "The new owner gets NameAcquired, then what waited, then the reply to RequestName",
  { spec: ORDER },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    caller.send(methodCall(name, numbered(1)));
    caller.send(signal({ destination: name, ...numbered(2) }));
    await caller.drain();
    owner.sendCall("RequestName", { signature: "su", arguments: [name, 0] });
    expect(briefs(await owner.drain())).toEqual([
      `signal NameAcquired ${name}`,
      "call M 1",
      "signal S 2",
      "return 1",
    ]);
  },
);

activation(
  "Who starts a name and takes it gets NameOwnerChanged, the answer, NameAcquired and what waited",
  { spec: ORDER },
  async (scene) => {
    const client = await scene.client();
    const name = idle();
    await client.addMatch(`member='NameOwnerChanged',arg0='${name}'`);
    start(client, name);
    client.send(methodCall(name, { flags: Flag.NoReplyExpected, ...numbered(5) }));
    start(client, name);
    client.sendCall("RequestName", { signature: "su", arguments: [name, 0] });
    const { uniqueName } = client;
    expect(briefs(await client.drain())).toEqual([
      `signal NameOwnerChanged ${name} "" ${uniqueName}`,
      "return 1",
      "return 1",
      `signal NameAcquired ${name}`,
      "call M 5",
      "return 1",
    ]);
  },
);

activation(
  "Messages of a sender that has left while they waited are not delivered",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [leaver, stayer, owner] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    const name = idle();
    leaver.send(methodCall(name, numbered(1)));
    await leaver.drain();
    stayer.send(methodCall(name, numbered(2)));
    await stayer.drain();
    await scene.leave(leaver);
    await owner.requestName(name);
    expect(await numbers(owner)).toEqual([2]);
  },
);

activation(
  "A start goes on when the one who asked for it leaves",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [leaver, other] = [await scene.client(), await scene.client()];
    const name = idle();
    start(leaver, name);
    await leaver.drain();
    const serial = start(other, name);
    await other.drain();
    await scene.leave(leaver);
    await other.requestName(name);
    expect(brief(await other.replyTo(serial))).toBe("return 1");
  },
);

activation(
  "A name that is released waits for nobody: the next message starts it again",
  { spec: AUTO },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    for (const round of [1, 2]) {
      caller.send(methodCall(name, numbered(round)));
      await caller.drain();
      await owner.requestName(name);
      expect(await numbers(owner)).toEqual([round]);
      await owner.releaseName(name);
    }
  },
);

activation(
  "Whoever takes another name does not end the wait",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    caller.send(methodCall(name, numbered(1)));
    await caller.drain();
    await owner.requestName(services.newName());
    expect(await numbers(owner)).toEqual([]);
    await owner.requestName(name);
    expect(await numbers(owner)).toEqual([1]);
  },
);

activation(
  "A call that waited is answered with NoReply when its receiver leaves",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [caller, owner] = [await scene.client(), await scene.client()];
    const name = idle();
    const serial = caller.send(methodCall(name));
    await caller.drain();
    await owner.requestName(name);
    await scene.leave(owner);
    expectError(await caller.replyTo(serial), "NoReply");
  },
);

activation("Descriptors wait with their message", { spec: AUTO }, async (scene) => {
  const sender = await scene.peer({ negotiateFds: true });
  const owner = await scene.peer({ negotiateFds: true });
  const name = idle();
  sender.send(methodCall(name, { signature: "h", arguments: [0], unixFds: 1 }), ["contents"]);
  await sender.drain();
  await owner.requestName(name);
  const call = await owner.first(({ type }) => type === Type.Call);
  expect(call.files.map(({ content }) => content)).toEqual(["contents"]);
});

activation(
  "A message with descriptors that waited does not reach an owner that takes none",
  { spec: "dbus-daemon" },
  async (scene) => {
    const sender = await scene.peer({ negotiateFds: true });
    const owner = await scene.client();
    const name = idle();
    const serial = sender.send(methodCall(name, { signature: "h", arguments: [0], unixFds: 1 }), [
      "x",
    ]);
    await sender.drain();
    await owner.requestName(name);
    expectError(await sender.replyTo(serial), "NotSupported");
    expect(await numbers(owner)).toEqual([]);
  },
);

activation(
  "A monitor sees a message that waits once, when it is sent",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [sender, owner, monitor] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    const name = idle();
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[`destination='${name}'`], 0],
    });
    sender.send(methodCall(name, numbered(1)));
    await sender.drain();
    await owner.requestName(name);
    await owner.drain();
    owner.send(methodCall(name, numbered(2)));
    await owner.drain();
    const seen = await monitor.first(({ arguments: [number] }) => number === 2);
    expect(seen.arguments).toEqual([2]);
    const first = await monitor.first(({ type }) => type === Type.Call);
    expect(first.arguments).toEqual([1]);
  },
);

activation(
  "A monitor sees the answer to StartServiceByName",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [sender, owner, monitor] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    const name = idle();
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [["eavesdrop='true'"], 0],
    });
    await monitor.first(({ member }) => member === "NameLost");
    const serial = start(sender, name);
    await sender.drain();
    await owner.requestName(name);
    await sender.replyTo(serial);
    const answer = await monitor.first(
      ({ replySerial, destination }) => replySerial === serial && destination === sender.uniqueName,
    );
    expect(brief(answer)).toBe("return 1");
    expect(answer.sender).toBe("org.freedesktop.DBus");
  },
);
