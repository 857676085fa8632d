/** A peer of an in-process bus whose verbs read as sentences. */

import type { Bus } from "../../bus/bus.ts";
import type { Credentials } from "../../transport/credentials.ts";
import type { MemoryEnd } from "../../transport/memory-transport.ts";
import { MessageFramer } from "../../wire/framing.ts";
import { type Message, type MethodCallOptions, methodCall } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageType } from "../../wire/protocol.ts";

export class MemoryPeer {
  readonly end: MemoryEnd;
  /** Everything that came except replies to `call`, in order. */
  readonly received: Message[] = [];
  /** The lines of the handshake. */
  handshake = "";
  uniqueName = "";
  isClosed = false;
  #serial = 0;
  #inHandshake: boolean;
  readonly #framer = new MessageFramer();
  readonly #calls: Map<number, (reply: Message) => void> = new Map();
  #closing: (() => void)[] = [];

  constructor(end: MemoryEnd, isPastHandshake = false) {
    this.end = end;
    this.#inHandshake = !isPastHandshake;
    end.onBytes = (bytes) => this.#take(bytes);
    end.onClose = () => {
      this.isClosed = true;
      for (const resolve of this.#closing) resolve();
    };
  }

  /** A peer that has said Hello; `credentials`: who it is said to be, by default this process. */
  static async join(bus: Bus, credentials: Partial<Credentials> = {}): Promise<MemoryPeer> {
    const peer = new MemoryPeer(bus.connect(credentials));
    peer.authenticate(credentials.userId ?? undefined);
    const reply = await peer.driver("Hello");
    peer.uniqueName = String(reply.body[0]);
    peer.received.length = 0;
    return peer;
  }

  authenticate(userId: number | undefined = process.geteuid?.()): void {
    const identity = Buffer.from(String(userId)).toString("hex");
    this.end.write(Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`));
  }

  /** Sends a message; its serial. */
  send(message: Message, isLittleEndian = true): number {
    const serial = ++this.#serial;
    this.end.write(encodeMessage(message, serial, isLittleEndian));
    return serial;
  }

  async call(options: MethodCallOptions): Promise<Message> {
    const serial = this.send(methodCall(options));
    return new Promise((resolve) => this.#calls.set(serial, resolve));
  }

  async driver(member: string, signature = "", body: readonly unknown[] = []): Promise<Message> {
    const destination = DRIVER_NAME;
    return this.call({
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
      destination,
      signature,
      body,
    });
  }

  /** Everything received up to now, once the bus has handled all that was sent before. */
  async drain(): Promise<Message[]> {
    await this.driver("GetId");
    return this.received.splice(0);
  }

  async closed(): Promise<void> {
    if (this.isClosed) return;
    await new Promise<void>((resolve) => this.#closing.push(resolve));
  }

  #take(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#inHandshake) {
      // Replies of the handshake come whole, before any message.
      this.handshake += Buffer.from(bytes).toString("latin1");
      if (this.handshake.includes("OK ")) this.#inHandshake = false;
      rest = bytes.subarray(bytes.length);
    }
    for (const whole of this.#framer.push(rest)) this.#dispatch(decodeMessage(whole));
  }

  #dispatch(message: Message): void {
    const isReply = message.type === MessageType.MethodReturn || message.type === MessageType.Error;
    const waiting = isReply ? this.#calls.get(message.replySerial ?? 0) : undefined;
    if (waiting === undefined) this.received.push(message);
    else {
      this.#calls.delete(message.replySerial ?? 0);
      waiting(message);
    }
  }
}
