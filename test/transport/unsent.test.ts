/** What is still unsent is known after each flush, per receiver, in bytes and by sequence number. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Bus, createBus } from "../../bus/bus.ts";
import { startBus } from "../../bus/start-bus.ts";
import { type Addon, loadAddon } from "../../native/binding.ts";
import type { Connection } from "../../transport/connection.ts";
import { methodCall, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { HANDSHAKE, RawClient } from "../support/raw-client.ts";

const folder = mkdtempSync(join(tmpdir(), "onehop-unsent-"));
afterAll(() => rmSync(folder, { recursive: true }));

const place = { path: "/org/example", interface: "org.example.Interface", member: "Member" };

function connectionOf(bus: Bus, name: string): Connection {
  const connection = bus.directory.findText(name)?.connection;
  if (connection === undefined) throw new Error(`${name} is not connected`);
  return connection;
}

test("a memory connection that is not read counts every byte and names its oldest message", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.nat(2000), fc.constant(null)), { minLength: 1, maxLength: 12 }),
      async (steps) => {
        const bus = createBus();
        const sender = await MemoryPeer.join(bus);
        const receiver = await MemoryPeer.join(bus);
        const connection = connectionOf(bus, receiver.uniqueName);
        let received = 0;
        let isReading = true;
        const whole = receiver.end.onBytes;
        receiver.end.onBytes = (bytes) => {
          received += bytes.length;
          whole(bytes);
        };
        let sent = 0;
        let oldest = 0;
        for (const step of steps) {
          if (step === null) {
            isReading = !isReading;
            receiver.end.setReading(isReading);
          } else {
            const destination = receiver.uniqueName;
            const message = signal({
              ...place,
              destination,
              signature: "ay",
              body: [Buffer.alloc(step)],
            });
            sender.send(message);
            const stitched = encodeMessage(message, 1).length + 16;
            sent += stitched;
            if (!isReading && oldest === 0) oldest = bus.router.sequence.last + 1;
          }
          await turn();
          if (isReading) oldest = 0;
          expect(connection.queuedBytes(bus.stage.turn)).toBe(sent - received);
          expect(connection.unsentFrom()).toBe(oldest);
          if (isReading) expect(received).toBe(sent);
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** A client over the addon's own calls, which reads only what it is told to read. */
class SyncClient {
  readonly #addon: Addon;
  readonly #descriptor: number;

  constructor(addon: Addon, path: string) {
    this.#addon = addon;
    this.#descriptor = addon.connectUnix(path, false);
    expect(this.#descriptor).toBeGreaterThan(0);
  }

  write(bytes: Uint8Array): void {
    expect(this.#addon.send(this.#descriptor, bytes, [])).toBe(bytes.length);
  }

  /** All that the kernel has for it now. */
  read(most = Number.POSITIVE_INFINITY): Buffer {
    const chunks: Buffer[] = [];
    let length = 0;
    while (length < most) {
      const into = Buffer.alloc(Math.min(65536, most - length));
      const { byteLength } = this.#addon.receive(this.#descriptor, into, 0);
      if (byteLength <= 0) break;
      chunks.push(into.subarray(0, byteLength));
      length += byteLength;
    }
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#addon.closeDescriptor(this.#descriptor);
  }
}

test("a socket whose buffer is full counts what the kernel has not taken, to the byte", async () => {
  const addon = loadAddon();
  const path = join(folder, "exact");
  const started = await startBus({ listen: [`unix:path=${path}`], addon: "required" });
  const { bus } = started;
  const sender = await RawClient.join(path);
  const slow = new SyncClient(addon, path);
  slow.write(HANDSHAKE);
  const hello = { path: DRIVER_PATH, interface: DRIVER_NAME, member: "Hello" };
  slow.write(encodeMessage(methodCall({ ...hello, destination: DRIVER_NAME }), 1));
  let greeting = "";
  while (!greeting.includes("NameAcquired")) {
    greeting += slow.read().toString("latin1");
    await turn();
  }
  const connection = connectionOf(bus, ":1.1");
  const before = bus.router.sequence.last;
  const lengths = Array.from({ length: 30 }, (_, n) => (n % 3 === 0 ? 100_000 : 5000 + n));
  const ends: number[] = [];
  let total = 0;
  for (const length of lengths) {
    const message = signal({
      ...place,
      destination: ":1.1",
      signature: "ay",
      body: [Buffer.alloc(length)],
    });
    sender.send(message);
    total += encodeMessage(message, 1).length + 16;
    ends.push(total);
  }
  sender.driver("GetId");
  await sender.read();

  let received = 0;
  const check = (): void => {
    const inKernel = slow.read();
    received += inKernel.length;
    const done = ends.filter((end) => end <= received).length;
    expect(connection.queuedBytes(bus.stage.turn)).toBe(total - received);
    expect(connection.unsentFrom()).toBe(done === ends.length ? 0 : before + 1 + done);
  };
  expect(connection.queuedBytes(bus.stage.turn)).toBeGreaterThan(100_000);
  while (received < total) {
    check();
    // The poller writes on when there is room, which is a turn of its own.
    sender.driver("GetId");
    await sender.read();
  }
  check();
  expect(connection.unsentFrom()).toBe(0);
  slow.close();
  await sender.leave();
  await started.stop();
});

test("a stream counts at least what the kernel has not taken, and nothing when all is taken", async () => {
  const path = join(folder, "stream");
  const started = await startBus({ listen: [`unix:path=${path}`], addon: "none" });
  const { bus } = started;
  const sender = await RawClient.join(path);
  const slow = await RawClient.join(path);
  const connection = connectionOf(bus, slow.uniqueName);
  slow.socket.pause();
  const before = bus.router.sequence.last;
  const count = 40;
  for (let n = 0; n < count; n++) {
    const body = [Buffer.alloc(50_000, n)];
    sender.send(signal({ ...place, destination: slow.uniqueName, signature: "ay", body }));
  }
  sender.driver("GetId");
  await sender.read();
  expect(connection.unsentFrom()).toBeGreaterThan(before);
  expect(connection.unsentFrom()).toBeLessThanOrEqual(before + count);
  expect(connection.queuedBytes(bus.stage.turn)).toBeGreaterThan(count * 50_000 - (1 << 20));
  slow.socket.resume();
  const received = await slow.read(count);
  expect(received.map(({ body }) => (body[0] as Uint8Array)[0])).toEqual(received.map((_, n) => n)); // "ay"
  sender.driver("GetId");
  await sender.read();
  expect(connection.unsentFrom()).toBe(0);
  expect(connection.queuedBytes(bus.stage.turn)).toBe(0);
  await sender.leave();
  await slow.leave();
  await started.stop();
});
