/** Hot path: a message's header, read where it lies, without making a value. */

import type { Strings } from "./intern.ts";
import type { Memory } from "./memory.ts";
import { isBusName, isErrorName, isInterfaceName, isMemberName } from "./names.ts";
import { isObjectPath } from "./object-path.ts";
import { FIXED_HEADER_BYTES, Limit, LOCAL_INTERFACE, LOCAL_PATH, MessageType } from "./protocol.ts";
import { isSignature } from "./signature.ts";

/** What a header can do wrong. Each ends the connection of the peer that sent it. */
export const HeaderViolation = {
  Endianness: -1,
  Type: -2,
  Version: -3,
  Serial: -4,
  TooLong: -5,
  FieldLength: -6,
  FieldSignature: -7,
  FieldTwice: -8,
  Padding: -9,
  Path: -10,
  Interface: -11,
  Member: -12,
  ErrorName: -13,
  Destination: -14,
  Sender: -15,
  Signature: -16,
  ReplySerial: -17,
  Missing: -18,
  Local: -19,
  Termination: -20,
  Field: -21,
} as const;
export type HeaderViolation = (typeof HeaderViolation)[keyof typeof HeaderViolation];

const VIOLATION_TEXTS: Readonly<Record<HeaderViolation, string>> = {
  [-1]: "the first byte is neither 'l' nor 'B'",
  [-2]: "the message type is 0",
  [-3]: "the protocol version is not 1",
  [-4]: "the serial is 0",
  [-5]: "the message is longer than allowed",
  [-6]: "a header field reaches past the end of the header",
  [-7]: "a header field has the wrong type",
  [-8]: "a header field appears twice",
  [-9]: "padding in the header is not zero",
  [-10]: "PATH is not a valid object path",
  [-11]: "INTERFACE is not a valid interface name",
  [-12]: "MEMBER is not a valid member name",
  [-13]: "ERROR_NAME is not a valid error name",
  [-14]: "DESTINATION is not a valid bus name",
  [-15]: "SENDER is not a valid bus name",
  [-16]: "SIGNATURE is not a valid signature",
  [-17]: "REPLY_SERIAL is 0",
  [-18]: "a header field that this type of message must have is missing",
  [-19]: "the path or interface is reserved for the library's own messages",
  [-20]: "a string in the header is not terminated by a zero byte",
  [-21]: "a header field is malformed",
};

/** What went wrong, for people. */
export function headerViolationText(violation: HeaderViolation): string {
  return VIOLATION_TEXTS[violation];
}

/** `parse` read the header as it is. */
export const HEADER_PLAIN = 0;
/** The header carries a SENDER or fields the bus does not know: it must be rewritten before it goes on. */
export const HEADER_TO_REWRITE = 1;

/** What an interned string has been found valid as. */
export const StringKind = {
  Path: 1,
  Interface: 2,
  Member: 4,
  BusName: 8,
  ErrorName: 16,
  Signature: 32,
} as const;

const LITTLE = 0x6c;
const BIG = 0x42;

// The four bytes before a field's value (code, 1, type, 0) as one little-endian word.
const PATH_FIELD = 0x006f0101;
const INTERFACE_FIELD = 0x00730102;
const MEMBER_FIELD = 0x00730103;
const ERROR_NAME_FIELD = 0x00730104;
const REPLY_SERIAL_FIELD = 0x00750105;
const DESTINATION_FIELD = 0x00730106;
const SENDER_FIELD = 0x00730107;
const SIGNATURE_FIELD = 0x00670108;
const UNIX_FDS_FIELD = 0x00750109;

const {
  MethodCall: METHOD_CALL,
  MethodReturn: METHOD_RETURN,
  Error: ERROR,
  Signal: SIGNAL,
} = MessageType;
const {
  Path: PATH,
  Interface: INTERFACE,
  Member: MEMBER,
  BusName: BUS_NAME,
  ErrorName: ERROR_NAME,
  Signature: SIGNATURE,
} = StringKind;
const NAME_BYTES = Limit.nameBytes;

/** Longer paths are read but not interned; no rule and no name can equal them. */
const INTERNED_PATH_BYTES = 4096;
/** The id of a path too long to intern. */
export const LONG_PATH = -1;

/** The codes of fields the bus knows, for rewriting. */
const KNOWN_FIELDS = 10;

/**
 * The header of the message being routed, filled by `parse` and overwritten by the next one.
 *
 * Strings are ids of the table given to `parse` (0 = the field is absent). Offsets are into `memory`.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages
 */
