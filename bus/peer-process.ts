/** Which program a peer is, in dbus-daemon's words: what denials tell and the log shows. */

import { closeSync, openSync, readSync } from "node:fs";
import type { Endpoint } from "../routing/endpoint.ts";
import type { Connection } from "../transport/connection.ts";

/** So much of a command line is shown. */
const COMMAND_BYTES = 50;

/** Texts about peers; a process may be gone by the time that somebody asks, so they are read early and kept. */
export class PeerProcesses {
  readonly #texts: WeakMap<Endpoint, string> = new WeakMap();

  /** `uid=1000 pid=1 comm="/usr/bin/program "`, and the security label if there is one. */
  describe(endpoint: Endpoint): string {
    const known = this.#texts.get(endpoint);
    if (known !== undefined) return known;
    const text = describe(endpoint);
    this.#texts.set(endpoint, text);
    return text;
  }
}

function describe({ connection }: Endpoint): string {
  const { userId, processId } = connection.credentials;
  const parts: string[] = [];
  if (userId !== null) parts.push(`uid=${userId}`);
  if (processId !== null) parts.push(`pid=${processId} comm="${commandOf(processId)}"`);
  const label = connection.isClosed ? null : labelOf(connection);
  if (label !== null) parts.push(`label="${Buffer.from(label).toString("latin1")}"`);
  return parts.join(" ");
}

function labelOf(connection: Connection): Uint8Array | null {
  const { securityLabel, processDescriptor } = connection.readCredentials();
  processDescriptor?.close();
  return securityLabel;
}

/** The first bytes of a command line, as dbus-daemon prints them: a blank for each NUL, the one at the end, too. */
function commandOf(processId: number): string {
  const bytes = Buffer.alloc(COMMAND_BYTES);
  let count = 0;
  try {
    const descriptor = openSync(`/proc/${processId}/cmdline`, "r");
    try {
      count = readSync(descriptor, bytes, 0, COMMAND_BYTES, null);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // It is gone, or it is hidden from the bus: then nobody knows.
  }
  return [...bytes.subarray(0, count)].map(printable).join("");
}

function printable(byte: number): string {
  if (byte === 0) return " ";
  return byte < 0x20 || byte > 127 ? "?" : String.fromCharCode(byte);
}
