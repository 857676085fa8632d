/** Messages that the bus itself sends: returns, errors and signals of the driver. */

import type { Endpoint } from "../../routing/endpoint.ts";
import type { Router } from "../../routing/router.ts";
import type { Stage } from "../../transport/stage.ts";
import { Arguments } from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import type { Strings } from "../../wire/intern.ts";
import { marshalInto } from "../../wire/marshal.ts";
import { Memory, SLACK_BYTES } from "../../wire/memory.ts";
import {
  DRIVER_NAME,
  DRIVER_PATH,
  FIXED_HEADER_BYTES,
  HeaderField,
  MessageFlag,
  MessageType,
  PROTOCOL_VERSION,
} from "../../wire/protocol.ts";
import { Writer } from "../../wire/writer.ts";
import { ACTIVATOR_INTERFACE, SYSTEMD_NAME } from "../systemd.ts";

/** The destination of what is sent to a peer before Hello, as dbus-daemon has it. */
const NOT_ACTIVE_YET = ":not.active.yet";

const STRING = 0x73;
const OBJECT_PATH = 0x6f;
const SIGNATURE = 0x67;
const UINT32 = 0x75;

interface Fields {
  readonly type: MessageType;
  readonly destination: string;
  readonly replySerial?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly unixFds?: number;
}

/**
 * Writes driver messages into the stage's scratch area, or into a memory of their own if they are
 * long, and hands them to the router. Serials count
 * per receiver, and every message says NO_REPLY_EXPECTED, as dbus-daemon's do.
 */
export class Outgoing {
  readonly #strings: Strings;
  readonly #stage: Stage;
  readonly #router: Router;
  readonly #header: Header;
  readonly #arguments: Arguments;
  /** Bodies are made here, one after the other. */
  readonly #writer: Writer = new Writer(true);
  /** Serial of broadcasts, which have no single receiver. */
  #broadcastSerial: number;
  /** Where the message being written lies, and where it ends so far. */
  #memory: Memory;
  #end = 0;

  /** `broadcastSerial`: the one used last. */
  constructor(strings: Strings, stage: Stage, router: Router, broadcastSerial: number) {
    this.#strings = strings;
    this.#stage = stage;
    this.#router = router;
    this.#broadcastSerial = broadcastSerial;
    this.#memory = stage.arena;
    this.#header = new Header(stage.arena);
    this.#arguments = new Arguments(this.#header);
  }

  get broadcastSerial(): number {
    return this.#broadcastSerial;
  }

