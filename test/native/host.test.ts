/** A poller that hosts libuv's loop: what else the loop has to do is done, and neither starves the other. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { addon, Rig, text } from "./rig.ts";

let rig: Rig;
let slot: number;
let peer: number;

beforeEach(() => {
  rig = new Rig({ isHost: true });
  ({ slot, peer } = rig.connect());
});

afterEach(() => {
  rig.poller.stop();
  addon.closeDescriptor(peer);
});

/** The peer says this, and it arrives. */
async function hear(words: string): Promise<void> {
  const before = rig.input(slot).length;
  addon.send(peer, Buffer.from(words), []);
  await rig.until(() => rig.input(slot).length > before);
  expect(text(rig.input(slot).subarray(before))).toBe(words);
}

test("messages arrive, and what is staged for them leaves in the same turn", async () => {
  rig.onRecord = () => {
    rig.stage(slot, 1, Buffer.from("answer"));
    return undefined;
  };
  await hear("question");
  const answer = new Uint8Array(10);
  expect(addon.receive(peer, answer, 0).byteLength).toBe(6);
});

test("timers expire in their order, though nobody sends anything", async () => {
  const expired: number[] = [];
  await Promise.all([30, 1, 10].map((ms) => delay(ms).then(() => expired.push(ms))));
  expect(expired).toEqual([1, 10, 30]);
  await hear("still there");
});

test("a timer that is set in a turn expires", async () => {
  let isExpired = false;
  const expired = new Promise<void>((done) => {
    rig.onTurn = () => {
      setTimeout(() => {
        isExpired = true;
        done();
      }, 2);
    };
  });
  await hear("set it");
  await expired;
  expect(isExpired).toBe(true);
});

test("descriptors that libuv begins to watch in a turn are watched", async () => {
  const answered = new Promise<string>((done) => {
    rig.onTurn = () => {
      const child = spawn("cat", { stdio: ["pipe", "pipe", "ignore"] });
      child.stdout.once("data", (data: Buffer) => {
        child.stdin.end();
        child.once("close", () => done(String(data)));
      });
      child.stdin.write("through a pipe");
    };
  });
  await hear("begin");
  rig.onTurn = () => undefined;
  expect(await answered).toBe("through a pipe");
});

test("immediates, the thread pool and sockets of net get their turn", async () => {
  await new Promise<void>((done) => setImmediate(done));
  expect((await readFile(import.meta.filename, "utf8")).length).toBeGreaterThan(100);
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1"); // it listens
  client.write("echo");
  const [data] = await once(client, "data");
  expect(String(data)).toBe("echo");
  client.destroy();
  server.close();
  await once(server, "close");
  await hear("and so does the bus");
});

test("a peer that always has more does not keep timers and immediates from their turn", async () => {
  let isOver = false;
  rig.onTurn = () => {
    if (!isOver) addon.send(peer, Buffer.from("more"), []);
  };
  addon.send(peer, Buffer.from("more"), []);
  await delay(5);
  await new Promise<void>((done) => setImmediate(done));
  await readFile(import.meta.filename);
  isOver = true;
  expect(rig.input(slot).length).toBeGreaterThan(8);
});

test("what is waited for outside of turns does not keep the bus waiting", async () => {
  for (let i = 0; i < 100; i++) {
    await new Promise<void>((done) => setImmediate(done));
    await hear(`${i}`);
  }
});

test("another poller of the same loop is a guest", async () => {
  const guest = new Rig();
  const other = guest.connect();
  addon.send(other.peer, Buffer.from("guest"), []);
  await guest.until(() => guest.input(other.slot).length > 0);
  await hear("host");
  expect(text(guest.input(other.slot))).toBe("guest");
  guest.poller.stop();
  addon.closeDescriptor(other.peer);
});
