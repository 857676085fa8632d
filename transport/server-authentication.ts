/**
 * The server's side of the authentication protocol: bytes in, bytes out, no I/O.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol-states-server
 *
 *     credentials ──NUL──▶ auth ──AUTH──▶ begin ──BEGIN──▶ done
 *                           ▲ │ ▲           │
 *                           │ └─┼──▶ data ──┘     any state ──violation──▶ failed
 *                           └───┴─ REJECTED
 *
 * The answers are those of dbus-daemon 1.14.10, word for word; test/transport compares them. Who the
 * peer is was told by the kernel when it connected: EXTERNAL only lets it say which identity it wants,
 * and the only one it can have is that one.
 */

import type { Memory } from "../wire/memory.ts";
import { decodeHex, userIdOf } from "./authentication/external.ts";
import { commandOf, isPlainAscii, LineReader, quoted } from "./authentication/line.ts";

/** What dbus-daemon buffers of a line, or of answers, before it gives up on a peer. */
const MAX_LINE_BYTES = 16384;
/** How often dbus-daemon says REJECTED: with the sixth it disconnects. */
const MAX_REJECTIONS = 6;

/** Where a handshake stands: what it waits for, or how it ended. */
export type ServerAuthenticationState =
  | "credentials"
  | "auth"
  | "data"
  | "begin"
  | "done"
  | "failed";

export interface ServerAuthenticationOptions {
  /** 32 hexadecimal digits, sent with OK. */
  readonly guid: string;
  /** Names that REJECTED lists. Only EXTERNAL is carried out; any other is rejected when tried. */
  readonly mechanisms: readonly string[];
  /** The peer's user as the kernel tells it, or null if nobody vouches for the peer. */
  readonly peerUserId: number | null;
  /** May NEGOTIATE_UNIX_FD be agreed to? */
  readonly allowsDescriptors: boolean;
  /** The longest line with its CR LF, and the most bytes of replies that may wait; 16384. */
  readonly maxLineBytes?: number;
  /** The handshake fails when it has said REJECTED this often; 6. */
  readonly maxRejections?: number;
}

/** Everything a handshake is, as plain data that survives JSON. */
export interface ServerAuthenticationRecord extends Required<ServerAuthenticationOptions> {
  readonly state: ServerAuthenticationState;
  readonly rejections: number;
  readonly userId: number | null;
  readonly descriptorsNegotiated: boolean;
  readonly failure: string;
  /** The beginning of a line, a character for each byte. */
  readonly partialLine: string;
  readonly reply: string;
}

export class ServerAuthentication {
  readonly #options: Required<ServerAuthenticationOptions>;
  #reader: LineReader;
  #state: ServerAuthenticationState = "credentials";
  #rejections = 0;
  #userId: number | null = null;
  #descriptorsNegotiated = false;
  #failure = "";
  #reply = "";

