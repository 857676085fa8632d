/** What a client can be asked to send. */

import type { FileDescriptor } from "../transport/file-descriptor.ts";
import { type Message, methodCall, signal } from "../wire/message.ts";
import { MessageFlag } from "../wire/protocol.ts";

/** The arguments of a message. */
export interface Content {
  /** The types of `body`; default "": no arguments. */
  readonly signature?: string;
  /**
   * The arguments: numbers, bigints (x, t), booleans, strings, arrays (a, structs), Maps, plain objects or arrays
   * of pairs (dictionaries), `Variant`s, Uint8Arrays (ay); `h` is an index into `descriptors`. A string, a
   * boolean or a Uint8Array is a variant of s, b or ay by itself.
   */
  readonly body?: readonly unknown[];
  /** Duplicates of these are sent; they stay the caller's to close. Needs the addon and a bus that passes them. */
  readonly descriptors?: readonly FileDescriptor[];
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-types-method */
export interface MethodCall extends Content {
  /** A unique or well-known name. */
  readonly destination: string;
  readonly path: string;
  /** Without one, the object chooses the method by its name alone. */
  readonly interface?: string | null;
  readonly member: string;
  /** May the bus start the owner of `destination`? Default true. */
  readonly autoStart?: boolean;
  /** May the other side ask the user for authorization, however long that takes? Default false. */
  readonly interactiveAuthorization?: boolean;
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-types-signal */
export interface Signal extends Content {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Default: everybody who has a match rule for it. */
  readonly destination?: string | null;
}

/** @throws TypeError if a name, the path or the signature is not valid */
export function callMessage(call: MethodCall, flags = 0): Message {
  const autoStart = call.autoStart === false ? MessageFlag.NoAutoStart : 0;
  const authorization =
    call.interactiveAuthorization === true ? MessageFlag.AllowInteractiveAuthorization : 0;
  return methodCall({
    destination: call.destination,
    path: call.path,
    interface: call.interface ?? null,
    member: call.member,
    signature: call.signature ?? "",
    body: call.body ?? [],
    unixFds: call.descriptors?.length ?? 0,
    flags: flags | autoStart | authorization,
  });
}

/** @throws TypeError if a name, the path or the signature is not valid */
export function signalMessage(options: Signal): Message {
  const { path, interface: interfaceName, member, destination = null } = options;
  return signal({ path, interface: interfaceName, member, destination, ...contentsOf(options) });
}

/** The same for the makers of messages. */
export function contentsOf({ signature = "", body = [], descriptors = [] }: Content): {
  signature: string;
  body: readonly unknown[];
  unixFds: number;
} {
  return { signature, body, unixFds: descriptors.length };
}
