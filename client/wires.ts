/** What all client connections of this process share: one poller, one arena, one table of strings. */

import { type AddonUse, findAddon } from "../transport/addon.ts";
import { attachByteStream, type ByteStream } from "../transport/byte-stream.ts";
import type { ConnectedStream } from "../transport/connect.ts";
import {
  type ClientHandshake,
  Connection,
  type ConnectionOwner,
  type FindCookie,
} from "../transport/connection.ts";
import { ownUserCredentials } from "../transport/credentials.ts";
import { FileDescriptor } from "../transport/file-descriptor.ts";
import { Keyring } from "../transport/keyring.ts";
import { NativeTransport } from "../transport/native-transport.ts";
import { Stage } from "../transport/stage.ts";
import { attachStream } from "../transport/stream-transport.ts";
import { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import type { Message } from "../wire/message.ts";
import { encodeInto } from "../wire/message-codec.ts";
import { Limit } from "../wire/protocol.ts";
import { Writer } from "../wire/writer.ts";
import { closeAll, duplicatesOf } from "./descriptors.ts";

type Addon = NonNullable<ReturnType<typeof findAddon>["addon"]>;

/** Connections that one process can have open as a client, with the addon. */
const MAX_CONNECTIONS = 4096;
/** Descriptors that may have arrived on one connection before their messages: four full messages. */
const MAX_WAITING_DESCRIPTORS = 4 * 253;

/** A message longer than this keeps the buffer that it was written to; the stage copies what is shorter. */
const REUSED_WRITER_BYTES = 1 << 16;

let withAddon: Wires | null = null;
let withoutAddon: Wires | null = null;

/** The wires over the addon, or those without it. @throws AddonMissingError if it is required and missing */
export function wiresFor(use: AddonUse): Wires {
  if (use !== "none" && withAddon !== null) return withAddon;
  const { addon } = findAddon(use);
  if (addon === null) {
    withoutAddon ??= new Wires(null);
    return withoutAddon;
  }
  withAddon = new Wires(addon);
  return withAddon;
}

export class Wires {
  readonly addon: Addon | null;
  readonly strings: Strings = new Strings();
  readonly stage: Stage = new Stage(MAX_CONNECTIONS);
  readonly #native: NativeTransport | null;
  readonly #keyring: Keyring = new Keyring();
  #sequence = 0;
  #isFlushScheduled = false;
  #writer: Writer | null = null;

  constructor(addon: Addon | null) {
    this.addon = addon;
    this.#native =
      addon === null
        ? null
        : new NativeTransport(
            addon,
            this.stage,
            { ...ignoring, turnEnded: () => this.endTurn() },
            { accepted: () => null, acceptFailed: () => {} },
            MAX_WAITING_DESCRIPTORS,
            // A connection is to its own bus: nobody has to be kept from taking another's share.
            MAX_WAITING_DESCRIPTORS * MAX_CONNECTIONS,
            false,
          );
  }

  /**
   * A connection over this stream, which it owns from now on; what it receives goes to `owner`.
   *
   * @throws if there are too many connections already
   */
  attach(
    stream: ConnectedStream | ByteStream,
    authentication: ClientHandshake,
    owner: ConnectionOwner,
    origin: string,
  ): Connection {
    const make = (slot: number): Connection =>
      new Connection(0, ownUserCredentials(), slot, slot < 0 ? null : this.#native, origin, owner, {
        authentication,
        findCookie: this.#findCookie,
        maxMessageBytes: Limit.messageBytes,
      });
    if ("write" in stream) {
      const connection = make(-1);
      attachByteStream(connection, stream, this.stage, owner);
      return connection;
    }
    if (stream.socket !== null) {
      const connection = make(-1);
      attachStream(connection, stream.socket, this.stage, owner);
      return connection;
    }
    if (stream.descriptor === null || this.#native === null) {
      throw new Error("a connected stream has a socket, or a descriptor and the addon");
    }
    const connection = this.#native.adopt(stream.descriptor.take(), make);
    if (typeof connection !== "number") return connection;
    throw new Error(`this process has ${MAX_CONNECTIONS} connections to buses already`);
  }

  /**
   * The bytes of a message; short ones are gone when the next one is encoded.
   *
   * @throws ValueError or RangeError if it cannot be encoded
   */
  encode(message: Message, serial: number): Uint8Array {
    // Away while it is in use: a getter among the arguments may send, too.
    const writer = this.#writer ?? new Writer(true);
    this.#writer = null;
    writer.reset();
    encodeInto(writer, message, serial);
    if (writer.length <= REUSED_WRITER_BYTES) this.#writer = writer;
    return writer.bytes;
  }

  /** Sends a whole message, with duplicates of these descriptors, in the next microtask at the latest. */
  send(connection: Connection, bytes: Uint8Array, descriptors: readonly FileDescriptor[]): void {
    const { stage } = this;
    let set = 0;
    if (descriptors.length > 0) {
      set = stage.putDescriptors(duplicatesOf(descriptors).map((duplicate) => duplicate.take()));
      if (set < 0) throw new Error(`cannot send ${descriptors.length} file descriptors`);
    }
    this.#sequence = (this.#sequence + 1) >>> 0;
    const { length } = bytes;
    if (length <= stage.scratchMessageBytes) {
      const offset = stage.scratch(length);
      stage.arena.bytes.set(bytes, offset);
      stage.message(this.#sequence, stage.arena, offset, length, 0, 0, stage.arena, 0, 0, set);
    } else {
      stage.message(this.#sequence, Memory.of(bytes), 0, length, 0, 0, stage.arena, 0, 0, set);
    }
    stage.to(connection);
    this.flushSoon();
  }

  readonly #findCookie: FindCookie = (request, found) => {
    this.#keyring.find(request, (cookie) => {
      found(cookie);
      this.flushSoon();
    });
  };

  /** All that is staged in one go is sent together. */
  flushSoon(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushScheduled = false;
    this.stage.flush();
  };

  /**
   * The `count` oldest descriptors that came over this connection, each with an owner. null: fewer came,
   * or this process has too many open.
   */
  takeDescriptors(connection: Connection, count: number): FileDescriptor[] | null {
    const { addon, stage } = this;
    if (addon === null || this.#native === null || connection.slot < 0) return null;
    const set = stage.takeDescriptors(connection, count);
    if (set < 0) return null;
    const owned: FileDescriptor[] = [];
    // The addon closes the set at the end of the turn.
    for (const number of this.#native.poller.descriptorsOf(set)) {
      const duplicate = addon.duplicateDescriptor(number);
      if (duplicate < 0) {
        closeAll(owned);
        return null;
      }
      owned.push(new FileDescriptor(duplicate, addon));
    }
    return owned;
  }

  /** Strings that nobody holds may be forgotten between messages. */
  endTurn(): void {
    this.strings.sweep();
  }
}

const ignoring: ConnectionOwner = {
  authenticated() {},
  message() {},
  closed() {},
  descriptorsWait() {},
  messagesDropped() {},
  turnEnded() {},
};
