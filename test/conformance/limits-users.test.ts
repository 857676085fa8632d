/** What one user does beside others: dbus-daemon knows no users here, and so one of them can take it all. */

import { expect } from "@jest/globals";
import { expectError, type Scene } from "./support/conformance.ts";
import { limit, useLimits } from "./support/limited-bus.ts";
import { methodCall, signal } from "./support/messages.ts";

const MOST_WAITING = 4 << 20;

useLimits({
  max_outgoing_bytes: MOST_WAITING,
  max_incomplete_connections: 30,
  auth_timeout: 60_000,
});

const other = { uid: 65534, gid: 65534, groups: [] };
const large = { signature: "s", arguments: ["x".repeat(100_000)], flags: 1 };
const asOther = (scene: Scene, until: "nothing" | "hello" = "hello") =>
  scene.peer({ until }, other);

limit(
  "A queue that another user has filled has room for the receiver's own",
  "max_outgoing_bytes",
  async (scene) => {
    const [receiver, own] = [await scene.client(), await scene.client()];
    const flooder = await asOther(scene);
    receiver.stopReading();
    for (let sent = 0; sent < 2 * MOST_WAITING; sent += 100_000) {
      flooder.send(methodCall(receiver.uniqueName, large));
    }
    const refused = flooder.send(methodCall(receiver.uniqueName, { ...large, flags: 0 }));
    expectError(await flooder.replyTo(refused), "LimitsExceeded", "User 65534 has its fair share");
    own.send(methodCall(receiver.uniqueName, { ...large, flags: 0 }));
    expect(await own.drain()).toEqual([]);
  },
  { excused: { "dbus-daemon": "whoever comes first fills the queue" } },
);

limit(
  "Signals of another user do not end the connection of who does not read them",
  "max_outgoing_bytes",
  async (scene) => {
    const [receiver, own] = [await scene.client(), await scene.client()];
    const flooder = await asOther(scene);
    await receiver.addMatch("type='signal',member='S'");
    receiver.stopReading();
    for (let sent = 0; sent < 3 * MOST_WAITING; sent += 100_000) flooder.send(signal(large));
    await flooder.drain();
    // It is there, and gets what its own user says to it.
    const reply = await own.ask("NameHasOwner", "s", receiver.uniqueName);
    expect(reply.arguments).toEqual([true]);
    const serial = own.send(methodCall(receiver.uniqueName, { ...large, flags: 0 }));
    await own.drain();
    await scene.leave(receiver);
    expectError(await own.replyTo(serial), "NoReply", "Message recipient disconnected");
  },
  { excused: { "dbus-daemon": "whoever comes first fills the queue" } },
);

limit(
  "Connections of one user that do not say who they are do not keep others out",
  "max_incomplete_connections",
  async (scene) => {
    const silent = await Promise.all(
      Array.from({ length: 32 }, () => asOther(scene, "nothing").catch(() => null)),
    );
    const newcomer = await scene.client();
    expect(newcomer.uniqueName).toMatch(/^:1\./);
    for (const client of silent) client?.close();
  },
  { excused: { "dbus-daemon": "who comes later waits until one of them is gone" } },
);
