/** A peer that does not read cannot use up this process's descriptors. */

import { expect, test } from "@jest/globals";
import { startBus } from "../../bus/start-bus.ts";
import { type Addon, loadAddon } from "../../native/binding.ts";
import { MessageFramer } from "../../wire/framing.ts";
import { type Message, methodCall } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

const LIMIT = 20;
/** One after the other, these fill the receiver's socket and then wait in the bus. */
const PADDING = "x".repeat(20_000);

test("descriptors that wait for a receiver that does not read are limited", async () => {
  const addon = loadAddon();
  const started = await startBus({
    listen: ["unix:tmpdir=/tmp"],
    addon: "required",
    limits: { maxOutgoingUnixFds: LIMIT },
  });
  const path = /path=([^,]+)/.exec(started.address)?.[1] ?? "";
  const sender = await NativePeer.join(addon, path);
  const receiver = await NativePeer.join(addon, path);

  const errors: (string | null)[] = [];
  for (let i = 0; i < 100 && errors.length === 0; i++) {
    sender.send(receiver.uniqueName, [0, 1]);
    await sender.driver("GetId");
    errors.push(...sender.take().map(({ errorName }) => errorName));
  }
  expect(errors).toEqual(["org.freedesktop.DBus.Error.LimitsExceeded"]);

  // The receiver reads on and gets what was accepted; then there is room again.
  await receiver.driver("GetId");
  const got = receiver.take().length;
  expect(got).toBeGreaterThan(LIMIT / 2);
  sender.send(receiver.uniqueName, [0, 1]);
  await sender.driver("GetId");
  expect(sender.take()).toEqual([]);
  sender.close();
  receiver.close();
  await started.stop();
});

/** A raw peer over the addon's plain socket calls, which reads only when it waits for a reply. */
class NativePeer {
  uniqueName = "";
  readonly #addon: Addon;
  readonly #descriptor: number;
  readonly #framer = new MessageFramer();
  readonly #buffer = new Uint8Array(1 << 20);
  #received: Message[] = [];
  #handshake = "";
  #serial = 0;

  constructor(addon: Addon, path: string) {
    this.#addon = addon;
    this.#descriptor = addon.connectUnix(path, false);
  }

  static async join(addon: Addon, path: string): Promise<NativePeer> {
    const peer = new NativePeer(addon, path);
    const identity = Buffer.from(String(process.geteuid?.())).toString("hex");
    const start = `\0AUTH EXTERNAL ${identity}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`;
    addon.send(peer.#descriptor, Buffer.from(start), []);
    const reply = await peer.driver("Hello");
    peer.uniqueName = String(reply.body[0]);
    peer.take();
    return peer;
  }

  send(destination: string, descriptors: number[]): void {
    const message = methodCall({
      destination,
      path: "/",
      member: "Keep",
      signature: "s",
      body: [PADDING],
      unixFds: descriptors.length,
    });
    const bytes = encodeMessage(message, ++this.#serial);
    expect(this.#addon.send(this.#descriptor, bytes, descriptors)).toBe(bytes.length);
  }

  async driver(member: string): Promise<Message> {
    const call = methodCall({
      destination: DRIVER_NAME,
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
    });
    const serial = ++this.#serial;
    this.#addon.send(this.#descriptor, encodeMessage(call, serial), []);
    for (;;) {
      const at = this.#received.findIndex(({ replySerial }) => replySerial === serial);
      if (at >= 0) return this.#received.splice(at, 1)[0] as Message; // just found
      await new Promise(setImmediate);
      this.#read();
    }
  }

  take(): Message[] {
    return this.#received.splice(0);
  }

  close(): void {
    this.#addon.closeDescriptor(this.#descriptor);
  }

  #read(): void {
    const { byteLength, descriptors } = this.#addon.receive(this.#descriptor, this.#buffer, 253);
    for (const descriptor of descriptors) this.#addon.closeDescriptor(descriptor);
    if (byteLength <= 0) return;
    let bytes = this.#buffer.slice(0, byteLength);
    if (!this.#handshake.includes("AGREE_UNIX_FD\r\n")) {
      const text = Buffer.from(bytes).toString("latin1");
      const end = text.indexOf("AGREE_UNIX_FD\r\n") + 15;
      this.#handshake += text.slice(0, end);
      bytes = bytes.subarray(end);
    }
    for (const whole of this.#framer.push(bytes)) this.#received.push(decodeMessage(whole));
  }
}
