/** Hot path: one peer's byte stream, authenticated and cut into messages. */

import type { Memory } from "../wire/memory.ts";
import { FIXED_HEADER_BYTES, Limit } from "../wire/protocol.ts";
import type { CookieRequest, FindCookie } from "./authentication/cookie.ts";
import type { ClientHandshake, Handshake } from "./authentication/handshake.ts";
import { type Credentials, recognizedCredentials } from "./credentials.ts";
import type { Mechanism } from "./mechanism.ts";
import { ServerAuthentication } from "./server-authentication.ts";

export type { FindCookie } from "./authentication/cookie.ts";
export type { ClientHandshake } from "./authentication/handshake.ts";

const LITTLE = 0x6c;
const BIG = 0x42;
const ARRAY_BYTES = Limit.arrayBytes;

/** What the bus is told about its connections. */
export interface ConnectionOwner {
  /** The peer has authenticated; its first message may follow at once. */
  authenticated(connection: Connection): void;
  /** A whole message lies at `offset`; it is gone when this returns. */
  message(connection: Connection, memory: Memory, offset: number, byteLength: number): void;
  /**
   * Of the descriptors that came over the connection, `count` wait for the messages that claim them, and
   * `before` did when this was told last.
   */
  descriptorsWait(connection: Connection, count: number, before: number): void;
  /** `count` messages with descriptors for it were lost: this user has too many of them in flight (ETOOMANYREFS). */
  messagesDropped(connection: Connection, count: number): void;
  /**
   * The connection is no more. Called once, whoever ended it; `isHangUp` if the peer simply left.
   */
  closed(connection: Connection, reason: string, isHangUp: boolean): void;
  /** All input of this turn has been routed. */
  turnEnded(): void;
}

/** The way out of a connection that the addon does not write: a stream or memory. */
export interface Outlet {
  /** Queues bytes; true if this is the first write since the last flush. */
  write(bytes: Uint8Array, sequence: number): boolean;
  /** Hands over what is queued as far as the other side takes it. */
  flush(): void;
  /** Bytes queued and not handed over. */
  readonly unsentBytes: number;
  /** Sequence number of the oldest message that is not handed over, or 0. */
  readonly unsentFrom: number;
  /** Messages that are not handed over as a whole. */
  readonly unsentMessages: number;
  setReading(isReading: boolean): void;
  /** Ends the stream; what is queued is still tried. */
  close(): void;
}

/** What a native connection can be told; native-transport.ts implements it over the addon. */
export interface NativeLink {
  /** Sends ASCII. */
  sendText(slot: number, text: string): void;
  unsentBytes(slot: number): number;
  unsentFrom(slot: number): number;
  unsentMessages(slot: number): number;
  setReading(slot: number, isReading: boolean): void;
  close(slot: number): void;
  /** Everything the kernel tells about the peer; the caller owns the process descriptor in it. */
  credentials(slot: number): Credentials;
}

/** How strict the handshake and the framing are. */
export interface ConnectionOptions {
  readonly guid: string;
  readonly mechanisms: readonly Mechanism[];
  /** Looks cookies up, and after it has told one sends what is staged. Default: there are none. */
  readonly findCookie?: FindCookie;
  readonly maxMessageBytes: number;
}

/** The client's end has no choice of peers; it says who it is. */
export interface ClientConnectionOptions {
  readonly authentication: ClientHandshake;
  readonly findCookie: FindCookie;
  readonly maxMessageBytes: number;
}

const findNoCookie: FindCookie = (_request, found) => {
  queueMicrotask(() => found("there is no keyring"));
};

/**
 * A peer's connection: SASL first, then messages.
 *
 * Every kind of transport feeds it with `input`; what leaves goes through the stage by `slot` (the
 * addon's number) or `outlet`. All fields are there from the start, so that there is one shape.
 */
