/** A D-Bus client over node:net that writes what it is told, byte for byte. */

import { connect, type Socket } from "node:net";
import { MessageFramer } from "../../wire/framing.ts";
import { type Message, type MethodCallOptions, methodCall } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

const identity = Buffer.from(String(process.geteuid?.())).toString("hex");

/** What a client writes first; the bus answers with one line. */
export const HANDSHAKE: Buffer = Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`);

export class RawClient {
  readonly socket: Socket;
  /** Messages that no reader has asked for yet. */
  readonly received: Message[] = [];
  uniqueName = "";
  #serial = 0;
  #line = "";
  readonly #framer = new MessageFramer();
  readonly #readers: ((message: Message) => void)[] = [];
  readonly #closed: Promise<void>;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on("data", (chunk) => this.#take(chunk));
    // Tests that end a connection look at `closed`.
    this.socket.on("error", () => {});
    this.#closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
  }

  /** A client that has said Hello. */
  static async join(path: string): Promise<RawClient> {
    const client = new RawClient(path);
    client.socket.write(HANDSHAKE);
    client.driver("Hello");
    const [hello] = await client.read(2);
    client.uniqueName = String(hello?.body[0]);
    return client;
  }

  /** The line that the bus answered the handshake with. */
  get handshake(): string {
    return this.#line;
  }

  encode(message: Message): Uint8Array {
    return encodeMessage(message, ++this.#serial, this.#serial % 2 === 0);
  }

  send(message: Message): void {
    this.socket.write(this.encode(message));
  }

  call(options: MethodCallOptions): void {
    this.send(methodCall(options));
  }

  driver(member: string, signature = "", body: readonly unknown[] = []): void {
    this.call({
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
      destination: DRIVER_NAME,
      signature,
      body,
    });
  }

  /** The next `count` messages. */
  async read(count = 1): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) {
      const waiting = this.received.shift();
      messages.push(waiting ?? (await new Promise((resolve) => this.#readers.push(resolve))));
    }
    return messages;
  }

  /** Resolves when the connection is no more, whoever ended it. */
  async closed(): Promise<void> {
    await this.#closed;
  }

  async leave(): Promise<void> {
    this.socket.destroy();
    await this.#closed;
  }

  #take(chunk: Uint8Array): void {
    let bytes = chunk;
    if (!this.#line.endsWith("\r\n")) {
      const end = Buffer.from(bytes).indexOf("\r\n");
      const length = end < 0 ? bytes.length : end + 2;
      this.#line += Buffer.from(bytes.subarray(0, length)).toString("latin1");
      bytes = bytes.subarray(length);
    }
    for (const whole of this.#framer.push(bytes)) {
      const message = decodeMessage(whole);
      const reader = this.#readers.shift();
      if (reader === undefined) this.received.push(message);
      else reader(message);
    }
  }
}
