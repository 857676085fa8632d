/** Numbers that tell servers and machines apart: server GUIDs and the machine id. */

import { readFileSync } from "node:fs";
import { randomBytes } from "../wire/random.ts";

const GUID = /^[0-9a-fA-F]{32}$/;
/** Where libdbus looks, in its order: D-Bus's own file wins over systemd's if they differ. */
const MACHINE_ID_PATHS: readonly string[] = ["/var/lib/dbus/machine-id", "/etc/machine-id"];

/**
 * A new GUID for a server: 32 lower-case hexadecimal digits, made as libdbus makes them: 12 random
 * bytes, then the time in seconds since 1970 in big-endian order.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#uuids
 */
export function newGuid(nowMs: number = Date.now()): string {
  const seconds = Math.floor(nowMs / 1000) >>> 0;
  return Buffer.from(randomBytes(12)).toString("hex") + seconds.toString(16).padStart(8, "0");
}

/** Is this the form of a GUID: 32 hexadecimal digits? */
export function isGuid(text: string): boolean {
  return GUID.test(text);
}

/**
 * The machine's id in lower case, read from the first file that holds one; null if none does.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-peer
 */
export function readMachineId(paths: readonly string[] = MACHINE_ID_PATHS): string | null {
  for (const path of paths) {
    let text: string;
    try {
      text = readFileSync(path, "latin1").trim();
    } catch {
      // Not there, or not readable for us: the next one may be.
      continue;
    }
    if (isGuid(text)) return text.toLowerCase();
  }
  return null;
}
