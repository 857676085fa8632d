/** A bus over TCP and with other mechanisms than EXTERNAL: who gets in, what is known of them, who pays. */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Limits } from "../../bus/limits.ts";
import { type StartedBus, startBus } from "../../bus/start-bus.ts";
import { connect as connectClient } from "../../client/connect.ts";
import type { Cookie, FindCookie } from "../../transport/authentication/cookie.ts";
import { Keyring } from "../../transport/keyring.ts";
import { MECHANISMS, type Mechanism } from "../../transport/mechanism.ts";
import { DRIVER, failureOf } from "../client/support.ts";
import { inScratch } from "../transport/scratch.ts";

const uid = process.geteuid?.() ?? 0;
const COOKIE_AUTH = `AUTH DBUS_COOKIE_SHA1 ${Buffer.from(`${uid}`).toString("hex")}\r\n`;
const started: StartedBus[] = [];
const sockets: Socket[] = [];
const log: string[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(started.splice(0).map((bus) => bus.stop()));
  log.length = 0;
});

interface Terms {
  readonly listen?: string;
  readonly mechanisms?: readonly Mechanism[];
  readonly allowsAnonymous?: boolean;
  readonly limits?: Partial<Limits>;
  readonly find?: FindCookie;
}

async function start(terms: Terms): Promise<StartedBus> {
  const bus = await startBus({
    listen: [terms.listen ?? "tcp:host=127.0.0.1"],
    authentication: terms.mechanisms ?? MECHANISMS,
    allowsAnonymous: () => terms.allowsAnonymous === true,
    limits: terms.limits ?? {},
    ...(terms.find === undefined ? {} : { keyring: { find: terms.find } }),
    log: ({ text }) => log.push(text),
  });
  started.push(bus);
  return bus;
}

/** A connection that is spoken to by hand, and all that came over it. */
class Caller {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  text = "";

  constructor(bus: StartedBus) {
    const port = Number(/port=(\d+)/.exec(bus.address)?.[1]);
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => {
      this.text += chunk.toString("latin1");
    });
    // `once` of node:events would fail when the bus resets the connection, which it may.
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    sockets.push(this.socket);
  }

  say(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }

  async hears(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      const data = new Promise((resolve) => this.socket.once("data", resolve));
      const end = await Promise.race([data, this.closed.then(() => null)]);
      if (end === null && !this.text.includes(text)) throw new Error(`closed after ${this.text}`);
    }
  }
}

/** A client of ours with these mechanisms, whose home is `home`. */
async function clientOf(bus: StartedBus, home: string, authentication: readonly Mechanism[]) {
  const before = process.env["HOME"];
  process.env["HOME"] = home;
  try {
    return await connectClient(bus.address, { authentication });
  } finally {
    process.env["HOME"] = before;
  }
}

