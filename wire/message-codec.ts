/** Messages → bytes and back, for clients and tests; the bus itself routes by `header.ts`. */

import { HeaderViolation, headerViolationText } from "./header.ts";
import { marshalInto } from "./marshal.ts";
import { Memory } from "./memory.ts";
import { Message, type MessageHeader } from "./message.ts";
import { isBusName, isErrorName, isInterfaceName, isMemberName } from "./names.ts";
import {
  FIXED_HEADER_BYTES,
  HeaderField,
  Limit,
  LOCAL_INTERFACE,
  LOCAL_PATH,
  MessageType,
  PROTOCOL_VERSION,
} from "./protocol.ts";
import { Reader } from "./reader.ts";
import { readValues, unmarshal } from "./unmarshal.ts";
import { BodyValidator, BodyViolation, bodyViolationText } from "./validate.ts";
import { Variant } from "./variant.ts";
import { ProtocolViolation } from "./violation.ts";
import { Writer } from "./writer.ts";

const LITTLE = 0x6c;
const BIG = 0x42;

/** The type that each known header field has. */
const FIELD_TYPES: ReadonlyMap<number, string> = new Map<number, string>([
  [HeaderField.Path, "o"],
  [HeaderField.Interface, "s"],
  [HeaderField.Member, "s"],
  [HeaderField.ErrorName, "s"],
  [HeaderField.ReplySerial, "u"],
  [HeaderField.Destination, "s"],
  [HeaderField.Sender, "s"],
  [HeaderField.Signature, "g"],
  [HeaderField.UnixFds, "u"],
  [HeaderField.ContainerInstance, "o"],
]);

const BODY_LENGTH_AT = 4;

/**
 * The bytes of `message` with the serial `serial`. Throws a `ValueError` if the body does not fit
 * its signature, and a `RangeError` if the message is longer than 128 MiB.
 */
export function encodeMessage(message: Message, serial: number, isLittleEndian = true): Uint8Array {
  const writer = new Writer(isLittleEndian);
  encodeInto(writer, message, serial);
  return writer.bytes;
}

/** As `encodeMessage`, into a writer that holds nothing; after an error it holds the beginning. */
export function encodeInto(writer: Writer, message: Message, serial: number): void {
  writer.writeByte(writer.isLittleEndian ? LITTLE : BIG);
  writer.writeByte(message.type);
  writer.writeByte(message.flags);
  writer.writeByte(PROTOCOL_VERSION);
  writer.writeUint32(0);
  writer.writeUint32(serial);
  writer.writeUint32(0);
  writeText(writer, HeaderField.Path, "o", message.path);
  writeText(writer, HeaderField.Interface, "s", message.interface);
  writeText(writer, HeaderField.Member, "s", message.member);
  writeText(writer, HeaderField.ErrorName, "s", message.errorName);
  writeNumber(writer, HeaderField.ReplySerial, message.replySerial);
  writeText(writer, HeaderField.Destination, "s", message.destination);
  writeText(writer, HeaderField.Sender, "s", message.sender);
  if (message.signature !== "") {
    beginField(writer, HeaderField.Signature, "g");
    writer.writeSignature(message.signature);
  }
  writeNumber(writer, HeaderField.UnixFds, message.unixFds || null);
  writer.setUint32(FIXED_HEADER_BYTES - 4, writer.length - FIXED_HEADER_BYTES);
  writer.align(8);
  const bodyOffset = writer.length;
  marshalInto(writer, message.signature, message.body);
  if (writer.length > Limit.messageBytes) {
    throw new RangeError(`a message of ${writer.length} bytes is longer than 128 MiB`);
  }
  writer.setUint32(BODY_LENGTH_AT, writer.length - bodyOffset);
}

function writeText(writer: Writer, code: number, type: string, value: string | null): void {
  if (value === null) return;
  beginField(writer, code, type);
  writer.writeString(value);
}

function writeNumber(writer: Writer, code: number, value: number | null): void {
  if (value === null) return;
  beginField(writer, code, "u");
  writer.writeUint32(value);
}

function beginField(writer: Writer, code: number, type: string): void {
  writer.align(8);
  writer.writeByte(code);
  writer.writeSignature(type);
}

/**
 * The message that `bytes` are, checked as strictly as dbus-daemon does; unknown header fields are
 * ignored. The arguments are made when `body` is first asked for.
 *
 * Throws a `ProtocolViolation` whose code is a key of `HeaderViolation` or `BodyViolation`.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const byteLength = messageLength(bytes);
  if (byteLength > bytes.length) throw bodyViolation(BodyViolation.NotEnoughData, bytes.length);
  if (byteLength < bytes.length) throw bodyViolation(BodyViolation.TooMuchData, byteLength);

  const memory = Memory.of(bytes);
  const isLittleEndian = bytes[0] === LITTLE;
  const fieldsEnd = FIXED_HEADER_BYTES + memory.view.getUint32(12, isLittleEndian);
  const header = readHeader(new Reader(memory.bytes.subarray(0, fieldsEnd), isLittleEndian));
  const bodyOffset = (fieldsEnd + 7) & ~7;
  for (let at = fieldsEnd; at < bodyOffset; at++) {
    if (bytes[at] !== 0) throw headerViolation("Padding", at);
  }
  const { signature } = header;
  const bodyLength = byteLength - bodyOffset;
  const result = validator.validate(memory, bodyOffset, bodyLength, signature, isLittleEndian);
  if (result !== 0) throw bodyViolation(result, validator.offset);

  const body = memory.bytes.subarray(bodyOffset, byteLength);
  return new Message(header, () => unmarshal(signature, body, isLittleEndian, bodyOffset));
}

const validator = new BodyValidator();

/**
 * How long the message is that starts with `bytes`, of which there are at least 16. Throws a
 * `ProtocolViolation` if the lengths in its header are more than the protocol or `limit` allow.
 */