export class Connection {
  // Multicast looks at these four for each receiver: they share a cache line.
  /** The addon's number of the socket, or -1. */
  readonly slot: number;
  readonly link: NativeLink | null;
  /** Bytes staged in the stage's turn `stagedTurn`. */
  stagedBytes = 0;
  stagedTurn = 0;
  /** Dense number of this connection on its bus, reused after it is closed. */
  readonly index: number;
  /** What was known of the peer when it was accepted. */
  readonly accepted: Credentials;
  /** The same, unless it authenticated in a way by which it is somebody else, or nobody. */
  credentials: Credentials;
  outlet: Outlet | null = null;
  /** Where the peer came from, for logs. */
  readonly origin: string;
  isAuthenticated = false;
  isClosed = false;
  isPaused = false;
  /** May this peer be sent descriptors, and send them? */
  passesDescriptors = false;
  /** Bytes that the message which `input` found incomplete needs in all, or 0. */
  needed = 0;
  /** Descriptors received that no message had claimed when its owner was told last. */
  waitingDescriptors = 0;
  /** Bytes of the stream consumed so far, so that a violation can be located. */
  consumedBytes = 0;
  readonly #owner: ConnectionOwner;
  readonly #maxMessageBytes: number;
  readonly #findCookie: FindCookie;
  #authentication: ServerAuthentication | ClientHandshake | null;

  constructor(
    index: number,
    credentials: Credentials,
    slot: number,
    link: NativeLink | null,
    origin: string,
    owner: ConnectionOwner,
    options: ConnectionOptions | ClientConnectionOptions,
  ) {
    this.index = index;
    this.accepted = credentials;
    this.credentials = credentials;
    this.slot = slot;
    this.link = link;
    this.origin = origin;
    this.#owner = owner;
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#findCookie = options.findCookie ?? findNoCookie;
    this.#authentication =
      "authentication" in options
        ? options.authentication
        : new ServerAuthentication({
            guid: options.guid,
            mechanisms: options.mechanisms,
            peerUserId: credentials.userId,
            allowsDescriptors: link !== null,
          });
  }

  /** The client's end speaks first; what it sends next goes right behind. */
  greet(): void {
    this.#sendText(this.#authentication?.takeReply() ?? "");
  }

  /**
   * Takes the bytes [offset, end) and returns how many it consumed. What is left is an incomplete
   * message (`needed` says how long it is in all) or waits because the connection is paused.
   */
  input(memory: Memory, offset: number, end: number): number {
    let at = offset;
    this.needed = 0;
    if (this.#authentication !== null) {
      at += this.#authenticate(this.#authentication, memory, at, end);
      if (this.#authentication !== null) return at - offset;
    }
    const view = memory.view;
    while (end - at >= FIXED_HEADER_BYTES && !this.isPaused && !this.isClosed) {
      const order = memory.bytes[at];
      if (order !== LITTLE && order !== BIG) {
        this.fail("the first byte of the message is neither 'l' nor 'B'", 0);
        break;
      }
      const little = order === LITTLE;
      const bodyLength = view.getUint32(at + 4, little);
      const fieldsLength = view.getUint32(at + 12, little);
      if (fieldsLength > ARRAY_BYTES) {
        this.fail(`the header claims ${fieldsLength} bytes of fields`, 12);
        break;
      }
      const total = FIXED_HEADER_BYTES + ((fieldsLength + 7) & ~7) + bodyLength;
      if (total > this.#maxMessageBytes) {
        this.fail(`the message claims ${total} bytes, more than ${this.#maxMessageBytes}`, 4);
        break;
      }
      if (total > end - at) {
        this.needed = total;
        break;
      }
      this.#owner.message(this, memory, at, total);
      at += total;
      this.consumedBytes += total;
    }
    return at - offset;
  }

  /** Bytes that wait to be sent to this peer, staged ones included. */
  queuedBytes(turn: number): number {
    const staged = this.stagedTurn === turn ? this.stagedBytes : 0;
    if (this.link !== null) return staged + this.link.unsentBytes(this.slot);
    // An outlet counts what is staged as unsent already.
    return this.outlet === null ? 0 : this.outlet.unsentBytes;
  }

  /** Sequence number of the oldest message for this peer that is still in this process, or 0. */
  unsentFrom(): number {
    if (this.link !== null) return this.link.unsentFrom(this.slot);
    return this.outlet === null ? 0 : this.outlet.unsentFrom;
  }

  /** Messages for this peer that are still in this process, the staged ones not counted. */
  unsentMessages(): number {
    if (this.link !== null) return this.link.unsentMessages(this.slot);
    return this.outlet === null ? 0 : this.outlet.unsentMessages;
  }

  /**
   * Everything the kernel tells about the peer, asked for when it is needed: `credentials` has only
   * the ids. The caller owns the process descriptor in it. A peer that has not authenticated as whom the
   * kernel says it is has what `credentials` has.
   */
  readCredentials(): Credentials {
    const isAsAccepted = this.credentials === this.accepted;
    return this.link === null || !isAsAccepted
      ? this.credentials
      : this.link.credentials(this.slot);
  }

  /** Leaves further input where it is until `resume`. */
  pause(): void {
    this.isPaused = true;
    this.#setReading(false);
  }

  resume(): void {
    this.isPaused = false;
    this.#setReading(true);
  }

  /** Ends the connection because of what its peer sent; `byteOffset` counts from the message's start. */
  fail(reason: string, byteOffset: number): void {
    this.close(
      `${reason} (byte ${byteOffset} of the message, ${this.consumedBytes + byteOffset} of the stream)`,
    );
  }

  /** Ends the connection; what is staged for it is still tried once. */
  close(reason: string): void {
    this.#end(reason, false);
  }

  /** The transport says that the other side is gone. */
  hungUp(): void {
    this.#end("the peer closed the connection", true);
  }

  #end(reason: string, isHangUp: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.link !== null) this.link.close(this.slot);
    else this.outlet?.close();
    this.#owner.closed(this, reason, isHangUp);
  }

