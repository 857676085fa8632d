/** The pcapng format, read: what `busctl capture` and Wireshark write. */

import {
  assertDBus,
  assertMessageByteLength,
  type CapturedMessage,
  CaptureError,
  type CaptureFormat,
} from "./captured-message.ts";
import { Limit } from "./protocol.ts";

// Types of blocks: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const MAJOR_VERSION = 1;
/** A block: type, length, contents, length again. */
const MINIMUM_BLOCK_BYTES = 12;
const CONTENTS = 8;
/** More than any comment that comes with a message. */
const OPTIONS_BYTES = 1 << 20;
const MAXIMUM_BLOCK_BYTES: number = Limit.messageBytes + OPTIONS_BYTES;
/** The least contents of each type of block that is read. */
const LEAST_CONTENTS_BYTES: ReadonlyMap<number, number> = new Map([
  [SECTION_HEADER, 16],
  [INTERFACE_DESCRIPTION, 8],
  [SIMPLE_PACKET, 4],
  [ENHANCED_PACKET, 20],
]);

// Options of an interface.
const TIME_RESOLUTION = 9;
const TIME_OFFSET = 14;
const RESOLUTION_IS_BINARY = 0x80;

const MICROSECONDS_PER_SECOND = 1_000_000n;

interface CaptureInterface {
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
}

const MICROSECONDS_FROM_EPOCH: CaptureInterface = {
  unitsPerSecond: MICROSECONDS_PER_SECOND,
  offsetSeconds: 0n,
};

/** Sections of either byte order; blocks of unknown types are skipped, as the format has it. */
export class PcapngFormat implements CaptureFormat {
  #isLittleEndian = true;
  #interfaces: CaptureInterface[] = [];

  /** Is this how a pcapng file begins? */
  static isMagic(magic: DataView): boolean {
    return magic.getUint32(0) === SECTION_HEADER;
  }

  get headByteLength(): number {
    return MINIMUM_BLOCK_BYTES;
  }

