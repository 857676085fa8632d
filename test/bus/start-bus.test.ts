/** A bus that listens, asked by plain sockets: with the addon and without it. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import type { StartOptions } from "../../bus/options.ts";
import { type StartedBus, startBus } from "../../bus/start-bus.ts";
import type { NameAuthority } from "../../routing/name-authority.ts";
import { methodCall, methodReturn, signal } from "../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import { HANDSHAKE, RawClient } from "../support/raw-client.ts";

const folder = mkdtempSync(join(tmpdir(), "onehop-start-bus-"));
afterAll(() => rmSync(folder, { recursive: true }));

const place = { path: "/org/example", interface: "org.example.Interface", member: "Member" };
const started: StartedBus[] = [];
let count = 0;

afterEach(async () => {
  for (const each of started.splice(0)) await each.stop();
});

describe.each(["required", "none"] as const)("with addon: %s", (addon) => {
  async function start(
    options: Partial<StartOptions> = {},
  ): Promise<{ bus: StartedBus; path: string }> {
    const path = join(folder, `bus-${count++}`);
    const bus = await startBus({ listen: [`unix:path=${path}`], addon, ...options });
    started.push(bus);
    return { bus, path };
  }

  test("a client authenticates, says Hello, and calls another one", async () => {
    const { bus, path } = await start();
    const caller = await RawClient.join(path);
    const callee = await RawClient.join(path);
    expect(caller.handshake).toBe(`OK ${bus.guid}\r\n`);
    expect(bus.address).toBe(`unix:path=${path},guid=${bus.guid}`);
    caller.call({ ...place, destination: callee.uniqueName, signature: "s", body: ["hello"] });
    const [call] = await callee.read();
    if (call === undefined) throw new Error("no call arrived");
    expect([call.sender, call.body]).toEqual([caller.uniqueName, ["hello"]]);
    callee.send(methodReturn(call, { signature: "s", body: ["world"] }));
    const [reply] = await caller.read();
    expect([reply?.sender, reply?.body]).toEqual([callee.uniqueName, ["world"]]);
  });

  test("messages of 3 MiB go both ways, whether rewritten or not", async () => {
    const { path } = await start();
    const caller = await RawClient.join(path);
    const callee = await RawClient.join(path);
    const content = Buffer.from(Array.from({ length: 3 << 20 }, (_, n) => n * 31));
    for (const sender of [null, ":1.77"]) {
      const destination = callee.uniqueName;
      caller.call({ ...place, destination, signature: "ay", body: [content], sender });
      const [call] = await callee.read();
      if (call === undefined) throw new Error("no call arrived");
      expect(call.sender).toBe(caller.uniqueName);
      expect(Buffer.compare(call.body[0] as Uint8Array, content)).toBe(0); // "ay" is a Uint8Array
      callee.send(methodReturn(call, { signature: "ay", body: [content] }));
      const [reply] = await caller.read();
      expect(Buffer.compare(reply?.body[0] as Uint8Array, content)).toBe(0); // as above
    }
  });

  test("thousands of messages in one write arrive in order", async () => {
    const { path } = await start();
    const sender = await RawClient.join(path);
    const receiver = await RawClient.join(path);
    receiver.driver("AddMatch", "s", ["interface='org.example.Interface'"]);
    await receiver.read();
    const messages = Array.from({ length: 5000 }, (_, n) =>
      sender.encode(signal({ ...place, signature: "u", body: [n] })),
    );
    sender.socket.write(Buffer.concat(messages));
    const received = await receiver.read(messages.length);
    expect(received.map(({ body }) => body[0])).toEqual(messages.map((_, n) => n));
  });

  test("a conversation may be cut at every byte", async () => {
    const { bus, path } = await start();
    const client = new RawClient(path);
    const parts = [HANDSHAKE];
    for (const member of ["Hello", "GetId"]) {
      const call = { path: DRIVER_PATH, interface: DRIVER_NAME, member, destination: DRIVER_NAME };
      parts.push(Buffer.from(client.encode(methodCall(call))));
    }
    for (const byte of Buffer.concat(parts)) {
      client.socket.write(Buffer.of(byte));
      await turn();
    }
    const [answer, acquired, id] = await client.read(3);
    expect(answer?.body).toEqual(acquired?.body);
    expect(id?.body).toEqual([bus.guid]);
  });

  test("a peer that closes in the middle of a message is simply gone", async () => {
    const log: string[] = [];
    const { bus, path } = await start({ log: ({ level, text }) => log.push(`${level}: ${text}`) });
    log.length = 0;
    const witness = await RawClient.join(path);
    witness.driver("AddMatch", "s", ["member='NameOwnerChanged'"]);
    await witness.read();
    for (const length of [100, 2 << 20]) {
      const leaver = await RawClient.join(path);
      await witness.read();
      const message = leaver.encode(
        signal({ ...place, signature: "ay", body: [Buffer.alloc(length)] }),
      );
      leaver.socket.end(message.subarray(0, message.length - 50));
      const [change] = await witness.read();
      expect(change?.body).toEqual([leaver.uniqueName, leaver.uniqueName, ""]);
      await leaver.closed();
    }
    expect(bus.bus.connectionCount).toBe(1);
    expect(log).toEqual([]);
  });

  test("a message with nobody to receive it costs nothing afterwards", async () => {
    const { path } = await start();
    const sender = await RawClient.join(path);
    const receiver = await RawClient.join(path);
    const body = [Buffer.alloc(1 << 20)];
    const round = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) {
        sender.send(signal({ ...place, signature: "ay", body }));
        sender.call({ ...place, destination: "org.example.Nobody", signature: "ay", body });
        await sender.read();
        sender.call({
          ...place,
          destination: receiver.uniqueName,
          signature: "ay",
          body,
          flags: 1,
        });
        await receiver.read();
      }
      const partial = await RawClient.join(path);
      partial.socket.write(
        partial.encode(signal({ ...place, signature: "ay", body })).subarray(0, -9),
      );
      await partial.leave();
    };
    await round(20);
    const before = process.memoryUsage().arrayBuffers;
    await round(60);
    // 180 messages of 1 MiB: what garbage is left must be far from that.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(90 << 20);
  });

  test("large messages to a slow reader arrive whole when it reads again", async () => {
    const { bus, path } = await start();
    const sender = await RawClient.join(path);
    const slow = await RawClient.join(path);
    slow.socket.pause();
    const contents = Array.from({ length: 12 }, (_, n) => Buffer.alloc(1 << 20, n + 1));
    for (const content of contents) {
      const destination = slow.uniqueName;
      sender.call({ ...place, destination, signature: "ay", body: [content], flags: 1 });
    }
    sender.driver("GetId");
    await sender.read();
    const connection = bus.bus.directory.findText(slow.uniqueName)?.connection;
    const queued = connection?.queuedBytes(bus.bus.stage.turn) ?? 0;
    expect(queued).toBeGreaterThan(10 << 20);
    expect(queued).toBeLessThan(12 * ((1 << 20) + 400));
    expect(connection?.unsentFrom()).toBeGreaterThan(0);
    expect(connection?.unsentFrom()).toBeLessThan(bus.bus.router.sequence.last);
    slow.socket.resume();
    const received = await slow.read(contents.length);
    for (const [n, { body }] of received.entries()) {
      expect(Buffer.compare(body[0] as Uint8Array, contents[n] ?? Buffer.alloc(0))).toBe(0);
    }
    sender.driver("GetId");
    await sender.read();
    expect(connection?.queuedBytes(bus.bus.stage.turn)).toBe(0);
    expect(connection?.unsentFrom()).toBe(0);
  });

  test("a slow reader is disconnected at its limit, even if it never reads again", async () => {
    const log: string[] = [];
    const limits = { maxOutgoingBytes: 1 << 20 };
    const { bus, path } = await start({ limits, log: ({ text }) => log.push(text) });
    const sender = await RawClient.join(path);
    const slow = await RawClient.join(path);
    slow.driver("AddMatch", "s", ["interface='org.example.Interface'"]);
    await slow.read();
    slow.socket.pause();
    for (let n = 0; n < 8; n++) {
      sender.send(signal({ ...place, signature: "ay", body: [Buffer.alloc(400_000)] }));
    }
    sender.driver("GetId");
    await sender.read();
    expect(log.join()).toContain("it does not read the signals that it subscribed to");
    expect(bus.bus.connectionCount).toBe(1);
    slow.socket.resume();
    await slow.closed();
  });

  test("a peer that waits for a name does not hold up others, and goes on afterwards", async () => {
    const questions: (() => void)[] = [];
    const nameAuthority = (local: NameAuthority): NameAuthority => ({
      hello: (endpoint, answer) => local.hello(endpoint, answer),
      request: (endpoint, name, flags, answer) =>
        questions.push(() => local.request(endpoint, name, flags, answer)),
      release: (endpoint, name, answer) => local.release(endpoint, name, answer),
    });
    const { bus, path } = await start({ nameAuthority });
    const asker = await RawClient.join(path);
    const other = await RawClient.join(path);
    asker.driver("RequestName", "su", ["org.example.Name", 0]);
    asker.driver("GetId");
    while (questions.length === 0) {
      other.driver("GetId");
      await other.read();
    }
    other.driver("GetId");
    expect((await other.read())[0]?.body).toEqual([bus.guid]);
    questions.shift()?.();
    const replies = await asker.read(3);
    expect(replies.map(({ body }) => body)).toEqual([["org.example.Name"], [1], [bus.guid]]);
    // Nothing else is under way now: the answer alone has to get through.
    asker.driver("RequestName", "su", ["org.example.Other", 0]);
    while (questions.length === 0) await turn();
    await turn();
    questions.shift()?.();
    const last = await asker.read(2);
    expect(last.map(({ body }) => body)).toEqual([["org.example.Other"], [1]]);
  });

  test("a peer that does not finish its handshake is disconnected in time", async () => {
    const { path } = await start({ limits: { authTimeoutMs: 30 } });
    const idle = new RawClient(path);
    idle.socket.write(HANDSHAKE.subarray(0, 10));
    await idle.closed();
  });

  test("two hundred connections leave no descriptor behind", async () => {
    const { bus, path } = await start();
    const witness = await RawClient.join(path);
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    const before = descriptors();
    for (let n = 0; n < 10; n++) {
      const clients = Array.from({ length: 20 }, () => RawClient.join(path));
      for (const client of await Promise.all(clients)) await client.leave();
    }
    while (bus.bus.connectionCount > 1) {
      witness.driver("GetId");
      await witness.read();
    }
    witness.driver("GetId");
    await witness.read();
    await turn();
    expect(descriptors()).toBe(before);
  });

  test("stopping disconnects everybody, removes the socket file, and leaves nothing open", async () => {
    const handles = process.getActiveResourcesInfo().length;
    const descriptors = readdirSync("/proc/self/fd").length;
    const { bus, path } = await start();
    expect(existsSync(path)).toBe(true);
    const client = await RawClient.join(path);
    const slow = await RawClient.join(path);
    slow.socket.pause();
    for (let n = 0; n < 4; n++) {
      const destination = slow.uniqueName;
      client.send(
        signal({ ...place, destination, signature: "ay", body: [Buffer.alloc(1 << 20)] }),
      );
    }
    client.driver("GetId");
    await client.read();
    await bus.stop();
    started.length = 0;
    await client.closed();
    slow.socket.resume();
    await slow.closed();
    expect(existsSync(path)).toBe(false);
    await turn();
    await turn();
    expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(descriptors);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(handles);
  });
});