  /** The handshake as a plain record, or null when it is over. */
  snapshotAuthentication(): ReturnType<ServerAuthentication["snapshot"]> | null {
    return this.#authentication instanceof ServerAuthentication
      ? this.#authentication.snapshot()
      : null;
  }

  /** Takes up a handshake, or none, where a snapshot left it. */
  restoreAuthentication(record: ReturnType<ServerAuthentication["snapshot"]> | null): void {
    this.#authentication = record === null ? null : ServerAuthentication.restore(record);
    this.isAuthenticated = record === null;
  }

  #authenticate(
    authentication: ServerAuthentication | ClientHandshake,
    memory: Memory,
    offset: number,
    end: number,
  ): number {
    const consumed = authentication.receive(memory, offset, end);
    const reply = authentication.takeReply();
    if (reply !== "") this.#sendText(reply);
    if (consumed < 0) {
      this.close(`authentication failed: ${authentication.failure}`);
      return 0;
    }
    this.consumedBytes += consumed;
    if (authentication.cookieRequest !== null) {
      this.#awaitCookie(authentication, authentication.cookieRequest);
    } else if (authentication.isDone) {
      this.#recognize(authentication);
      this.#authentication = null;
      this.isAuthenticated = true;
      this.passesDescriptors = authentication.descriptorsNegotiated;
      this.#owner.authenticated(this);
    }
    return consumed;
  }

  /** The handshake stands still, and nothing is read, until the cookie has been looked up. */
  #awaitCookie(authentication: Handshake, request: CookieRequest): void {
    this.pause();
    this.#findCookie(request, (found) => {
      if (this.isClosed) return;
      authentication.proceed(found);
      this.#sendText(authentication.takeReply());
      if (authentication.failure !== "") {
        this.close(`authentication failed: ${authentication.failure}`);
      } else {
        this.resume();
      }
    });
  }

  /** Who proves to be a user, or wants to be nobody, is not taken for whom the kernel knows. */
  #recognize(authentication: Handshake): void {
    if (!(authentication instanceof ServerAuthentication)) return;
    const { mechanism, userId } = authentication;
    if (mechanism === "EXTERNAL") return;
    this.credentials = recognizedCredentials(this.accepted, userId);
  }

  #sendText(text: string): void {
    if (this.link !== null) {
      this.link.sendText(this.slot, text);
    } else if (this.outlet !== null) {
      this.outlet.write(Buffer.from(text, "latin1"), 0);
      this.outlet.flush();
    }
  }

  #setReading(isReading: boolean): void {
    if (this.isClosed) return;
    if (this.link !== null) this.link.setReading(this.slot, isReading);
    else this.outlet?.setReading(isReading);
  }
}
