/**
 * The client's side of the authentication protocol, step by step: for mechanisms other than EXTERNAL,
 * whose answers have to be awaited, and for servers that may reject it. Bytes in, bytes out, no I/O.
 *
 *     answer ──DATA──▶ cookie ──▶ answer ──OK──▶ agreement ──▶ done        REJECTED: the next mechanism
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol-states-client
 */

import type { Memory } from "../wire/memory.ts";
import {
  type Cookie,
  type CookieRequest,
  newChallenge,
  parseChallenge,
} from "./authentication/cookie.ts";
import { decodeHex, encodeHex } from "./authentication/external.ts";
import { type ClientHandshake, objectionToGuid } from "./authentication/handshake.ts";
import { commandOf, isPlainAscii, LineReader, quoted } from "./authentication/line.ts";
import type { Mechanism } from "./mechanism.ts";

const MAX_LINE_BYTES = 16384;
/** What servers are told who want a word for their log. */
const TRACE = "onehop";

export interface ClientNegotiationOptions {
  /** Those that are tried, in this order. */
  readonly mechanisms: readonly Mechanism[];
  /** Our own user, who has the cookies. */
  readonly userId: number;
  /** Ask the server to pass file descriptors? */
  readonly wantsDescriptors: boolean;
  /** The GUID that the address promised, or null: then any will do. */
  readonly expectedGuid: string | null;
}

export class ClientNegotiation implements ClientHandshake {
  readonly isAllSaid = false;
  readonly offer = null;
  readonly #options: ClientNegotiationOptions;
  readonly #reader: LineReader = new LineReader(MAX_LINE_BYTES);
  /** Those that have not been tried. */
  #left: readonly Mechanism[];
  #state: "answer" | "cookie" | "agreement" | "done" | "failed" = "answer";
  #mechanism: Mechanism | null = null;
  #cookieRequest: CookieRequest | null = null;
  #serverChallenge = "";
  #guid = "";
  #descriptorsNegotiated = false;
  /** What became of the mechanisms that were tried. */
  readonly #troubles: string[] = [];
  #failure = "";
  #reply = "\0";

  constructor(options: ClientNegotiationOptions) {
    this.#options = options;
    this.#left = options.mechanisms;
    this.#next();
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  get guid(): string {
    return this.#guid;
  }

  get descriptorsNegotiated(): boolean {
    return this.#descriptorsNegotiated;
  }

  get failure(): string {
    return this.#failure;
  }

  get cookieRequest(): CookieRequest | null {
    return this.#cookieRequest;
  }

  takeReply(): string {
    const reply = this.#reply;
    this.#reply = "";
    return reply;
  }

  receive(memory: Memory, offset: number, end: number): number {
    let at = offset;
    while (at < end && (this.#state === "answer" || this.#state === "agreement")) {
      const consumed = this.#reader.read(memory.bytes, at, end);
      if (consumed < 0) {
        this.#fail(`the server sent a line of more than ${MAX_LINE_BYTES} bytes`);
        break;
      }
      at += consumed;
      const line = this.#reader.line;
      if (line === null) break;
      if (isPlainAscii(line)) this.#heed(line);
      else this.#fail(`the server answered ${quoted(line)}`);
    }
    return this.#failure === "" ? at - offset : -1;
  }

  proceed(found: Cookie | string): void {
    if (this.#state !== "cookie") return;
    this.#cookieRequest = null;
    this.#state = "answer";
    if (typeof found === "string") {
      this.#troubles.push(found);
      this.#reply += "CANCEL\r\n";
      return;
    }
    const challenge = newChallenge();
    const proof = found.proofOf(this.#serverChallenge, challenge);
    this.#reply += `DATA ${encodeHex(`${challenge} ${proof}`)}\r\n`;
  }

  #heed(line: string): void {
    const { name, argument } = commandOf(line);
    if (this.#state === "agreement") {
      this.#descriptorsNegotiated = name === "AGREE_UNIX_FD";
      if (this.#descriptorsNegotiated || name === "ERROR") this.#begin();
      else this.#fail(`the server answered ${quoted(line)}`);
    } else if (name === "REJECTED") {
      this.#troubles.push(`${this.#mechanism} was rejected`);
      const offered = argument.split(" ");
      this.#left = this.#left.filter((mechanism) => offered.includes(mechanism));
      if (this.#left.length > 0) this.#next();
      else this.#fail(`${this.#troubles.join(", ")}; the server offers ${quoted(argument)}`);
    } else if (name === "DATA" && this.#mechanism === "DBUS_COOKIE_SHA1") {
      this.#challenged(argument);
    } else if (name === "OK") {
      this.#accepted(argument);
    } else {
      this.#fail(`the server answered ${quoted(line)}`);
    }
  }

  #next(): void {
    const [mechanism = null, ...left] = this.#left;
    this.#mechanism = mechanism;
    this.#left = left;
    this.#serverChallenge = "";
    if (mechanism === null) {
      this.#fail("there is no mechanism to authenticate with");
      return;
    }
    const response = mechanism === "ANONYMOUS" ? TRACE : `${this.#options.userId}`;
    this.#reply += `AUTH ${mechanism} ${encodeHex(response)}\r\n`;
  }

  #challenged(argument: string): void {
    const challenge = parseChallenge(decodeHex(argument) ?? "");
    if (challenge === null || this.#serverChallenge !== "") {
      this.#troubles.push(`the server's challenge was ${quoted(argument)}`);
      this.#reply += "CANCEL\r\n";
      return;
    }
    this.#serverChallenge = challenge.challenge;
    this.#cookieRequest = challenge.request;
    this.#state = "cookie";
  }

  #accepted(argument: string): void {
    const { expectedGuid, wantsDescriptors } = this.#options;
    const guid = argument.toLowerCase();
    const objection = objectionToGuid(argument, expectedGuid);
    if (objection !== null) {
      this.#fail(objection);
    } else {
      this.#guid = guid;
      if (!wantsDescriptors) {
        this.#begin();
        return;
      }
      this.#reply += "NEGOTIATE_UNIX_FD\r\n";
      this.#state = "agreement";
    }
  }

  #begin(): void {
    this.#reply += "BEGIN\r\n";
    this.#state = "done";
  }

  #fail(reason: string): void {
    this.#state = "failed";
    this.#failure = reason;
  }
}