  constructor(options: ServerAuthenticationOptions) {
    this.#options = {
      guid: options.guid,
      mechanisms: options.mechanisms,
      peerUserId: options.peerUserId,
      allowsDescriptors: options.allowsDescriptors,
      maxLineBytes: options.maxLineBytes ?? MAX_LINE_BYTES,
      maxRejections: options.maxRejections ?? MAX_REJECTIONS,
    };
    this.#reader = new LineReader(this.#options.maxLineBytes);
  }

  /** Takes up the handshake where `snapshot` found it. */
  static restore(record: ServerAuthenticationRecord): ServerAuthentication {
    const authentication = new ServerAuthentication(record);
    authentication.#reader = new LineReader(record.maxLineBytes, record.partialLine);
    authentication.#state = record.state;
    authentication.#rejections = record.rejections;
    authentication.#userId = record.userId;
    authentication.#descriptorsNegotiated = record.descriptorsNegotiated;
    authentication.#failure = record.failure;
    authentication.#reply = record.reply;
    return authentication;
  }

  get state(): ServerAuthenticationState {
    return this.#state;
  }

  /** BEGIN has been received: what follows is messages. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** The user the peer acts for, or null as long as it has not been told OK. */
  get userId(): number | null {
    return this.#userId;
  }

  /** AGREE_UNIX_FD was sent. As in dbus-daemon that stays so even if the peer then starts over. */
  get descriptorsNegotiated(): boolean {
    return this.#descriptorsNegotiated;
  }

  /** Why `receive` returned -1, fit for a log; "" as long as it has not. */
  get failure(): string {
    return this.#failure;
  }

  /**
   * Takes the bytes [offset, end) and returns how many it consumed: all of them, unless BEGIN was
   * among them; what follows that is left for the message stream. -1 says that the connection has to
   * be closed, after what `takeReply` still has was sent.
   */
  receive(memory: Memory, offset: number, end: number): number {
    const bytes = memory.bytes;
    let at = offset;
    if (this.#state === "credentials" && at < end) {
      // The byte that carries credentials on systems that have no SO_PEERCRED.
      if (bytes[at] !== 0) return this.#fail("the first byte is not NUL");
      this.#state = "auth";
      at++;
    }
    while (at < end && this.#isOpen()) {
      const consumed = this.#reader.read(bytes, at, end);
      if (consumed < 0) {
        return this.#fail(`a line is longer than ${this.#options.maxLineBytes} bytes`);
      }
      at += consumed;
      const line = this.#reader.line;
      if (line === null) break;
      this.#obey(line);
      if (this.#reply.length > this.#options.maxLineBytes) {
        return this.#fail("the peer asks for more than it reads");
      }
    }
    return this.#state === "failed" ? -1 : at - offset;
  }

  /** What has to be sent to the peer since the last call: ASCII, or "" for nothing. */
  takeReply(): string {
    const reply = this.#reply;
    this.#reply = "";
    return reply;
  }

  /** The handshake as plain data; `restore` makes an equal one. */
  snapshot(): ServerAuthenticationRecord {
    return {
      ...this.#options,
      mechanisms: [...this.#options.mechanisms],
      state: this.#state,
      rejections: this.#rejections,
      userId: this.#userId,
      descriptorsNegotiated: this.#descriptorsNegotiated,
      failure: this.#failure,
      partialLine: this.#reader.partial,
      reply: this.#reply,
    };
  }

  #isOpen(): boolean {
    return this.#state !== "done" && this.#state !== "failed";
  }

  #obey(line: string): void {
    if (!isPlainAscii(line)) {
      this.#error("Command contained non-ASCII");
      return;
    }
    const { name, argument } = commandOf(line);
    switch (this.#state) {
      case "auth":
        this.#inAuth(name, argument);
        break;
      case "data":
        this.#inData(name, argument);
        break;
      case "begin":
        this.#inBegin(name);
        break;
      case "credentials":
      case "done":
      case "failed":
        break;
    }
  }

  #inAuth(name: string, argument: string): void {
    switch (name) {
      case "AUTH":
        this.#auth(argument);
        break;
      case "CANCEL":
      case "DATA":
        this.#error("Not currently in an auth conversation");
        break;
      case "BEGIN":
        this.#fail("BEGIN before authentication");
        break;
      case "ERROR":
        this.#reject(`the peer sent ${quoted(`ERROR ${argument}`)}`);
        break;
      case "NEGOTIATE_UNIX_FD":
        this.#error("Need to authenticate first");
        break;
      default:
        this.#error("Unknown command");
    }
  }

  #inData(name: string, argument: string): void {
    switch (name) {
      case "AUTH":
        this.#error("Sent AUTH while another AUTH in progress");
        break;
      case "CANCEL":
      case "ERROR":
        this.#reject(`the peer sent ${name}`);
        break;
      case "DATA":
        this.#external(argument);
        break;
      case "BEGIN":
        this.#fail("BEGIN before authentication");
        break;
      case "NEGOTIATE_UNIX_FD":
        this.#error("Need to authenticate first");
        break;
      default:
        this.#error("Unknown command");
    }
  }

  #inBegin(name: string): void {
    switch (name) {
      case "AUTH":
        this.#error("Sent AUTH while expecting BEGIN");
        break;
      case "DATA":
        this.#error("Sent DATA while expecting BEGIN");
        break;
      case "BEGIN":
        this.#state = "done";
        break;
      case "NEGOTIATE_UNIX_FD":
        this.#negotiateDescriptors();
        break;
      case "CANCEL":
      case "ERROR":
        this.#reject(`the peer sent ${name}`);
        break;
      default:
        this.#error("Unknown command");
    }
  }

  #auth(argument: string): void {
    const { name: mechanism, argument: response } = commandOf(argument);
    if (mechanism === "EXTERNAL" && this.#options.mechanisms.includes(mechanism)) {
      this.#external(response);
    } else {
      this.#reject(`mechanism ${quoted(mechanism)} is not available`);
    }
  }

  /** An authorization identity, or none: `response` of AUTH in state "auth", of DATA in "data". */
  #external(response: string): void {
    const peerUserId = this.#options.peerUserId;
    const identity = decodeHex(response);
    if (identity === null) {
      this.#error("Invalid hex encoding");
    } else if (peerUserId === null) {
      this.#reject("the kernel does not say who the peer is");
    } else if (identity === "" && this.#state === "auth") {
      this.#reply += "DATA\r\n";
      this.#state = "data";
    } else if (identity !== "" && userIdOf(identity) !== peerUserId) {
      this.#reject(`user ${peerUserId} wants to be ${quoted(identity)}`);
    } else {
      this.#userId = peerUserId;
      this.#reply += `OK ${this.#options.guid}\r\n`;
      this.#state = "begin";
    }
  }

  #negotiateDescriptors(): void {
    if (this.#options.allowsDescriptors) {
      this.#descriptorsNegotiated = true;
      this.#reply += "AGREE_UNIX_FD\r\n";
    } else {
      this.#error("Unix FD passing not supported, not authenticated or otherwise not possible");
    }
  }

  #error(text: string): void {
    this.#reply += `ERROR "${text}"\r\n`;
  }

  #reject(reason: string): void {
    this.#reply += `${["REJECTED", ...this.#options.mechanisms].join(" ")}\r\n`;
    this.#userId = null;
    this.#state = "auth";
    this.#rejections++;
    if (this.#rejections >= this.#options.maxRejections) {
      this.#fail(`rejected ${this.#rejections} times, at last because ${reason}`);
    }
  }

  #fail(reason: string): -1 {
    this.#state = "failed";
    this.#failure = reason;
    return -1;
  }
}
