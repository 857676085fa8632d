/** A message that has arrived: its header, its arguments and the descriptors that came with it. */

import type { FileDescriptor } from "../transport/file-descriptor.ts";
import { type Header, LONG_PATH } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import type { MessageHeader } from "../wire/message.ts";
import { NATURAL_VALUES, type ReadOptions } from "../wire/read-options.ts";
import { unmarshal, unmarshalAt } from "../wire/unmarshal.ts";
import { duplicatesOf } from "./descriptors.ts";

/**
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages
 *
 * `descriptors` are the receiver's to close or to take; what happens to those that nobody takes, the
 * function that hands out the message says. A value of type `h` in `body` is an index into them.
 */
export class ReceivedMessage implements MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly replySerial: number | null;
  readonly destination: string | null;
  /** The unique name of the sender; the bus itself is `org.freedesktop.DBus`. */
  readonly sender: string | null;
  readonly signature: string;
  readonly unixFds: number;
  readonly descriptors: readonly FileDescriptor[];
  #body: readonly unknown[] | (() => readonly unknown[]);
  #values: readonly unknown[] | (() => readonly unknown[]);

  /** `body` and `values`: the arguments, or what makes them when they are first asked for. */
  constructor(
    header: MessageHeader,
    descriptors: readonly FileDescriptor[],
    body: readonly unknown[] | (() => readonly unknown[]),
    values: readonly unknown[] | (() => readonly unknown[]),
  ) {
    this.type = header.type;
    this.flags = header.flags;
    this.serial = header.serial;
    this.path = header.path;
    this.interface = header.interface;
    this.member = header.member;
    this.errorName = header.errorName;
    this.replySerial = header.replySerial;
    this.destination = header.destination;
    this.sender = header.sender;
    this.signature = header.signature;
    this.unixFds = header.unixFds;
    this.descriptors = descriptors;
    this.#body = body;
    this.#values = values;
  }

  /** The arguments, as `unmarshal` makes them: 64-bit integers are bigints, dictionaries Maps. */
  get body(): readonly unknown[] {
    if (typeof this.#body === "function") this.#body = this.#body();
    return this.#body;
  }

  /**
   * The arguments in the form that the connection's option `values` asks for, made when they are first asked
   * for. By default `NATURAL_VALUES`: dictionaries with strings for keys are objects without a prototype, variants
   * the values in them, 64-bit integers bigints.
   *
   * @throws RangeError if 64-bit integers are to be numbers and one is not safe
   */
  get values(): readonly unknown[] {
    if (typeof this.#values === "function") this.#values = this.#values();
    return this.#values;
  }

  /** The same message with duplicates of the descriptors, which the caller owns. */
  retained(): ReceivedMessage {
    if (this.descriptors.length === 0) return this;
    return new ReceivedMessage(this, duplicatesOf(this.descriptors), this.body, () => this.values);
  }
}

const NO_ARGUMENTS: readonly unknown[] = Object.freeze([]);
/** Of the types in it, options say which form they come in. */
const HAS_FORMS = /[xtv{]|ay/;

/** The message whose header was just parsed, with its arguments. */
export function receivedMessage(
  header: Header,
  strings: Strings,
  descriptors: readonly FileDescriptor[],
  options: ReadOptions = NATURAL_VALUES,
): ReceivedMessage {
  const fields = fieldsOf(header, strings);
  const { memory, bodyOffset, bodyLength, isLittleEndian } = header;
  const { signature } = fields;
  if (signature === "") return new ReceivedMessage(fields, descriptors, NO_ARGUMENTS, NO_ARGUMENTS);
  const body = unmarshalAt(signature, memory, bodyOffset, bodyLength, isLittleEndian);
  if (!HAS_FORMS.test(signature)) return new ReceivedMessage(fields, descriptors, body, body);
  // The memory is used again for the messages that follow, before anybody asks for `values`.
  const copy = memory.bytes.slice(bodyOffset, bodyOffset + bodyLength);
  const values = (): readonly unknown[] => unmarshal(signature, copy, isLittleEndian, 0, options);
  return new ReceivedMessage(fields, descriptors, body, values);
}

/** The same for a message of which `bytes` is a copy: its arguments are made when they are asked for. */
export function copiedMessage(
  header: Header,
  strings: Strings,
  bytes: Uint8Array,
  options: ReadOptions = NATURAL_VALUES,
): ReceivedMessage {
  const fields = fieldsOf(header, strings);
  const { headerLength, isLittleEndian } = header;
  const body = (): readonly unknown[] =>
    unmarshal(fields.signature, bytes.subarray(headerLength), isLittleEndian);
  const values = (): readonly unknown[] =>
    unmarshal(
      fields.signature,
      bytes.subarray(headerLength),
      isLittleEndian,
      headerLength,
      options,
    );
  return new ReceivedMessage(fields, [], body, values);
}

function fieldsOf(header: Header, strings: Strings): MessageHeader {
  return {
    type: header.type,
    flags: header.flags,
    serial: header.serial,
    path: pathOf(header, strings),
    interface: textOf(strings, header.interface),
    member: textOf(strings, header.member),
    errorName: textOf(strings, header.errorName),
    replySerial: header.replySerial === 0 ? null : header.replySerial,
    destination: textOf(strings, header.destination),
    sender: textOf(strings, header.sender),
    signature: strings.textOf(header.signature),
    unixFds: header.unixFds,
  };
}

function textOf(strings: Strings, id: number): string | null {
  return id === 0 ? null : strings.textOf(id);
}

function pathOf(header: Header, strings: Strings): string | null {
  if (header.path !== LONG_PATH) return textOf(strings, header.path);
  const { memory, pathOffset, pathLength } = header;
  return Buffer.from(memory.buffer, pathOffset, pathLength).toString("latin1");
}