export function messageLength(bytes: Uint8Array, limit: number = Limit.messageBytes): number {
  if (bytes[0] !== LITTLE && bytes[0] !== BIG) throw headerViolation("Endianness", 0);
  if (bytes.length < FIXED_HEADER_BYTES) {
    throw bodyViolation(BodyViolation.NotEnoughData, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, FIXED_HEADER_BYTES);
  const fieldsLength = view.getUint32(12, bytes[0] === LITTLE);
  if (fieldsLength > Limit.arrayBytes) throw headerViolation("TooLong", 12);
  const headerLength = (FIXED_HEADER_BYTES + fieldsLength + 7) & ~7;
  const byteLength = headerLength + view.getUint32(4, bytes[0] === LITTLE);
  if (byteLength > Math.min(limit, Limit.messageBytes)) throw headerViolation("TooLong", 4);
  return byteLength;
}

/** Reads the fixed header and the array of fields, behind which `reader` ends. */
function readHeader(reader: Reader): MessageHeader {
  reader.readByte();
  const type = reader.readByte();
  if (type === 0) throw headerViolation("Type", 1);
  const flags = reader.readByte();
  if (reader.readByte() !== PROTOCOL_VERSION) throw headerViolation("Version", 3);
  reader.readUint32();
  const serial = reader.readUint32();
  if (serial === 0) throw headerViolation("Serial", 8);
  const fields = readFields(reader);

  for (const required of REQUIRED_FIELDS.get(type) ?? []) {
    if (!fields.has(required)) throw headerViolation("Missing", FIXED_HEADER_BYTES);
  }
  // The types have been compared with FIELD_TYPES.
  const text = (code: number): string | null => (fields.get(code) as string | undefined) ?? null;
  const count = (code: number): number | null => (fields.get(code) as number | undefined) ?? null;
  return {
    type,
    flags,
    serial,
    path: text(HeaderField.Path),
    interface: text(HeaderField.Interface),
    member: text(HeaderField.Member),
    errorName: text(HeaderField.ErrorName),
    replySerial: count(HeaderField.ReplySerial),
    destination: text(HeaderField.Destination),
    sender: text(HeaderField.Sender),
    signature: text(HeaderField.Signature) ?? "",
    unixFds: count(HeaderField.UnixFds) ?? 0,
  };
}

const REQUIRED_FIELDS: ReadonlyMap<number, readonly number[]> = new Map<number, number[]>([
  [MessageType.MethodCall, [HeaderField.Path, HeaderField.Member]],
  [MessageType.MethodReturn, [HeaderField.ReplySerial]],
  [MessageType.Error, [HeaderField.ErrorName, HeaderField.ReplySerial]],
  [MessageType.Signal, [HeaderField.Path, HeaderField.Interface, HeaderField.Member]],
]);

/** The known fields by their codes, their values checked. */
function readFields(reader: Reader): Map<number, unknown> {
  const fields: Map<number, unknown> = new Map();
  const end = reader.readArrayEnd(8);
  while (reader.at < end) {
    reader.align(8);
    const at = reader.at;
    const code = reader.readByte();
    const [field] = readValues(reader, "v", 2);
    if (code === 0) throw headerViolation("Field", at);
    const type = FIELD_TYPES.get(code);
    if (type === undefined) continue;
    if (!(field instanceof Variant) || field.signature !== type) {
      throw headerViolation("FieldSignature", at);
    }
    if (fields.has(code)) throw headerViolation("FieldTwice", at);
    checkField(code, field.value, at);
    fields.set(code, field.value);
  }
  return fields;
}

function checkField(code: number, value: unknown, at: number): void {
  const text = String(value);
  switch (code) {
    case HeaderField.Path:
      if (text === LOCAL_PATH) throw headerViolation("Local", at);
      break;
    case HeaderField.Interface:
      if (text === LOCAL_INTERFACE) throw headerViolation("Local", at);
      if (!isInterfaceName(text)) throw headerViolation("Interface", at);
      break;
    case HeaderField.Member:
      if (!isMemberName(text)) throw headerViolation("Member", at);
      break;
    case HeaderField.ErrorName:
      if (!isErrorName(text)) throw headerViolation("ErrorName", at);
      break;
    case HeaderField.ReplySerial:
      if (value === 0) throw headerViolation("ReplySerial", at);
      break;
    case HeaderField.Destination:
      if (!isBusName(text)) throw headerViolation("Destination", at);
      break;
    case HeaderField.Sender:
      if (!isBusName(text)) throw headerViolation("Sender", at);
      break;
  }
}

function headerViolation(code: keyof typeof HeaderViolation, at: number): ProtocolViolation {
  return new ProtocolViolation(code, headerViolationText(HeaderViolation[code]), at);
}

function bodyViolation(result: number, at: number): ProtocolViolation {
  const violation = result as BodyViolation; // what `validate` returns besides 0
  const code = Object.entries(BodyViolation).find(([, value]) => value === violation)?.[0] ?? "";
  return new ProtocolViolation(code, bodyViolationText(violation), at);
}
