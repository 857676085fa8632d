/** A raw client: authenticates, sends whatever it is told to, and lets a case wait for what comes back. */

import type { Link, LinkEvents, PassedFile } from "./link.ts";
import {
  concatenate,
  type Draft,
  decode,
  encode,
  type Message,
  messageLength,
  Type,
} from "./wire.ts";

export const DRIVER = "org.freedesktop.DBus";
export const DRIVER_PATH = "/org/freedesktop/DBus";
export const PROPERTIES = "org.freedesktop.DBus.Properties";
export const PEER = "org.freedesktop.DBus.Peer";
export const INTROSPECTABLE = "org.freedesktop.DBus.Introspectable";
export const MONITORING = "org.freedesktop.DBus.Monitoring";
export const STATS = "org.freedesktop.DBus.Debug.Stats";

/**
 * A case that waits longer than this has failed. No bus needs a hundredth of it on a machine that has nothing else to do;
 * an excused case often waits in vain, and is given less.
 */
export const patience: { ms: number } = { ms: 10_000 };

/** A message with the descriptors that came with it. */
export type Arrival = Message & { readonly files: readonly PassedFile[] };

/** What a client does before a case gets it. */
export interface ClientOptions {
  /** "nothing": no byte is sent. "begin": authenticated, no Hello. Default "hello". */
  readonly until?: "nothing" | "begin" | "hello";
  /** Ask for the passing of descriptors; default false. */
  readonly negotiateFds?: boolean;
  /** Authenticate as nobody; default false. */
  readonly isAnonymous?: boolean;
}

export class Client implements LinkEvents {
  /** Given by Hello; "" before it. */
  uniqueName = "";
  /** The GUID of the bus as told by OK. */
  guid = "";
  #link: Link | null = null;
  #isFramed = false;
  #isClosed = false;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  readonly #files: PassedFile[] = [];
  readonly #inbox: Arrival[] = [];
  #serial = 0;
  #wake: (() => void) | null = null;

  async open(
    open: (events: LinkEvents) => Promise<Link>,
    options: ClientOptions = {},
  ): Promise<this> {
    this.#link = await open(this);
    const until = options.until ?? "hello";
    if (until !== "nothing") {
      await this.authenticate(options.negotiateFds ?? false, options.isAnonymous ?? false);
    }
    if (until === "hello") await this.hello();
    return this;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The process the bus sees at the other end. */
  get processId(): number {
    return this.#open().processId;
  }

  // Authentication

  /** EXTERNAL with the identity the kernel tells the bus, or ANONYMOUS; then BEGIN. */
  async authenticate(negotiateFds = false, isAnonymous = false): Promise<void> {
    if (isAnonymous) {
      this.sendText("\0AUTH ANONYMOUS\r\n");
    } else {
      this.sendText("\0AUTH EXTERNAL\r\n");
      await this.expectLine(/^DATA/);
      this.sendText("DATA\r\n");
    }
    this.guid = (await this.expectLine(/^OK ([0-9a-f]{32})$/))[1] ?? "";
    if (negotiateFds) {
      this.sendText("NEGOTIATE_UNIX_FD\r\n");
      await this.expectLine(/^AGREE_UNIX_FD$/);
    }
    this.sendText("BEGIN\r\n");
    this.startMessages();
  }

  async hello(): Promise<void> {
    const reply = await this.call("Hello");
    this.uniqueName = String(reply.arguments[0]);
    await this.drain();
  }

  /** From here on what arrives is messages, not lines. */
  startMessages(): void {
    this.#isFramed = true;
    this.#cutMessages();
  }

  /** The next SASL line; null when the bus hangs up instead. */
  async line(): Promise<string | null> {
    let end = -1;
    const arrived = (): boolean => {
      end = this.#joined().indexOf("\r\n");
      return end >= 0;
    };
    await this.#until("a SASL line", () => arrived() || this.#isClosed);
    if (end < 0) return null;
    const all = Buffer.from(this.#joined());
    this.#keep(all.subarray(end + 2));
    return all.toString("latin1", 0, end);
  }

  async expectLine(pattern: RegExp): Promise<RegExpExecArray> {
    const line = await this.line();
    const match = pattern.exec(line ?? "");
    if (match === null) throw new Error(`expected a line like ${pattern}, got ${line}`);
    return match;
  }

  // Sending

  sendText(text: string): void {
    this.sendBytes(Buffer.from(text, "latin1"));
  }

  sendBytes(bytes: Uint8Array, files: readonly string[] = []): void {
    this.#open().send(bytes, files);
  }

  flushed(): Promise<void> {
    return this.#open().flushed();
  }

  /** Sends `draft` and returns its serial. `files` are the contents of descriptors to pass. */
  send(draft: Draft, files: readonly string[] = []): number {
    const serial = draft.serial ?? this.takeSerial();
    this.sendBytes(encode(draft, serial), files);
    return serial;
  }

  /** A serial of this client that no other message of it uses. */
  takeSerial(): number {
    return ++this.#serial;
  }

  /** Sends a method call to the driver, or to whom `draft` says, and returns its serial. */
  sendCall(member: string, draft: Partial<Draft> = {}): number {
    return this.send({
      type: Type.Call,
      path: DRIVER_PATH,
      interface: DRIVER,
      destination: DRIVER,
      member,
      ...draft,
    });
  }

  /** Calls the driver, or whom `draft` says, and waits for its return or error. */
  call(member: string, draft: Partial<Draft> = {}): Promise<Arrival> {
    return this.replyTo(this.sendCall(member, draft));
  }

  /** Calls the driver with strings (and numbers) as arguments and returns its first result. */
  async ask(
    member: string,
    signature = "",
    ...values: readonly (string | number)[]
  ): Promise<Arrival> {
    const reply = await this.call(member, { signature, arguments: values });
    if (reply.type !== Type.Return) {
      throw new Error(`${member}: ${reply.errorName}: ${reply.arguments[0]}`);
    }
    return reply;
  }

  addMatch(rule: string): Promise<Arrival> {
    return this.ask("AddMatch", "s", rule);
  }

  removeMatch(rule: string): Promise<Arrival> {
    return this.ask("RemoveMatch", "s", rule);
  }

  /** RequestName; returns its result code. */
  async requestName(name: string, flags = 0): Promise<number> {
    return Number((await this.ask("RequestName", "su", name, flags)).arguments[0]);
  }

  async releaseName(name: string): Promise<number> {
    return Number((await this.ask("ReleaseName", "s", name)).arguments[0]);
  }

  // Receiving

  /** Waits for the reply to `serial`; what else arrives stays in the inbox. */
  async replyTo(serial: number): Promise<Arrival> {
    return this.first(
      (message) => message.replySerial === serial && message.type !== Type.Signal,
      `the reply to ${serial}`,
    );
  }

  /** Waits for the first message that `isWanted`, and takes it out of the inbox. */
  async first(
    isWanted: (message: Arrival) => boolean,
    what = "a message",
    deadlineMs: number = patience.ms,
  ): Promise<Arrival> {
    let at = -1;
    const arrived = (): boolean => {
      at = this.#inbox.findIndex(isWanted);
      return at >= 0 || this.#isClosed;
    };
    await this.#until(what, arrived, deadlineMs);
    const [message] = at < 0 ? [] : this.#inbox.splice(at, 1);
    if (message === undefined) throw new Error(`the bus hung up; awaited was ${what}`);
    return message;
  }

  /** The next message, whatever it is. */
  next(): Promise<Arrival> {
    return this.first(() => true);
  }

  /** Everything that the bus sent before it answered a GetId sent now. */
  drain(): Promise<Arrival[]> {
    const serial = this.sendCall("GetId");
    return this.before(
      ({ replySerial, sender }) => replySerial === serial && sender === DRIVER,
      "the barrier",
    );
  }

  /** Waits for the first message that `isLast`, and takes it with all that came before, which it returns. */
  async before(isLast: (message: Arrival) => boolean, what: string): Promise<Arrival[]> {
    let end = -1;
    await this.#until(what, () => {
      end = this.#inbox.findIndex(isLast);
      return end >= 0 || this.#isClosed;
    });
    if (end < 0) throw new Error(`the bus hung up; awaited was ${what}`);
    return this.#inbox.splice(0, end + 1).slice(0, -1);
  }

