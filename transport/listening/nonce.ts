/**
 * The nonce of nonce-tcp: sixteen bytes in a file that only our user can read, which a client has to send
 * before anything else.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#transports-nonce-tcp-sockets
 */

import { mkdtempSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "../../wire/random.ts";

export const NONCE_BYTES = 16;
const FILE_MODE = 0o600;

/** A new nonce, and the file that holds it: in a directory of its own, made as dbus-daemon makes it. */
export class NonceFile {
  readonly path: string;
  readonly nonce: Uint8Array = randomBytes(NONCE_BYTES);
  readonly #directory: string;

  /** @throws what node:fs throws, with nothing left behind */
  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "dbus_nonce-"));
    this.path = join(this.#directory, "nonce");
    try {
      writeFileSync(this.path, this.nonce, { flag: "wx", mode: FILE_MODE });
    } catch (error) {
      rmdirSync(this.#directory);
      throw error;
    }
  }

  /** @throws what node:fs throws */
  remove(): void {
    unlinkSync(this.path);
    rmdirSync(this.#directory);
  }
}

/** Lets the bytes of one connection pass once the nonce has come. */
export class NonceGate {
  readonly #nonce: Uint8Array;
  #count = 0;
  #difference = 0;

  constructor(nonce: Uint8Array) {
    this.#nonce = nonce;
  }

  /** What of `bytes` is behind the nonce; null if that was another one. All of it counts before it is judged. */
  pass(bytes: Uint8Array): Uint8Array | null {
    const nonce = this.#nonce;
    let at = 0;
    while (this.#count < nonce.length && at < bytes.length) {
      // Both indexes are below the lengths.
      this.#difference |= (nonce[this.#count++] as number) ^ (bytes[at++] as number);
    }
    return this.#count === nonce.length && this.#difference !== 0 ? null : bytes.subarray(at);
  }
}