  /** A method return with `values` of `signature` ("" and none for an empty one). */
  methodReturn(
    receiver: Endpoint,
    replySerial: number,
    signature: string,
    values: readonly unknown[],
  ): void {
    this.#send(
      receiver,
      { type: MessageType.MethodReturn, destination: nameOf(receiver), replySerial },
      signature,
      values,
    );
  }

  /** A method return with `descriptors` that the bus gives away. */
  methodReturnWith(
    receiver: Endpoint,
    replySerial: number,
    signature: string,
    values: readonly unknown[],
    descriptors: readonly number[],
  ): void {
    const set = this.#stage.putDescriptors(descriptors);
    const unixFds = descriptors.length;
    const destination = nameOf(receiver);
    const fields = { type: MessageType.MethodReturn, destination, replySerial, unixFds };
    this.#send(receiver, fields, signature, values, set);
  }

  error(receiver: Endpoint, replySerial: number, errorName: string, text: string): void {
    const destination = nameOf(receiver);
    this.#send(receiver, { type: MessageType.Error, destination, replySerial, errorName }, "s", [
      text,
    ]);
  }

  /** An error that only monitors see, although it is addressed to `receiver`. */
  showError(receiver: Endpoint, replySerial: number, errorName: string, text: string): void {
    const to = { destination: nameOf(receiver), replySerial };
    this.#show(to, receiver.nextSerial(), errorName, text);
  }

  /** The same for an error in answer to a message of the bus itself. */
  showErrorToDriver(replySerial: number, errorName: string, text: string): void {
    const to = { destination: DRIVER_NAME, replySerial };
    this.#show(to, this.#nextBroadcastSerial(), errorName, text);
  }

  /** A method call to `receiver` under one of its names, whose answer the bus does not wait for. */
  methodCall(
    receiver: Endpoint,
    to: Required<Pick<Fields, "destination" | "path" | "interface" | "member">>,
    signature: string,
    values: readonly unknown[],
  ): void {
    this.#send(receiver, { type: MessageType.MethodCall, ...to }, signature, values);
  }

  /** A signal of org.freedesktop.DBus for one peer. */
  signal(receiver: Endpoint, member: string, signature: string, values: readonly unknown[]): void {
    const fields = {
      type: MessageType.Signal,
      destination: nameOf(receiver),
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
    };
    this.#send(receiver, fields, signature, values);
  }

  /**
   * Asks systemd to start a unit. Without systemd only monitors see that it would be asked; when it has come, it
   * is asked without showing them again.
   */
  activationRequest(systemd: Endpoint | null, unit: string, wasShown: boolean): void {
    const fields = {
      type: MessageType.Signal,
      destination: SYSTEMD_NAME,
      path: DRIVER_PATH,
      interface: ACTIVATOR_INTERFACE,
      member: "ActivationRequest",
    };
    const serial = systemd === null ? this.#nextBroadcastSerial() : systemd.nextSerial();
    const offset = this.#write(fields, serial, "s", [unit]);
    const byteLength = this.#end - offset;
    if (systemd === null) this.#router.showFromDriver(this.#memory, offset, byteLength);
    else this.#router.sendFromDriver(systemd, this.#memory, offset, byteLength, 0, wasShown);
  }

  /** A signal of org.freedesktop.DBus for all who subscribed to it. */
  broadcast(member: string, signature: string, values: readonly unknown[]): void {
    const fields = {
      type: MessageType.Signal,
      destination: "",
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
    };
    const offset = this.#write(fields, this.#nextBroadcastSerial(), signature, values);
    this.#header.parse(this.#strings, this.#memory, offset);
    this.#router.broadcastFromDriver(this.#header, this.#arguments);
  }

  #show(
    to: Required<Pick<Fields, "destination" | "replySerial">>,
    serial: number,
    errorName: string,
    text: string,
  ): void {
    const fields = { type: MessageType.Error, errorName, ...to };
    const offset = this.#write(fields, serial, "s", [text]);
    this.#router.showFromDriver(this.#memory, offset, this.#end - offset);
  }

  #nextBroadcastSerial(): number {
    this.#broadcastSerial = this.#broadcastSerial === 0xffffffff ? 1 : this.#broadcastSerial + 1;
    return this.#broadcastSerial;
  }

  #send(
    receiver: Endpoint,
    fields: Fields,
    signature: string,
    values: readonly unknown[],
    descriptors = 0,
  ): void {
    const offset = this.#write(fields, receiver.nextSerial(), signature, values);
    this.#router.sendFromDriver(receiver, this.#memory, offset, this.#end - offset, descriptors);
  }

  /** Writes a message; returns its offset, and leaves where it lies in `#memory` and its end in `#end`. */
  #write(fields: Fields, serial: number, signature: string, values: readonly unknown[]): number {
    this.#writer.reset();
    marshalInto(this.#writer, signature, values);
    const bodyLength = this.#writer.length;
    const room = 512 + textBytes(fields) + bodyLength;
    const isLong = room > this.#stage.scratchMessageBytes;
    this.#memory = isLong ? new Memory(new ArrayBuffer(room + SLACK_BYTES)) : this.#stage.arena;
    const offset = isLong ? 0 : this.#stage.scratch(room);
    const { view } = this.#memory;
    view.setUint8(offset, 0x6c);
    view.setUint8(offset + 1, fields.type);
    view.setUint8(offset + 2, MessageFlag.NoReplyExpected);
    view.setUint8(offset + 3, PROTOCOL_VERSION);
    view.setUint32(offset + 4, bodyLength, true);
    view.setUint32(offset + 8, serial, true);
    this.#end = offset + FIXED_HEADER_BYTES;
    if (fields.path !== undefined) this.#string(HeaderField.Path, OBJECT_PATH, fields.path);
    if (fields.interface !== undefined)
      this.#string(HeaderField.Interface, STRING, fields.interface);
    if (fields.member !== undefined) this.#string(HeaderField.Member, STRING, fields.member);
    if (fields.errorName !== undefined)
      this.#string(HeaderField.ErrorName, STRING, fields.errorName);
    if (fields.replySerial !== undefined) this.#number(HeaderField.ReplySerial, fields.replySerial);
    if (fields.unixFds !== undefined) this.#number(HeaderField.UnixFds, fields.unixFds);
    if (fields.destination !== "")
      this.#string(HeaderField.Destination, STRING, fields.destination);
    if (signature !== "") this.#signature(signature);
    const fieldsEnd = this.#string(HeaderField.Sender, STRING, DRIVER_NAME);
    view.setUint32(offset + 12, fieldsEnd - offset - FIXED_HEADER_BYTES, true);
    this.#writer.copyTo(this.#memory.bytes, this.#end);
    this.#end += bodyLength;
    return offset;
  }

  /** Writes a field and pads it; returns where it ended before the padding. */
  #string(code: number, type: number, text: string): number {
    const { view, bytes } = this.#memory;
    const at = this.#end;
    view.setUint32(at, code | (1 << 8) | (type << 16), true);
    // Names and paths are ASCII, which names.ts and object-path.ts made sure of.
    view.setUint32(at + 4, text.length, true);
    for (let i = 0; i < text.length; i++) bytes[at + 8 + i] = text.charCodeAt(i);
    bytes[at + 8 + text.length] = 0;
    return this.#pad(at + 9 + text.length);
  }

  #signature(text: string): void {
    const { view, bytes } = this.#memory;
    const at = this.#end;
    view.setUint32(at, HeaderField.Signature | (1 << 8) | (SIGNATURE << 16), true);
    bytes[at + 4] = text.length;
    for (let i = 0; i < text.length; i++) bytes[at + 5 + i] = text.charCodeAt(i);
    bytes[at + 5 + text.length] = 0;
    this.#pad(at + 6 + text.length);
  }

  #number(code: number, value: number): void {
    const { view } = this.#memory;
    view.setUint32(this.#end, code | (1 << 8) | (UINT32 << 16), true);
    view.setUint32(this.#end + 4, value, true);
    this.#end += 8;
  }

  #pad(end: number): number {
    const { bytes } = this.#memory;
    this.#end = end;
    while ((this.#end & 7) !== 0) bytes[this.#end++] = 0;
    return end;
  }
}

function nameOf(receiver: Endpoint): string {
  return receiver.uniqueName === "" ? NOT_ACTIVE_YET : receiver.uniqueName;
}

function textBytes(fields: Fields): number {
  return (
    fields.destination.length +
    (fields.path ?? "").length +
    (fields.interface ?? "").length +
    (fields.member ?? "").length +
    (fields.errorName ?? "").length
  );
}
