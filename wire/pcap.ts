/** The classic pcap format, written and read: what dbus-monitor --pcap writes, and Wireshark and Bustle read. */

import {
  assertDBus,
  assertMessageByteLength,
  type CapturedMessage,
  CaptureError,
  type CaptureFormat,
  LINKTYPE_DBUS,
} from "./captured-message.ts";
import { Limit } from "./protocol.ts";

const MICROSECONDS_MAGIC = 0xa1b2c3d4;
const NANOSECONDS_MAGIC = 0xa1b23c4d;
const MAJOR_VERSION = 2;
const MINOR_VERSION = 4;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MICROSECONDS_PER_SECOND = 1_000_000;
const NANOSECONDS_PER_MICROSECOND = 1000;
/** The upper half of the field says how a checksum is appended, which D-Bus messages have not. */
const LINK_TYPE_BITS = 0xffff;

/**
 * What a file begins with: little-endian, microseconds, no message cut off. To the byte as dbus-monitor 1.14 has it.
 *
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
 */
export function pcapFileHeader(): Uint8Array {
  const view = new DataView(new ArrayBuffer(FILE_HEADER_BYTES));
  view.setUint32(0, MICROSECONDS_MAGIC, true);
  view.setUint16(4, MAJOR_VERSION, true);
  view.setUint16(6, MINOR_VERSION, true);
  view.setUint32(16, Limit.messageBytes, true);
  view.setUint32(20, LINKTYPE_DBUS, true);
  return new Uint8Array(view.buffer);
}

/** One message behind a file header or another record; `timeMicroseconds` counts from 1970-01-01 UTC. */
export function pcapRecord(message: Uint8Array, timeMicroseconds: number): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + message.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(timeMicroseconds / MICROSECONDS_PER_SECOND), true);
  view.setUint32(4, timeMicroseconds % MICROSECONDS_PER_SECOND, true);
  view.setUint32(8, message.length, true);
  view.setUint32(12, message.length, true);
  bytes.set(message, RECORD_HEADER_BYTES);
  return bytes;
}

/** Either byte order, microseconds or nanoseconds. */
export class PcapFormat implements CaptureFormat {
  readonly #isLittleEndian: boolean;
  readonly #fractionsPerMicrosecond: number;

  private constructor(isLittleEndian: boolean, fractionsPerMicrosecond: number) {
    this.#isLittleEndian = isLittleEndian;
    this.#fractionsPerMicrosecond = fractionsPerMicrosecond;
  }

  /** The format of a file that begins with `magic`, or null if that is not pcap. */
  static of(magic: DataView): PcapFormat | null {
    for (const isLittleEndian of [true, false]) {
      const number = magic.getUint32(0, isLittleEndian);
      if (number === MICROSECONDS_MAGIC) return new PcapFormat(isLittleEndian, 1);
      if (number === NANOSECONDS_MAGIC) {
        return new PcapFormat(isLittleEndian, NANOSECONDS_PER_MICROSECOND);
      }
    }
    return null;
  }

  get headByteLength(): number {
    return RECORD_HEADER_BYTES;
  }

  blockByteLength(head: DataView, byteOffset: number): number {
    if (byteOffset === 0) return FILE_HEADER_BYTES;
    const byteLength = head.getUint32(8, this.#isLittleEndian);
    assertMessageByteLength(byteLength, byteOffset + 8);
    return RECORD_HEADER_BYTES + byteLength;
  }

  readBlock(block: DataView, byteOffset: number): CapturedMessage | null {
    if (byteOffset === 0) {
      this.#checkFileHeader(block);
      return null;
    }
    const [seconds, fraction, , originalByteLength] = [0, 4, 8, 12].map((at) =>
      block.getUint32(at, this.#isLittleEndian),
    ) as [number, number, number, number]; // as many as there are offsets
    return {
      timeMicroseconds:
        seconds * MICROSECONDS_PER_SECOND + Math.floor(fraction / this.#fractionsPerMicrosecond),
      bytes: new Uint8Array(block.buffer, block.byteOffset, block.byteLength).slice(
        RECORD_HEADER_BYTES,
      ),
      originalByteLength,
    };
  }

  #checkFileHeader(header: DataView): void {
    const version = header.getUint16(4, this.#isLittleEndian);
    if (version !== MAJOR_VERSION) {
      throw new CaptureError("NotACapture", `the pcap version is ${version}, not 2`, 4);
    }
    assertDBus(header.getUint32(20, this.#isLittleEndian) & LINK_TYPE_BITS, 20);
  }
}
