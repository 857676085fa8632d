/** Hot path: give a message its sender without copying the body. */

import { skipValue } from "./args.ts";
import { type Header, HeaderViolation } from "./header.ts";
import { Memory } from "./memory.ts";
import { isBusName } from "./names.ts";
import { FIXED_HEADER_BYTES, HeaderField, Limit } from "./protocol.ts";
import { BodyValidator } from "./validate.ts";

const { Path: PATH, Sender: SENDER, UnixFds: UNIX_FDS, ContainerInstance: CONTAINER } = HeaderField;

/** Room that a SENDER field may take: bytes before the name, the name, its zero byte, padding. */
export const SENDER_FIELD_BYTES = 32;

/** The longest unique name that fits. */
const SENDER_NAME_BYTES = SENDER_FIELD_BYTES - 9;

/**
 * Writes the SENDER field for `uniqueName` at `offset`, zero-padded to `SENDER_FIELD_BYTES`, and
 * returns its length without padding.
 *
 * It is written once for each connection and byte order, and then sent behind the header of every
 * message from there: fields start at multiples of eight, so it needs no relocation.
 */
export function writeSenderField(
  memory: Memory,
  offset: number,
  uniqueName: string,
  isLittleEndian: boolean,
): number {
  const length = uniqueName.length;
  if (length > SENDER_NAME_BYTES) throw new RangeError(`unique name ${uniqueName} is too long`);
  const { bytes, view } = memory;
  bytes[offset] = SENDER;
  bytes[offset + 1] = 1;
  bytes[offset + 2] = 0x73;
  bytes[offset + 3] = 0;
  view.setUint32(offset + 4, length, isLittleEndian);
  const name = offset + 8;
  for (let i = 0; i < length; i++) bytes[name + i] = uniqueName.charCodeAt(i);
  for (let i = name + length; i < offset + SENDER_FIELD_BYTES; i++) bytes[i] = 0;
  return 9 + length;
}

/**
 * Patches the header where it lies, so that its array of fields goes on with a SENDER field of
 * `senderFieldLength` bytes sent directly behind it. Only for headers that parsed as plain.
 */
export function appendSender(header: Header, senderFieldLength: number): void {
  header.memory.view.setUint32(
    header.offset + 12,
    header.headerLength - FIXED_HEADER_BYTES + senderFieldLength,
    header.isLittleEndian,
  );
}

/** A copy of the whole message as it came, whether or not `appendSender` has patched it meanwhile. */
export function copyMessage(header: Header): Memory {
  const { memory, offset, headerLength, bodyLength, fieldsLength, isLittleEndian } = header;
  const end = offset + headerLength + bodyLength;
  const copy = Memory.of(memory.bytes.subarray(offset, end));
  copy.view.setUint32(12, fieldsLength, isLittleEndian);
  return copy;
}

const validator = new BodyValidator();

const STRING = 0x73;
const OBJECT_PATH = 0x6f;

/**
 * Copies the header at `header.offset` to `target` without SENDER and without the fields that the
 * bus does not know (dbus-daemon calls this HeaderFiltering). Returns the copied header's length,
 * padding included, or a `HeaderViolation`. The fields it leaves out are checked; those that it
 * copies are not: parse the copy.
 *
 * `target` needs `header.headerLength` bytes of room at `at`.
 */
export function rewriteHeader(header: Header, target: Memory, at: number): number {
  const { memory, offset, isLittleEndian } = header;
  // The serial is in front of the array, so that alignment counts from a multiple of eight.
  const fieldsEnd = FIXED_HEADER_BYTES + header.fieldsLength;
  if (validator.validate(memory, offset + 8, fieldsEnd - 8, "ua(yv)", isLittleEndian) !== 0) {
    return HeaderViolation.Field;
  }
  for (let i = fieldsEnd; i < header.headerLength; i++) {
    if (memory.bytes[offset + i] !== 0) return HeaderViolation.Padding;
  }
  target.bytes.set(memory.bytes.subarray(offset, offset + FIXED_HEADER_BYTES), at);
  let from = FIXED_HEADER_BYTES;
  let to = FIXED_HEADER_BYTES;
  let length = 0;
  let hasSender = false;
  let hasContainer = false;
  while (from < fieldsEnd) {
    const code = memory.view.getUint8(offset + from);
    const signatureLength = memory.view.getUint8(offset + from + 1);
    const valueAt = from + 3 + signatureLength;
    const end = skipValue(memory, offset + from + 2, offset, valueAt, isLittleEndian);
    if (code === 0) return HeaderViolation.Field;
    if (code === SENDER) {
      if (hasSender) return HeaderViolation.FieldTwice;
      hasSender = true;
      const wrong = checkSender(memory, offset + from, end - from);
      if (wrong !== 0) return wrong;
    } else if (code === CONTAINER) {
      if (hasContainer) return HeaderViolation.FieldTwice;
      hasContainer = true;
      if (memory.bytes[offset + from + 2] !== OBJECT_PATH) return HeaderViolation.FieldSignature;
    } else if (code >= PATH && code <= UNIX_FDS) {
      target.bytes.set(memory.bytes.subarray(offset + from, offset + end), at + to);
      length = to - FIXED_HEADER_BYTES + end - from;
      to += end - from;
      while ((to & 7) !== 0) target.bytes[at + to++] = 0;
    }
    from = (end + 7) & ~7;
  }
  target.view.setUint32(at + 12, length, isLittleEndian);
  return to;
}

/** Checks a SENDER field of `byteLength` bytes at `at`: 0, or a `HeaderViolation`. */
function checkSender(memory: Memory, at: number, byteLength: number): number {
  if (memory.bytes[at + 2] !== STRING) return HeaderViolation.FieldSignature;
  const nameLength = byteLength - 9;
  if (nameLength > Limit.nameBytes) return HeaderViolation.Sender;
  const name = Buffer.from(memory.buffer, at + 8, nameLength).toString("latin1");
  return isBusName(name) ? 0 : HeaderViolation.Sender;
}
