/** Random numbers from the kernel: loading node:crypto for them would take a bus 8 ms of its start. */

import { closeSync, openSync, readSync } from "node:fs";

/** Bytes that nobody can foretell. */
export function randomBytes(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  const descriptor = openSync("/dev/urandom", "r");
  try {
    // The kernel gives requests of up to 256 bytes whole.
    readSync(descriptor, bytes);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/** An unsigned number of 32 bits that nobody can foretell. */
export function randomWord(): number {
  return new DataView(randomBytes(4).buffer).getUint32(0);
}
