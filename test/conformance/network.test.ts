/** TCP: the address, and who gets in. */

import { afterAll, expect } from "@jest/globals";
import { DRIVER, MONITORING } from "./support/client.ts";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import { CookieHome, hex, joinByCookie, keysOf } from "./support/cookies.ts";
import { Type } from "./support/wire.ts";

const home = new CookieHome();
useBus({
  configuration: "anonymous.conf",
  listen: "tcp:host=127.0.0.1",
  environment: home.environment,
});
afterAll(() => home.remove());

const TCP = "Transports: TCP Sockets";
const ANONYMOUS = "Authentication Mechanisms: ANONYMOUS";
const withheld = { "dbus-broker": "it has no TCP" };

conformance(
  "The address has the port that was taken, and its family",
  { spec: TCP, withheld },
  async (scene) => {
    expect(scene.address).toMatch(
      /^tcp:host=127\.0\.0\.1,port=[1-9]\d*,family=ipv4,guid=[0-9a-f]{32}$/,
    );
  },
);

conformance(
  "A peer may be anonymous, if that is allowed",
  { spec: ANONYMOUS, withheld },
  async (scene) => {
    const client = await scene.client({ isAnonymous: true });
    const name = { signature: "s", arguments: [client.uniqueName] };
    const reply = await client.call("GetConnectionCredentials", name);
    const keys = keysOf(reply);
    expect(keys).not.toContain("UnixUserID");
    expect(keys).not.toContain("UnixGroupIDs");
    const user = await client.call("GetConnectionUnixUser", name);
    expectError(user, "Failed", `Could not determine UID for '${client.uniqueName}'`);
  },
);

conformance(
  "Nothing is known of the process of a peer that came over TCP",
  { spec: TCP, withheld, excused: { "dbus-daemon": "it says that it is process 0" } },
  async (scene) => {
    const client = await scene.client({ isAnonymous: true });
    const reply = await client.call("GetConnectionUnixProcessID", {
      signature: "s",
      arguments: [client.uniqueName],
    });
    expectError(reply, "UnixProcessIdUnknown");
  },
);

conformance(
  "An anonymous peer may do nothing that needs a user",
  { spec: "dbus-daemon", withheld },
  async (scene) => {
    const client = await scene.client({ isAnonymous: true });
    const monitor = { interface: MONITORING, signature: "asu", arguments: [[], 0] };
    expectError(await client.call("BecomeMonitor", monitor), "AccessDenied");
    const environment = { signature: "a{ss}", arguments: [[["A", "b"]]] };
    expectError(await client.call("UpdateActivationEnvironment", environment), "AccessDenied");
    const eavesdrop = { signature: "s", arguments: ["eavesdrop='true'"] };
    expectError(await client.call("AddMatch", eavesdrop), "AccessDenied");
  },
);

conformance(
  "Who knows the cookie is its user over TCP, too",
  { spec: TCP, withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    await joinByCookie(client, home);
    const reply = await client.call("GetConnectionUnixUser", {
      signature: "s",
      arguments: [client.uniqueName],
    });
    expect(reply.arguments).toEqual([process.getuid?.()]);
  },
);

conformance(
  "A user that a peer only claims to be is rejected",
  { spec: TCP, withheld },
  async (scene) => {
    for (const claim of [String(process.getuid?.()), "0", "root"]) {
      const client = await scene.client({ until: "nothing" });
      client.sendText(`\0AUTH EXTERNAL ${hex(claim)}\r\n`);
      await client.expectLine(/^REJECTED /);
    }
  },
);

conformance(
  "EXTERNAL without an identity lets nobody in, though anonymous peers are allowed",
  { spec: "dbus-daemon", withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    await client.disconnected();
  },
);

conformance("Descriptors are not agreed on over TCP", { spec: TCP, withheld }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendText("\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\n");
  await client.expectLine(/^OK /);
  await client.expectLine(/^ERROR/);
});

conformance(
  "Peers over TCP talk to each other, a megabyte at a time",
  { spec: TCP, withheld },
  async (scene) => {
    const caller = await scene.client({ isAnonymous: true });
    const callee = await scene.client({ isAnonymous: true });
    const text = "x".repeat(1 << 20);
    const serial = caller.send({
      type: Type.Call,
      path: "/a",
      interface: "a.b",
      member: "Echo",
      destination: callee.uniqueName,
      signature: "s",
      arguments: [text],
    });
    const call = await callee.first(({ member }) => member === "Echo", "the call");
    callee.send({
      type: Type.Return,
      destination: caller.uniqueName,
      replySerial: call.serial,
      signature: "s",
      arguments: call.arguments,
    });
    const reply = await caller.replyTo(serial);
    expect(reply.arguments[0] === text).toBe(true);
    expect(reply.sender).toBe(callee.uniqueName);
  },
);

conformance(
  "A handshake over TCP may come in single bytes",
  { spec: TCP, withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    for (const character of "\0AUTH ANONYMOUS\r\nBEGIN\r\n") {
      client.sendText(character);
      await client.flushed();
    }
    await client.expectLine(/^OK /);
    client.startMessages();
    await client.hello();
    expect((await client.call("GetId", { destination: DRIVER })).type).toBe(Type.Return);
  },
);