  /** Waits until the bus has hung up; returns what it said before. */
  async disconnected(): Promise<Arrival[]> {
    await this.#until("the end of the connection", () => this.#isClosed);
    return this.#inbox.splice(0);
  }

  /** Leaves what comes from now on in the socket, which fills. */
  stopReading(): void {
    this.#open().stopReading();
  }

  close(): void {
    this.#link?.close();
  }

  // LinkEvents

  onBytes(bytes: Uint8Array, files: readonly PassedFile[]): void {
    this.#files.push(...files);
    this.#chunks.push(bytes);
    this.#buffered += bytes.length;
    if (this.#isFramed) this.#cutMessages();
    this.#wake?.();
  }

  onClosed(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  #open(): Link {
    if (this.#link === null) throw new Error("not connected yet");
    return this.#link;
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [concatenate(this.#chunks)];
    const [whole = new Uint8Array()] = this.#chunks;
    return Buffer.from(whole.buffer, whole.byteOffset, whole.length);
  }

  #keep(rest: Uint8Array): void {
    this.#chunks = [rest];
    this.#buffered = rest.length;
  }

  #cutMessages(): void {
    const needed = (): number | null => {
      if ((this.#chunks[0]?.length ?? 0) < 16) this.#joined();
      return messageLength(this.#chunks[0] ?? new Uint8Array());
    };
    for (let length = needed(); length !== null && length <= this.#buffered; length = needed()) {
      const all = this.#joined();
      const message = decode(all.subarray(0, length));
      this.#inbox.push(Object.assign(message, { files: this.#files.splice(0, message.unixFds) }));
      this.#keep(all.subarray(length));
    }
  }

  async #until(
    what: string,
    isReached: () => boolean,
    deadlineMs: number = patience.ms,
  ): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (!isReached()) {
      const remaining = deadline - Date.now();
      if (remaining <= 0) {
        throw new Error(`nothing came for ${deadlineMs} ms; awaited was ${what}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, remaining);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }
}
