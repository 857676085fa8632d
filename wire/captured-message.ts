/** A message from a capture file, and what a file format has to know to find it. */

import { Limit } from "./protocol.ts";

/** The number by which capture files say that they hold D-Bus messages: https://www.tcpdump.org/linktypes.html */
export const LINKTYPE_DBUS = 231;

export interface CapturedMessage {
  /** Since 1970-01-01 UTC; nanoseconds are cut off. */
  readonly timeMicroseconds: number;
  readonly bytes: Uint8Array;
  /** Longer than `bytes` if the program that captured cut the message off: busctl does so at 4096 bytes. */
  readonly originalByteLength: number;
}

/** Why a capture file cannot be read (any further); what came before is good. */
export class CaptureError extends Error {
  readonly code: "NotACapture" | "NotDBus" | "Malformed" | "TooLong" | "Truncated";
  /** Offset from the start of the file. */
  readonly byteOffset: number;

  constructor(code: CaptureError["code"], text: string, byteOffset: number) {
    super(`${text} (byte ${byteOffset})`);
    this.name = "CaptureError";
    this.code = code;
    this.byteOffset = byteOffset;
  }
}

/** A file format: blocks, each of which says its length at its beginning. */
export interface CaptureFormat {
  /** How many bytes of a block tell how long it is; no block is shorter. */
  readonly headByteLength: number;
  /** How long the block is that begins with `head` at `byteOffset` of the file. */
  blockByteLength(head: DataView, byteOffset: number): number;
  /** The message in a block, or null if it holds something else. */
  readBlock(block: DataView, byteOffset: number): CapturedMessage | null;
}

/** Refuses a message that is longer than a message can be, before anybody waits for its bytes. */
export function assertMessageByteLength(byteLength: number, byteOffset: number): void {
  if (byteLength <= Limit.messageBytes) return;
  throw new CaptureError(
    "TooLong",
    `a message of ${byteLength} bytes is longer than 128 MiB`,
    byteOffset,
  );
}

/** Refuses what is not D-Bus. */
export function assertDBus(linkType: number, byteOffset: number): void {
  if (linkType === LINKTYPE_DBUS) return;
  throw new CaptureError(
    "NotDBus",
    `the link type is ${linkType}, not ${LINKTYPE_DBUS} (D-Bus)`,
    byteOffset,
  );
}
