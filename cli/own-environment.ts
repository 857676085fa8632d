/** The environment that this process was started with, byte for byte. */

import { readFileSync } from "node:fs";

export interface OwnEnvironment {
  readonly variables: ReadonlyMap<string, string>;
  /** Names of variables that are not UTF-8, which D-Bus cannot carry. */
  readonly unreadable: ReadonlySet<string>;
}

/** Node itself would put replacement characters where bytes are not UTF-8. */
export function ownEnvironment(): OwnEnvironment {
  return parseEnvironment(readFileSync("/proc/self/environ"));
}

/** `bytes`: assignments that end with NUL. Of two for one name the first counts, as for getenv(3). */
export function parseEnvironment(bytes: Uint8Array): OwnEnvironment {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const variables = new Map<string, string>();
  const unreadable = new Set<string>();
  for (let at = 0; at < bytes.length; ) {
    const next = bytes.indexOf(0, at);
    const end = next === -1 ? bytes.length : next;
    const assignment = bytes.subarray(at, end);
    at = end + 1;
    const equals = assignment.indexOf(0x3d);
    if (equals <= 0) continue;
    const name = Buffer.from(assignment.subarray(0, equals)).toString("utf8");
    if (variables.has(name) || unreadable.has(name)) continue;
    try {
      const [key, value] = [assignment.subarray(0, equals), assignment.subarray(equals + 1)];
      variables.set(strict.decode(key), strict.decode(value));
    } catch {
      unreadable.add(name);
    }
  }
  return { variables, unreadable };
}