describe("over TCP", () => {
  test("who has the cookie is our user, and nothing more is known of it", async () => {
    await inScratch(async (home) => {
      const bus = await start({ find: new Keyring({ home: () => home }).find });
      const client = await clientOf(bus, home, ["DBUS_COOKIE_SHA1"]);
      const name = [client.uniqueName];
      const ask = (member: string) =>
        client.call({ ...DRIVER, member, signature: "s", body: name });
      expect((await ask("GetConnectionUnixUser")).body).toEqual([uid]);
      const [credentials] = (await ask("GetConnectionCredentials")).body;
      expect([...(credentials as Map<string, unknown>).keys()]).toEqual(["UnixUserID"]);
      expect((await failureOf(ask("GetConnectionUnixProcessID"))).errorName).toContain("Unknown");
      await client.callWithoutReply({ ...DRIVER, member: "ReloadConfig" });
      expect(client.passesDescriptors).toBe(false);
      await client.close();
    });
  });

  test("who is anonymous gets in where that is allowed, and may do nothing that needs a user", async () => {
    await inScratch(async (home) => {
      const bus = await start({ allowsAnonymous: true });
      expect(log).toEqual([
        expect.stringContaining("anybody who can reach this port may use the bus"),
      ]);
      const client = await clientOf(bus, home, ["ANONYMOUS"]);
      const name = [client.uniqueName];
      const ask = (member: string) =>
        client.call({ ...DRIVER, member, signature: "s", body: name });
      expect((await ask("GetConnectionCredentials")).body).toEqual([new Map()]);
      expect((await failureOf(ask("GetConnectionUnixUser"))).errorName).toContain("Failed");
      const rejected = await failureOf(
        client.call({
          ...DRIVER,
          interface: "org.freedesktop.DBus.Monitoring",
          member: "BecomeMonitor",
          signature: "asu",
          body: [[], 0],
        }),
      );
      expect(rejected.errorName).toBe("org.freedesktop.DBus.Error.AccessDenied");
      await client.close();
    });
  });

  test("who is anonymous is told OK and then disconnected where that is not allowed", async () => {
    const bus = await start({});
    const caller = new Caller(bus);
    caller.say("\0AUTH ANONYMOUS\r\nBEGIN\r\n");
    await caller.closed;
    expect(caller.text).toBe(`OK ${bus.guid}\r\n`);
    expect(log.at(-1)).toContain("nobody may connect to this bus without being known");
  });

  test("EXTERNAL lets nobody in, whoever they say they are, and the log has said so", async () => {
    const bus = await start({ mechanisms: ["EXTERNAL"], allowsAnonymous: true });
    expect(log).toEqual([expect.stringContaining("nobody can authenticate over TCP")]);
    const caller = new Caller(bus);
    const claims = ["", ` ${Buffer.from(`${uid}`).toString("hex")}`, " 30"];
    caller.say(`\0${claims.map((claim) => `AUTH EXTERNAL${claim}\r\n`).join("")}`);
    await caller.hears("REJECTED EXTERNAL\r\n".repeat(3));
    expect(caller.text).not.toContain("OK");
  });

  test("a bus without a network says nothing of it", async () => {
    await start({ listen: "unix:tmpdir=/tmp", mechanisms: ["EXTERNAL"] });
    expect(log.filter((line) => line.includes("TCP"))).toEqual([]);
  });

  test("handshakes in single bytes, unfinished ones and silent ones disturb nobody", async () => {
    const bus = await start({ allowsAnonymous: true, limits: { authTimeoutMs: 1000 } });
    const idle = Array.from({ length: 20 }, () => new Caller(bus));
    for (const caller of idle.slice(10)) caller.say("\0AUTH ANONYM");
    const slow = new Caller(bus);
    for (const character of "\0AUTH ANONYMOUS\r\n") {
      slow.say(character);
      await new Promise((resolve) => slow.socket.write("", resolve));
    }
    await slow.hears("OK");
    slow.socket.destroy();
    await slow.closed;
    const client = await connectClient(bus.address);
    await Promise.all(idle.map(({ closed }) => closed));
    expect(log.filter((line) => line.includes("did not finish the handshake"))).toHaveLength(20);
    expect((await client.call({ ...DRIVER, member: "GetId" })).body).toEqual([bus.guid]);
    await client.close();
  });

  test("any number of peers that fail in any way disturb nobody, and leave nothing behind", async () => {
    await inScratch(async (home) => {
      const find = new Keyring({ home: () => home }).find;
      const bus = await start({
        allowsAnonymous: true,
        find,
        limits: { maxIncompleteConnections: 500 },
      });
      const client = await connectClient(bus.address, { authentication: ["ANONYMOUS"] });
      const guess = `DATA ${Buffer.from(`mine ${"0".repeat(40)}`).toString("hex")}\r\n`;
      const attempts = [
        `\0${`${COOKIE_AUTH}${guess}`.repeat(6)}`,
        `\0${COOKIE_AUTH}BEGIN\r\n`,
        `\0${"AUTH ANONYMOUS ff\r\n".repeat(6)}`,
        `\0${"AUTH EXTERNAL 30\r\n".repeat(6)}`,
        `\0AUTH ANONYMOUS\r\nBEGIN\r\n${"x".repeat(16)}`,
        `\0${"x".repeat(20_000)}`,
        "no NUL\r\n",
      ];
      const callers = Array.from({ length: 20 }, () =>
        attempts.map((text) => {
          const caller = new Caller(bus);
          caller.say(text);
          return caller;
        }),
      ).flat();
      await Promise.all(callers.map(({ closed }) => closed));
      expect(callers[0]?.text).toMatch(/^(DATA [0-9a-f]+\r\nREJECTED [A-Z0-9_ ]+\r\n){6}$/);
      expect((await client.call({ ...DRIVER, member: "GetId" })).body).toEqual([bus.guid]);
      expect(bus.bus.connectionCount).toBe(1);
      await client.close();
    });
  });

  test("peers of whom nothing is known are as one user, and those who prove to be one are that one", async () => {
    await inScratch(async (home) => {
      const find = new Keyring({ home: () => home }).find;
      const limits = { maxConnectionsPerUser: 2 };
      const bus = await start({ allowsAnonymous: true, limits, find });
      const known = [await clientOf(bus, home, ["DBUS_COOKIE_SHA1"])];
      known.push(await clientOf(bus, home, ["DBUS_COOKIE_SHA1"]));
      const anonymous = await clientOf(bus, home, ["ANONYMOUS"]);
      await expect(clientOf(bus, home, ["DBUS_COOKIE_SHA1"])).rejects.toThrow();
      expect(log.at(-1)).toContain(`connections for UID ${uid} has been reached`);
      known.push(await clientOf(bus, home, ["ANONYMOUS"]));
      await expect(clientOf(bus, home, ["ANONYMOUS"])).rejects.toThrow();
      expect(log.at(-1)).toContain("connections for UID -1 has been reached");
      for (const client of [...known, anonymous]) await client.close();
      while (bus.bus.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
      await (await clientOf(bus, home, ["DBUS_COOKIE_SHA1"])).close();
    });
  });
});

describe("the nonce", () => {
  test("lies in a file that only we can read, in a directory of its own, until the bus ends", async () => {
    const bus = await start({ listen: "nonce-tcp:host=127.0.0.1", allowsAnonymous: true });
    const file = /noncefile=([^,]*)/.exec(bus.address)?.[1] ?? "";
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(readFileSync(file)).toHaveLength(16);
    const client = await connectClient(bus.address);
    expect(client.guid).toBe(bus.guid);
    await client.close();
    await started.pop()?.stop();
    expect(existsSync(dirname(file))).toBe(false);
  });

  test("has to come first; whoever sends another one hears nothing", async () => {
    const bus = await start({ listen: "nonce-tcp:host=127.0.0.1", allowsAnonymous: true });
    const caller = new Caller(bus);
    caller.say(`${"x".repeat(16)}\0AUTH ANONYMOUS\r\n`);
    await caller.closed;
    expect(caller.text).toBe("");
    expect(log.at(-1)).toContain("it does not know the nonce");
    const nonce = readFileSync(/noncefile=([^,]*)/.exec(bus.address)?.[1] ?? "");
    const other = new Caller(bus);
    for (const byte of nonce) other.say(String.fromCharCode(byte));
    other.say("\0AUTH ANONYMOUS\r\n");
    await other.hears(`OK ${bus.guid}`);
  });

  test("counts as a part of the handshake, which has to end in time", async () => {
    const limits = { authTimeoutMs: 50 };
    const bus = await start({ listen: "nonce-tcp:host=127.0.0.1", limits });
    const caller = new Caller(bus);
    caller.say("1234");
    await caller.closed;
    expect(log.at(-1)).toContain("did not finish the handshake within 50 ms");
  });
});

describe("a cookie that takes its time", () => {
  const cookie: Cookie = { id: 1, userId: uid, proofOf: () => "proof" };

  test("keeps waiting who asked for it, and nobody else", async () => {
    const waiting: ((found: Cookie | string) => void)[] = [];
    const find: FindCookie = (_, found) => waiting.push(found);
    const bus = await start({ allowsAnonymous: true, find });
    const asker = new Caller(bus);
    asker.say(`\0${COOKIE_AUTH}`);
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    asker.say(`DATA ${Buffer.from("mine proof").toString("hex")}\r\n`);
    await (await connectClient(bus.address, { authentication: ["ANONYMOUS"] })).close();
    expect(asker.text).toBe("");
    waiting[0]?.(cookie);
    await asker.hears(`OK ${bus.guid}\r\n`);
    expect(asker.text).toMatch(/^DATA [0-9a-f]+\r\nOK/);
  });

  test("does not come for who has left, or waited too long", async () => {
    const waiting: ((found: Cookie | string) => void)[] = [];
    const find: FindCookie = (_, found) => waiting.push(found);
    const bus = await start({ find, limits: { authTimeoutMs: 50 } });
    const asker = new Caller(bus);
    asker.say(`\0${COOKIE_AUTH}`);
    await asker.closed;
    expect(log.at(-1)).toContain("did not finish the handshake");
    waiting[0]?.(cookie);
    expect([asker.text, bus.bus.connectionCount]).toEqual(["", 0]);
  });

  test("over a Unix socket: the kernel's process stays, its groups do not", async () => {
    await inScratch(async (home) => {
      const find = new Keyring({ home: () => home }).find;
      const bus = await start({ listen: "unix:tmpdir=/tmp", find, allowsAnonymous: true });
      const rows: [Mechanism, string[]][] = [
        ["DBUS_COOKIE_SHA1", ["ProcessID", "UnixUserID"]],
        ["ANONYMOUS", ["ProcessID"]],
      ];
      for (const [mechanism, keys] of rows) {
        const client = await clientOf(bus, home, [mechanism]);
        const { body } = await client.call({
          ...DRIVER,
          member: "GetConnectionCredentials",
          signature: "s",
          body: [client.uniqueName],
        });
        expect([...(body[0] as Map<string, unknown>).keys()]).toEqual(keys);
        await client.close();
      }
    });
  });

  test("a keyring that is hostile is told in the log, and the attempt is rejected", async () => {
    await inScratch(async (home) => {
      mkdirSync(join(home, ".dbus-keyrings"), { mode: 0o700 });
      writeFileSync(join(home, ".dbus-keyrings/org_freedesktop_general"), "x".repeat(70_000));
      const before = process.env["HOME"];
      process.env["HOME"] = home;
      const bus = await start({});
      const caller = new Caller(bus);
      caller.say(`\0${COOKIE_AUTH}`);
      await caller.hears("REJECTED EXTERNAL DBUS_COOKIE_SHA1 ANONYMOUS\r\n");
      process.env["HOME"] = before;
      expect(log.at(-1)).toContain("has more than 65536 bytes");
    });
  });
});
