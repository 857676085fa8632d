/**
 * The client's side of the authentication protocol, all said in advance: bytes in, bytes out, no I/O.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol-states-client
 *
 * The specification lets a client wait for each answer. With EXTERNAL there is nothing to decide in
 * between, so everything up to BEGIN is sent at once, as sd-bus does, and the first messages may be
 * sent right behind it; the answers are checked as they come. A server that rejects the client sees
 * BEGIN where it cannot be and disconnects, which is what the client would do too.
 */

import type { Memory } from "../wire/memory.ts";
import { encodeHex } from "./authentication/external.ts";
import { type ClientHandshake, objectionToGuid } from "./authentication/handshake.ts";
import {
  type Command,
  commandOf,
  isPlainAscii,
  LineReader,
  quoted,
} from "./authentication/line.ts";

const MAX_LINE_BYTES = 16384;

/** The answer a handshake waits for, or how it ended. */
export type ClientAuthenticationState = "data" | "ok" | "agreement" | "done" | "failed";

export interface ClientAuthenticationOptions {
  /**
   * The user to ask to be. null asks for whoever the kernel says we are, which is right also where
   * the server lives in another user namespace and knows us by another number.
   */
  readonly userId: number | null;
  /** Ask the server to pass file descriptors? */
  readonly wantsDescriptors: boolean;
  /** The GUID that the address promised, or null: then any will do. */
  readonly expectedGuid: string | null;
}

export class ClientAuthentication implements ClientHandshake {
  readonly isAllSaid = true;
  /** EXTERNAL needs none. */
  readonly cookieRequest = null;
  readonly #options: ClientAuthenticationOptions;
  readonly #reader: LineReader = new LineReader(MAX_LINE_BYTES);
  #state: ClientAuthenticationState;
  #isStarted = false;
  #guid = "";
  #descriptorsNegotiated = false;
  #failure = "";
  #offer: readonly string[] | null = null;

  constructor(options: ClientAuthenticationOptions) {
    this.#options = options;
    this.#state = options.userId === null ? "data" : "ok";
  }

  get state(): ClientAuthenticationState {
    return this.#state;
  }

  /** The server has agreed: what follows is messages. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** The server's GUID in lower case, or "" as long as it is not known. */
  get guid(): string {
    return this.#guid;
  }

  get descriptorsNegotiated(): boolean {
    return this.#descriptorsNegotiated;
  }

  get offer(): readonly string[] | null {
    return this.#offer;
  }

  /** Why `receive` returned -1, fit for a log; "" as long as it has not. */
  get failure(): string {
    return this.#failure;
  }

  /** Everything the client has to say, the leading NUL byte included. */
  start(): string {
    const { userId, wantsDescriptors } = this.#options;
    const identity =
      userId === null ? "AUTH EXTERNAL\r\nDATA\r\n" : `AUTH EXTERNAL ${encodeHex(`${userId}`)}\r\n`;
    return `\0${identity}${wantsDescriptors ? "NEGOTIATE_UNIX_FD\r\n" : ""}BEGIN\r\n`;
  }

  /** What is to be sent now: everything at first, then nothing. */
  takeReply(): string {
    const reply = this.#isStarted ? "" : this.start();
    this.#isStarted = true;
    return reply;
  }

  /**
   * Takes the bytes [offset, end) and returns how many it consumed: all of them, unless the last
   * answer was among them; what follows that is left for the message stream. -1 says that this server
   * cannot be used and the connection has to be closed.
   */
  receive(memory: Memory, offset: number, end: number): number {
    let at = offset;
    while (at < end && this.#isOpen()) {
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
    return this.#state === "failed" ? -1 : at - offset;
  }

  proceed(): void {}

  #isOpen(): boolean {
    return this.#state !== "done" && this.#state !== "failed";
  }

  #heed(line: string): void {
    const command = commandOf(line);
    if (command.name === "REJECTED" && this.#state !== "agreement") {
      this.#offer = command.argument.split(" ");
      this.#fail(`the server rejected the user; it offers ${quoted(command.argument)}`);
    } else if (this.#state === "data" && command.name === "DATA") {
      this.#state = "ok";
    } else if (this.#state === "ok" && command.name === "OK") {
      this.#accept(command);
    } else if (this.#state === "agreement" && command.name === "AGREE_UNIX_FD") {
      this.#descriptorsNegotiated = true;
      this.#state = "done";
    } else if (this.#state === "agreement" && command.name === "ERROR") {
      this.#state = "done";
    } else {
      this.#fail(`the server answered ${quoted(line)}`);
    }
  }

  #accept({ argument }: Command): void {
    const { expectedGuid, wantsDescriptors } = this.#options;
    const guid = argument.toLowerCase();
    const objection = objectionToGuid(argument, expectedGuid);
    if (objection !== null) {
      this.#fail(objection);
    } else {
      this.#guid = guid;
      this.#state = wantsDescriptors ? "agreement" : "done";
    }
  }

  #fail(reason: string): void {
    this.#state = "failed";
    this.#failure = reason;
  }
}