  blockByteLength(head: DataView, byteOffset: number): number {
    if (head.getUint32(0) === SECTION_HEADER) this.#beginSection(head, byteOffset);
    const byteLength = head.getUint32(4, this.#isLittleEndian);
    if (byteLength > MAXIMUM_BLOCK_BYTES) {
      throw malformed(`a block of ${byteLength} bytes`, byteOffset + 4, "TooLong");
    }
    const least = LEAST_CONTENTS_BYTES.get(head.getUint32(0, this.#isLittleEndian)) ?? 0;
    if (byteLength < MINIMUM_BLOCK_BYTES + least || byteLength % 4 !== 0) {
      throw malformed(`${byteLength} cannot be the length of this block`, byteOffset + 4);
    }
    return byteLength;
  }

  readBlock(block: DataView, byteOffset: number): CapturedMessage | null {
    const end = block.byteLength - 4;
    if (block.getUint32(end, this.#isLittleEndian) !== block.byteLength) {
      throw malformed("a block has two different lengths", byteOffset + end);
    }
    switch (block.getUint32(0, this.#isLittleEndian)) {
      case SECTION_HEADER: {
        const version = block.getUint16(12, this.#isLittleEndian);
        if (version === MAJOR_VERSION) return null;
        throw malformed(`the pcapng version is ${version}, not 1`, byteOffset + 12, "NotACapture");
      }
      case INTERFACE_DESCRIPTION:
        this.#readInterface(block, byteOffset);
        return null;
      case ENHANCED_PACKET:
        return this.#readPacket(block, byteOffset);
      case SIMPLE_PACKET:
        return this.#readSimplePacket(block, byteOffset);
      default:
        return null;
    }
  }

  #beginSection(head: DataView, byteOffset: number): void {
    this.#isLittleEndian = head.getUint32(8, true) === BYTE_ORDER_MAGIC;
    this.#interfaces = [];
    if (!this.#isLittleEndian && head.getUint32(8) !== BYTE_ORDER_MAGIC) {
      throw malformed("a section does not say its byte order", byteOffset + 8);
    }
  }

  #readInterface(block: DataView, byteOffset: number): void {
    assertDBus(block.getUint16(CONTENTS, this.#isLittleEndian), byteOffset + CONTENTS);
    let { unitsPerSecond, offsetSeconds } = MICROSECONDS_FROM_EPOCH;
    for (const { code, value } of this.#options(block, CONTENTS + 8, byteOffset)) {
      if (code === TIME_RESOLUTION && value.byteLength === 1) {
        const resolution = value.getUint8(0);
        const base = (resolution & RESOLUTION_IS_BINARY) === 0 ? 10n : 2n;
        unitsPerSecond = base ** BigInt(resolution & ~RESOLUTION_IS_BINARY);
      } else if (code === TIME_OFFSET && value.byteLength === 8) {
        offsetSeconds = value.getBigInt64(0, this.#isLittleEndian);
      }
    }
    this.#interfaces.push({ unitsPerSecond, offsetSeconds });
  }

  *#options(
    block: DataView,
    start: number,
    byteOffset: number,
  ): Generator<{ code: number; value: DataView }> {
    const end = block.byteLength - 4;
    for (let at = start; at + 4 <= end; ) {
      const code = block.getUint16(at, this.#isLittleEndian);
      const byteLength = block.getUint16(at + 2, this.#isLittleEndian);
      if (at + 4 + byteLength > end) {
        throw malformed("an option is longer than its block", byteOffset + at + 2);
      }
      yield { code, value: new DataView(block.buffer, block.byteOffset + at + 4, byteLength) };
      at += 4 + ((byteLength + 3) & ~3);
    }
  }

  #readPacket(block: DataView, byteOffset: number): CapturedMessage {
    const [index, high, low, byteLength, originalByteLength] = [0, 4, 8, 12, 16].map((at) =>
      block.getUint32(CONTENTS + at, this.#isLittleEndian),
    ) as [number, number, number, number, number]; // as many as there are offsets
    const captured = this.#interfaces[index];
    if (captured === undefined) {
      throw malformed(`there is no interface ${index} before its message`, byteOffset + CONTENTS);
    }
    const { unitsPerSecond, offsetSeconds } = captured;
    const units = (BigInt(high) << 32n) | BigInt(low);
    const sinceOffset = (units * MICROSECONDS_PER_SECOND) / unitsPerSecond;
    return {
      timeMicroseconds: Number(offsetSeconds * MICROSECONDS_PER_SECOND + sinceOffset),
      bytes: messageIn(block, CONTENTS + 20, byteLength, byteOffset + CONTENTS + 12),
      originalByteLength,
    };
  }

  /** It has no time, and ends where the interface cuts messages off or the block ends. */
  #readSimplePacket(block: DataView, byteOffset: number): CapturedMessage {
    if (this.#interfaces.length === 0) {
      throw malformed("there is no interface before its message", byteOffset);
    }
    const originalByteLength = block.getUint32(CONTENTS, this.#isLittleEndian);
    const byteLength = Math.min(originalByteLength, block.byteLength - MINIMUM_BLOCK_BYTES - 4);
    const bytes = messageIn(block, CONTENTS + 4, byteLength, byteOffset + CONTENTS);
    return { timeMicroseconds: 0, bytes, originalByteLength };
  }
}

function messageIn(
  block: DataView,
  start: number,
  byteLength: number,
  lengthOffset: number,
): Uint8Array {
  assertMessageByteLength(byteLength, lengthOffset);
  if (start + byteLength > block.byteLength - 4) {
    throw malformed(`a message of ${byteLength} bytes is longer than its block`, lengthOffset);
  }
  return new Uint8Array(block.buffer, block.byteOffset + start, byteLength).slice();
}

function malformed(
  text: string,
  byteOffset: number,
  code: CaptureError["code"] = "Malformed",
): CaptureError {
  return new CaptureError(code, text, byteOffset);
}
