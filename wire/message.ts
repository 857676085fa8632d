/** Messages as values, for clients and tests, and the makers of the four kinds. */

import { assertErrorName, assertInterfaceName, assertMemberName, isBusName } from "./names.ts";
import { assertObjectPath } from "./object-path.ts";
import { MessageFlag, MessageType } from "./protocol.ts";
import { parseSignature } from "./signature.ts";

/** The header of a message; absent fields are null, except that no SIGNATURE is "". */
export interface MessageHeader {
  /** A `MessageType`, or a number that this version of the protocol does not know. */
  readonly type: number;
  /** Bits of `MessageFlag`. */
  readonly flags: number;
  /** 0 until the message is sent. */
  readonly serial: number;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly replySerial: number | null;
  readonly destination: string | null;
  readonly sender: string | null;
  readonly signature: string;
  /** How many file descriptors travel with the message. */
  readonly unixFds: number;
}

export class Message implements MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly replySerial: number | null;
  readonly destination: string | null;
  readonly sender: string | null;
  readonly signature: string;
  readonly unixFds: number;
  #body: readonly unknown[] | (() => readonly unknown[]);

  /** `body` holds the arguments, or makes them when they are first asked for. */
  constructor(
    header: Partial<MessageHeader> & Pick<MessageHeader, "type">,
    body: readonly unknown[] | (() => readonly unknown[]),
  ) {
    this.type = header.type;
    this.flags = header.flags ?? 0;
    this.serial = header.serial ?? 0;
    this.path = header.path ?? null;
    this.interface = header.interface ?? null;
    this.member = header.member ?? null;
    this.errorName = header.errorName ?? null;
    this.replySerial = header.replySerial ?? null;
    this.destination = header.destination ?? null;
    this.sender = header.sender ?? null;
    this.signature = header.signature ?? "";
    this.unixFds = header.unixFds ?? 0;
    this.#body = body;
  }

  /** The arguments, as `unmarshal` makes them. */
  get body(): readonly unknown[] {
    if (typeof this.#body === "function") this.#body = this.#body();
    return this.#body;
  }
}

/** What any kind of message may carry. */
export interface Contents {
  /** The types of `body`; "" if there is none. */
  readonly signature?: string;
  /** The arguments, as `marshal` takes them; they are checked when the message is encoded. */
  readonly body?: readonly unknown[];
  /** File descriptors that travel with it. */
  readonly unixFds?: number;
  /** Bits of `MessageFlag`, on top of those that the kind of message implies. */
  readonly flags?: number;
  readonly sender?: string | null;
}

export interface MethodCallOptions extends Contents {
  readonly path: string;
  readonly member: string;
  readonly interface?: string | null;
  readonly destination?: string | null;
}

export interface SignalOptions extends Contents {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly destination?: string | null;
}

/** What a reply needs to know of its call; a decoded `Message` has it. */
export type Call = Pick<MessageHeader, "serial" | "sender">;

/** Throws a `TypeError`, as the other makers do, if a name, the path or the signature is not valid. */
export function methodCall(options: MethodCallOptions): Message {
  return made(MessageType.MethodCall, 0, options, options);
}

/** The successful reply to `call`. As libdbus does, replies and signals say that they expect none. */
export function methodReturn(call: Call, contents: Contents = {}): Message {
  const header = { replySerial: call.serial, destination: call.sender };
  return made(MessageType.MethodReturn, MessageFlag.NoReplyExpected, header, contents);
}

/** The failed reply to `call`, with a text for people. */
export function errorReply(call: Call, errorName: string, text: string): Message {
  const header = { replySerial: call.serial, destination: call.sender, errorName };
  const contents = { signature: "s", body: [text] };
  return made(MessageType.Error, MessageFlag.NoReplyExpected, header, contents);
}

export function signal(options: SignalOptions): Message {
  return made(MessageType.Signal, MessageFlag.NoReplyExpected, options, options);
}

function made(
  type: MessageType,
  flags: number,
  header: Partial<MessageHeader>,
  contents: Contents,
): Message {
  const { path, member, errorName, replySerial, destination = null } = header;
  const { body = [], signature = "", unixFds = 0, sender = null } = contents;
  if (path != null) assertObjectPath(path);
  if (header.interface != null) assertInterfaceName(header.interface);
  if (member != null) assertMemberName(member);
  if (errorName != null) assertErrorName(errorName);
  if (destination !== null) assertBusName(destination);
  if (sender !== null) assertBusName(sender);
  parseSignature(signature);
  return new Message(
    {
      type,
      flags: flags | (contents.flags ?? 0),
      serial: 0,
      path: path ?? null,
      interface: header.interface ?? null,
      member: member ?? null,
      errorName: errorName ?? null,
      replySerial: replySerial ?? null,
      destination,
      sender,
      signature,
      unixFds,
    },
    body,
  );
}

function assertBusName(text: string): void {
  if (!isBusName(text)) throw new TypeError(`${JSON.stringify(text)} is not a valid bus name`);
}
