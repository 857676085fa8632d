/**
 * The server's side of the authentication protocol: bytes in, bytes out, no I/O.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol-states-server
 *
 *     credentials ──NUL──▶ auth ──AUTH──▶ begin ──BEGIN──▶ done
 *                           ▲ │ ▲           │
 *                           │ ├─┼──▶ data ──┤     any state ──violation──▶ failed
 *                           │ └─┼▶ cookie ▶ proof ─┘
 *                           └───┴─ REJECTED
 *
 * The answers are those of dbus-daemon 1.14.10, word for word; test/transport compares them. Who the
 * peer is was told by the kernel when it connected: EXTERNAL only lets it say which identity it wants,
 * and the only one it can have is that one. DBUS_COOKIE_SHA1 makes sure of the user that runs the bus,
 * by a secret that only this user can read; ANONYMOUS makes sure of nothing.
 *
 * In state "cookie" nothing is read: whoever does the I/O looks `cookieRequest` up and calls `proceed`.
 */

import { isUtf8 } from "node:buffer";
import type { Memory } from "../wire/memory.ts";
import {
  type Cookie,
  CookieExchange,
  type CookieRequest,
  SERVER_CONTEXT,
} from "./authentication/cookie.ts";
import { decodeHex, encodeHex, userIdOf } from "./authentication/external.ts";
import type { Handshake } from "./authentication/handshake.ts";
import { commandOf, isPlainAscii, LineReader, quoted } from "./authentication/line.ts";
import {
  type ServerAuthenticationOptions,
  type ServerAuthenticationRecord,
  type ServerAuthenticationState,
  termsOf,
} from "./authentication/server-terms.ts";
import type { Mechanism } from "./mechanism.ts";

export type { ServerAuthenticationOptions } from "./authentication/server-terms.ts";

export class ServerAuthentication implements Handshake {
  readonly #options: Required<ServerAuthenticationOptions>;
  #reader: LineReader;
  #state: ServerAuthenticationState = "credentials";
  #rejections = 0;
  #mechanism: Mechanism | null = null;
  #userId: number | null = null;
  /** In state "cookie". */
  #cookieRequest: CookieRequest | null = null;
  /** In state "proof". */
  #exchange: CookieExchange | null = null;
  #descriptorsNegotiated = false;
  #failure = "";
  #reply = "";

  constructor(options: ServerAuthenticationOptions) {
    this.#options = termsOf(options);
    this.#reader = new LineReader(this.#options.maxLineBytes);
  }

  /** Takes up the handshake where `snapshot` found it; a challenge has no right answer any more. */
  static restore(record: ServerAuthenticationRecord): ServerAuthentication {
    const authentication = new ServerAuthentication(record);
    authentication.#reader = new LineReader(record.maxLineBytes, record.partialLine);
    authentication.#state = record.state;
    authentication.#rejections = record.rejections;
    authentication.#mechanism = record.mechanism;
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

  /** How the peer was told OK, or null as long as it has not been. */
  get mechanism(): Mechanism | null {
    return this.#mechanism;
  }

  /** The user the peer acts for, or null as long as it has not been told OK, and if it is anonymous. */
  get userId(): number | null {
    return this.#userId;
  }

  /** The cookie without which the handshake does not go on, or null. */
  get cookieRequest(): CookieRequest | null {
    return this.#cookieRequest;
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
   * among them; what follows that is left for the message stream. Less also if a cookie is needed. -1
   * says that the connection has to be closed, after what `takeReply` still has was sent.
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
      if (this.#state === "cookie") break;
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

  /** The cookie that was asked for, or in words why there is none; then input goes on. */
  proceed(found: Cookie | string): void {
    if (this.#state !== "cookie") return;
    this.#cookieRequest = null;
    if (typeof found === "string") {
      this.#reject(`it cannot be challenged: ${found}`);
      return;
    }
    this.#exchange = new CookieExchange(found);
    this.#reply += `DATA ${encodeHex(this.#exchange.challengeText)}\r\n`;
    this.#state = "proof";
  }

  /**
   * The handshake as plain data; `restore` makes an equal one. No secret is in it: whoever is looking
   * for a cookie, or has been challenged with one, is rejected once more and may try again.
   */
  snapshot(): ServerAuthenticationRecord {
    if (this.#state === "cookie") this.proceed("the bus moves");
    return {
      ...this.#options,
      mechanisms: [...this.#options.mechanisms],
      state: this.#state,
      rejections: this.#rejections,
      mechanism: this.#mechanism,
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
      case "proof":
        this.#inData(name, argument);
        break;
      case "begin":
        this.#inBegin(name);
        break;
      case "credentials":
      case "cookie":
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
        if (this.#state === "data") this.#external(argument);
        else this.#proof(argument);
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
    const { name, argument: response } = commandOf(argument);
    switch (this.#mechanismOf(name)) {
      case "EXTERNAL":
        this.#external(response);
        break;
      case "DBUS_COOKIE_SHA1":
        this.#cookieOf(response);
        break;
      case "ANONYMOUS":
        this.#anonymous(response);
        break;
      case undefined:
        this.#reject(`mechanism ${quoted(name)} is not available`);
    }
  }

  #mechanismOf(name: string): Mechanism | undefined {
    for (const mechanism of this.#options.mechanisms) if (mechanism === name) return mechanism;
    return undefined;
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
      this.#accept("EXTERNAL", peerUserId);
    }
  }

  /** Who wants to prove to be the user that runs the bus. */
  #cookieOf(response: string): void {
    const user = decodeHex(response);
    if (user === null) {
      this.#error("Invalid hex encoding");
    } else if (user === "") {
      this.#reject("it does not say who it is");
    } else {
      this.#cookieRequest = { context: SERVER_CONTEXT, id: null, user };
      this.#state = "cookie";
    }
  }

  #proof(response: string): void {
    const text = decodeHex(response);
    if (text === null) {
      this.#error("Invalid hex encoding");
      return;
    }
    const userId = this.#exchange?.userOf(text) ?? null;
    if (userId === null) this.#reject("it does not know the cookie");
    else this.#accept("DBUS_COOKIE_SHA1", userId);
  }

  /** The response is what the client wants to have in a log: any text. */
  #anonymous(response: string): void {
    const trace = decodeHex(response);
    if (trace === null) {
      this.#error("Invalid hex encoding");
    } else if (trace.includes("\0") || !isUtf8(Buffer.from(trace, "latin1"))) {
      this.#reject("what it says about itself is no text");
    } else {
      this.#accept("ANONYMOUS", null);
    }
  }

  #accept(mechanism: Mechanism, userId: number | null): void {
    this.#exchange = null;
    this.#mechanism = mechanism;
    this.#userId = userId;
    this.#reply += `OK ${this.#options.guid}\r\n`;
    this.#state = "begin";
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
    this.#exchange = null;
    this.#mechanism = null;
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
