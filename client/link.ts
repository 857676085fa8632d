/** One connection to a bus: whole, checked messages in, messages out. */

import { setTimeout as delay } from "node:timers/promises";
import type { ByteStream } from "../transport/byte-stream.ts";
import type { ConnectedStream } from "../transport/connect.ts";
import type { ClientHandshake, Connection, ConnectionOwner } from "../transport/connection.ts";
import type { FileDescriptor } from "../transport/file-descriptor.ts";
import {
  HEADER_TO_REWRITE,
  Header,
  type HeaderViolation,
  headerViolationText,
} from "../wire/header.ts";
import { Memory } from "../wire/memory.ts";
import type { Message } from "../wire/message.ts";
import { decodeMessage, encodeMessage } from "../wire/message-codec.ts";
import { SerialCounter } from "../wire/serial.ts";
import { BodyValidator, type BodyViolation, bodyViolationText } from "../wire/validate.ts";
import { ProtocolViolation } from "../wire/violation.ts";
import type { Wires } from "./wires.ts";

/** While more bytes than this wait to leave, `room` waits … */
const HIGH_WATER_BYTES = 1 << 20;
/** … until there are at most these. */
const LOW_WATER_BYTES = 1 << 18;
/** The addon tells nobody when bytes have left; whoever waits for it looks this often. */
const LOOK_MS = 2;

/** Who gets what a link receives. */
export interface LinkOwner {
  /** The header and the body behind it are gone when this returns. */
  received(header: Header, byteLength: number, descriptors: FileDescriptor[]): void;
  /** The connection is no more. Called once. */
  closed(reason: string): void;
}

const NO_DESCRIPTORS: FileDescriptor[] = [];

export class Link implements ConnectionOwner {
  readonly #wires: Wires;
  readonly #owner: LinkOwner;
  readonly #authentication: ClientHandshake;
  /** Messages that the handshake has to go before; null once it is over, or where all has been said. */
  #waiting: Uint8Array[] | null;
  readonly #connection: Connection;
  readonly #header: Header = new Header(Memory.of(new Uint8Array(0)));
  readonly #validator: BodyValidator = new BodyValidator();
  readonly #serials: SerialCounter = new SerialCounter();

  /** Owns `stream`, on which nothing has been said yet, and authenticates. */
  constructor(
    wires: Wires,
    stream: ConnectedStream | ByteStream,
    authentication: ClientHandshake,
    origin: string,
    owner: LinkOwner,
  ) {
    this.#wires = wires;
    this.#owner = owner;
    this.#authentication = authentication;
    this.#waiting = authentication.isAllSaid ? null : [];
    this.#connection = wires.attach(stream, this.#authentication, this, origin);
    this.#connection.greet();
    wires.flushSoon();
  }

  /** The bus's GUID, or "" during the handshake. */
  get guid(): string {
    return this.#authentication.guid;
  }

  get passesDescriptors(): boolean {
    return this.#connection.passesDescriptors;
  }

  get isClosed(): boolean {
    return this.#connection.isClosed;
  }

  /** Bytes that wait to leave this process. */
  get queuedBytes(): number {
    return this.#connection.queuedBytes(this.#wires.stage.turn);
  }

  /**
   * Sends a message, and its serial is returned. The descriptors stay the caller's.
   *
   * @throws ValueError or RangeError if it cannot be encoded; nothing is sent then
   */
  send(message: Message, descriptors: readonly FileDescriptor[]): number {
    const serial = this.#serials.next();
    const bytes = this.#wires.encode(message, serial);
    // Only Hello can come so early, which has no descriptors.
    if (this.#waiting === null) this.#wires.send(this.#connection, bytes, descriptors);
    else this.#waiting.push(bytes.slice());
    return serial;
  }

  /** Resolves when there is room for more: at once, unless a lot is waiting to leave. */
  async room(): Promise<void> {
    if (this.queuedBytes > HIGH_WATER_BYTES) await this.#queuedAtMost(LOW_WATER_BYTES, null);
  }

  /** Resolves when everything has been handed to the system, the connection is gone or time is up. */
  async flushed(timeoutMs: number): Promise<void> {
    await this.#queuedAtMost(0, timeoutMs);
  }

  async #queuedAtMost(byteLength: number, timeoutMs: number | null): Promise<void> {
    this.#wires.stage.flush();
    const end = timeoutMs === null ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    while (!this.isClosed && this.queuedBytes > byteLength && performance.now() < end) {
      await delay(LOOK_MS);
    }
  }

  /** Stops reading until `resume`; may be called while a message is being received. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(reason: string): void {
    this.#connection.close(reason);
    this.#wires.flushSoon();
  }

  /** Hello has been sent already, or waits; its reply says the same and more. */
  authenticated(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const bytes of waiting) this.#wires.send(this.#connection, bytes, []);
  }

  descriptorsWait(): void {
    // The bus decides how much it sends.
  }

  messagesDropped(): void {
    // As with any client library, nobody is told.
  }

  turnEnded(): void {
    this.#wires.endTurn();
  }

  message(_connection: Connection, memory: Memory, offset: number, byteLength: number): void {
    const header = this.#header;
    const { strings } = this.#wires;
    let result = header.parse(strings, memory, offset);
    if (result === HEADER_TO_REWRITE && header.violationOffset > 0) {
      const known = this.#withKnownFields(memory.bytes.subarray(offset, offset + byteLength));
      if (known === null) return;
      result = header.parse(strings, known, 0);
    }
    if (result < 0) {
      // What `parse` returns below 0.
      const violation = result as HeaderViolation;
      this.#connection.fail(headerViolationText(violation), header.violationOffset);
      return;
    }
    if (this.#isBodyValid(header)) this.#deliver(header, byteLength);
  }

  closed(_connection: Connection, reason: string, isHangUp: boolean): void {
    this.#owner.closed(isHangUp ? "the bus closed the connection" : reason);
  }

  #isBodyValid(header: Header): boolean {
    const { memory, bodyOffset, bodyLength, isLittleEndian } = header;
    const signature = this.#wires.strings.textOf(header.signature);
    const result = this.#validator.validate(
      memory,
      bodyOffset,
      bodyLength,
      signature,
      isLittleEndian,
    );
    if (result === 0) return true;
    // What `validate` returns besides 0.
    const text = bodyViolationText(result as BodyViolation);
    this.#connection.fail(text, this.#validator.offset - header.offset);
    return false;
  }

  #deliver(header: Header, byteLength: number): void {
    if (header.unixFds === 0) {
      this.#owner.received(header, byteLength, NO_DESCRIPTORS);
      return;
    }
    const descriptors = this.#wires.takeDescriptors(this.#connection, header.unixFds);
    if (descriptors === null) {
      this.#connection.fail(`not all of ${header.unixFds} file descriptors have arrived`, 0);
    } else this.#owner.received(header, byteLength, descriptors);
  }

  /** The message without the header fields that this version of the protocol does not know. Rare. */
  #withKnownFields(bytes: Uint8Array): Memory | null {
    try {
      const message = decodeMessage(bytes);
      return Memory.of(encodeMessage(message, message.serial));
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#connection.fail(error.message, error.byteOffset);
      return null;
    }
  }
}