export class Header {
  memory: Memory;
  /** Where the message starts; a multiple of 8. */
  offset = 0;
  type = 0;
  flags = 0;
  serial = 0;
  isLittleEndian = true;
  /** Bytes from the start to the body, padding included. */
  headerLength = 0;
  /** Bytes of the array of fields, without the padding after it. */
  fieldsLength = 0;
  bodyLength = 0;
  bodyOffset = 0;
  path = 0;
  pathOffset = 0;
  pathLength = 0;
  interface = 0;
  member = 0;
  errorName = 0;
  destination = 0;
  sender = 0;
  signature = 0;
  signatureOffset = 0;
  signatureLength = 0;
  replySerial = 0;
  unixFds = 0;
  /** Where parsing found a violation. */
  violationOffset = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /**
   * Reads the header of the whole message at `offset`; the framing has made sure that all of it is
   * there. Returns `HEADER_PLAIN`, `HEADER_TO_REWRITE` or a `HeaderViolation`.
   *
   * One switch on code and type together decides a field; strings are validated once, when the
   * table has not seen them yet.
   */
  parse(strings: Strings, memory: Memory, offset: number): number {
    const view = memory.view;
    const bytes = memory.bytes;
    const order = bytes[offset];
    const little = order === LITTLE;
    const type = view.getUint8(offset + 1);
    const serial = view.getUint32(offset + 8, little);
    const fieldsLength = view.getUint32(offset + 12, little);
    this.memory = memory;
    this.offset = offset;
    this.type = type;
    this.flags = view.getUint8(offset + 2);
    this.serial = serial;
    this.isLittleEndian = little;
    this.fieldsLength = fieldsLength;
    this.headerLength = FIXED_HEADER_BYTES + ((fieldsLength + 7) & ~7);
    this.bodyOffset = offset + this.headerLength;
    this.bodyLength = view.getUint32(offset + 4, little);
    this.path = 0;
    this.pathLength = 0;
    this.interface = 0;
    this.member = 0;
    this.errorName = 0;
    this.destination = 0;
    this.sender = 0;
    this.signature = 0;
    this.signatureLength = 0;
    this.replySerial = 0;
    this.unixFds = 0;
    this.violationOffset = 0;
    if (!little && order !== BIG) return HeaderViolation.Endianness;
    if (type === 0) return this.#violation(HeaderViolation.Type, 1);
    if (bytes[offset + 3] !== 1) return this.#violation(HeaderViolation.Version, 3);
    if (serial === 0) return this.#violation(HeaderViolation.Serial, 8);

    const end = FIXED_HEADER_BYTES + fieldsLength;
    let at = FIXED_HEADER_BYTES;
    let rewrite = false;
    let seen = 0;
    let fieldEnd = at;
    while (at < end) {
      // A field is at least eight bytes long, and the slack lets the first words be read anyway.
      const field = offset + at;
      const start = at;
      let bit = 0;
      switch (view.getInt32(field, true)) {
        case PATH_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          this.pathOffset = field + 8;
          this.pathLength = length;
          if (length > INTERNED_PATH_BYTES) {
            if (!isLongPath(memory, field + 8, length))
              return this.#violation(HeaderViolation.Path, start);
            this.path = LONG_PATH;
          } else {
            this.path = strings.intern(memory, field + 8, length);
            if (!hasKind(strings, this.path, PATH))
              return this.#violation(HeaderViolation.Path, start);
          }
          bit = 1 << 1;
          break;
        }
        case INTERFACE_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          if (length > NAME_BYTES) return this.#violation(HeaderViolation.Interface, start);
          this.interface = strings.intern(memory, field + 8, length);
          if (!hasKind(strings, this.interface, INTERFACE)) {
            return this.#violation(HeaderViolation.Interface, start);
          }
          bit = 1 << 2;
          break;
        }
        case MEMBER_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          if (length > NAME_BYTES) return this.#violation(HeaderViolation.Member, start);
          this.member = strings.intern(memory, field + 8, length);
          if (!hasKind(strings, this.member, MEMBER))
            return this.#violation(HeaderViolation.Member, start);
          bit = 1 << 3;
          break;
        }
        case ERROR_NAME_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          if (length > NAME_BYTES) return this.#violation(HeaderViolation.ErrorName, start);
          this.errorName = strings.intern(memory, field + 8, length);
          if (!hasKind(strings, this.errorName, ERROR_NAME)) {
            return this.#violation(HeaderViolation.ErrorName, start);
          }
          bit = 1 << 4;
          break;
        }
        case REPLY_SERIAL_FIELD:
          at += 8;
          if (at > end) return this.#violation(HeaderViolation.FieldLength, start);
          this.replySerial = view.getUint32(field + 4, little);
          if (this.replySerial === 0) return this.#violation(HeaderViolation.ReplySerial, start);
          bit = 1 << 5;
          break;
        case DESTINATION_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          if (length > NAME_BYTES) return this.#violation(HeaderViolation.Destination, start);
          this.destination = strings.intern(memory, field + 8, length);
          if (!hasKind(strings, this.destination, BUS_NAME)) {
            return this.#violation(HeaderViolation.Destination, start);
          }
          bit = 1 << 6;
          break;
        }
        case SENDER_FIELD: {
          const length = view.getUint32(field + 4, little);
          at += 9 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          if (length > NAME_BYTES) return this.#violation(HeaderViolation.Sender, start);
          this.sender = strings.intern(memory, field + 8, length);
          if (!hasKind(strings, this.sender, BUS_NAME))
            return this.#violation(HeaderViolation.Sender, start);
          rewrite = true;
          bit = 1 << 7;
          break;
        }
        case SIGNATURE_FIELD: {
          const length = view.getUint8(field + 4);
          at += 6 + length;
          if (at > end || bytes[offset + at - 1] !== 0) return this.#brokenString(start, at, end);
          this.signatureOffset = field + 5;
          this.signatureLength = length;
          this.signature = length === 0 ? 0 : strings.intern(memory, field + 5, length);
          if (length > 0 && !hasKind(strings, this.signature, SIGNATURE)) {
            return this.#violation(HeaderViolation.Signature, start);
          }
          bit = 1 << 8;
          break;
        }
        case UNIX_FDS_FIELD:
          at += 8;
          if (at > end) return this.#violation(HeaderViolation.FieldLength, start);
          this.unixFds = view.getUint32(field + 4, little);
          bit = 1 << 9;
          break;
        default: {
          const code = view.getUint8(field);
          if (code === 0) return this.#violation(HeaderViolation.Field, start);
          if (code < KNOWN_FIELDS) return this.#violation(HeaderViolation.FieldSignature, start);
          return this.#rewriteFrom(start);
        }
      }
      if ((seen & bit) !== 0) return this.#violation(HeaderViolation.FieldTwice, start);
      seen |= bit;
      fieldEnd = at;
      // Padding up to the next field, or up to the body; the framing counted it in.
      for (; (at & 7) !== 0; at++) {
        if (bytes[offset + at] !== 0) return this.#violation(HeaderViolation.Padding, at);
      }
    }
    // The array's length does not count the padding behind its last field.
    if (fieldEnd !== end) return this.#violation(HeaderViolation.FieldLength, end);
    const missing = this.#check(strings, seen);
    if (missing !== 0) return missing;
    return rewrite ? HEADER_TO_REWRITE : HEADER_PLAIN;
  }

  /** Fields the bus does not know: the message is decoded, rewritten and parsed again. */
  #rewriteFrom(at: number): number {
    this.violationOffset = at;
    return HEADER_TO_REWRITE;
  }

  #check(strings: Strings, seen: number): number {
    let required = 0;
    switch (this.type) {
      case METHOD_CALL:
        required = (1 << 1) | (1 << 3);
        break;
      case METHOD_RETURN:
        required = 1 << 5;
        break;
      case ERROR:
        required = (1 << 4) | (1 << 5);
        break;
      case SIGNAL:
        required = (1 << 1) | (1 << 2) | (1 << 3);
        break;
    }
    if ((seen & required) !== required) {
      return this.#violation(HeaderViolation.Missing, FIXED_HEADER_BYTES);
    }
    if (this.path > 0 && strings.lengthOf(this.path) === LOCAL_PATH.length) {
      if (strings.textOf(this.path) === LOCAL_PATH) {
        return this.#violation(HeaderViolation.Local, FIXED_HEADER_BYTES);
      }
    }
    if (this.interface !== 0 && strings.lengthOf(this.interface) === LOCAL_INTERFACE.length) {
      if (strings.textOf(this.interface) === LOCAL_INTERFACE) {
        return this.#violation(HeaderViolation.Local, FIXED_HEADER_BYTES);
      }
    }
    return 0;
  }

  #brokenString(start: number, at: number, end: number): number {
    return this.#violation(
      at > end ? HeaderViolation.FieldLength : HeaderViolation.Termination,
      start,
    );
  }

  #violation(violation: HeaderViolation, at: number): number {
    this.violationOffset = at;
    return violation;
  }
}

/** Is this string valid as `kind`? Asked of a string's text once; then it is a bit in the table. */
function hasKind(strings: Strings, id: number, kind: number): boolean {
  if ((strings.kindsOf(id) & kind) !== 0) return true;
  if (!isOfKind(strings.textOf(id), kind)) return false;
  strings.addKind(id, kind);
  return true;
}

function isOfKind(text: string, kind: number): boolean {
  switch (kind) {
    case PATH:
      return isObjectPath(text);
    case INTERFACE:
      return isInterfaceName(text);
    case MEMBER:
      return isMemberName(text);
    case BUS_NAME:
      return isBusName(text);
    case ERROR_NAME:
      return isErrorName(text);
    default:
      return isSignature(text);
  }
}

function isLongPath(memory: Memory, offset: number, length: number): boolean {
  const bytes = memory.bytes.subarray(offset, offset + length);
  return isObjectPath(Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1"));
}
