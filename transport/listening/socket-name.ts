/** Names of listening sockets: how long they may be, how they are made up, and when an old one may go. */

import { lstatSync, unlinkSync } from "node:fs";
import { randomBytes } from "../../wire/random.ts";
import { type Address, formatAddress } from "../address.ts";
import { errorNameOf, failure, ListenError } from "./listen-error.ts";

/**
 * What to do about a socket file that is there already: replace it if nobody listens on it any more,
 * leave it alone, or replace it whoever listens.
 *
 * dbus-daemon 1.14 does the last: a second one started on the same path takes over silently, and the
 * first one unlinks the second one's socket when it ends. Both are avoided here unless asked for; and
 * only a socket is ever replaced.
 */
export type Takeover = "stale" | "never" | "always";

export interface TakeoverOptions {
  /** "stale" unless given. */
  readonly takeover?: Takeover;
  /** Takes a line for each thing worth knowing that is no error. */
  readonly log?: (line: string) => void;
}

/** Bytes of a Unix socket's name in struct sockaddr_un, the final or leading NUL not counted. */
const MAX_NAME_BYTES = 107;
const NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Does the name fit into a socket address? @throws ListenError if not */
export function checkLength(address: Address, name: string): void {
  const byteLength = Buffer.byteLength(name);
  if (byteLength <= MAX_NAME_BYTES) return;
  const reason = `the socket's name ${name} has ${byteLength} bytes, more than ${MAX_NAME_BYTES}`;
  throw failure(address, reason, null);
}

/** A name as dbus-daemon makes them: "dbus-" and ten letters or digits. */
export function randomName(): string {
  const characters = Array.from(
    randomBytes(10),
    (byte) => NAME_CHARACTERS[byte % NAME_CHARACTERS.length],
  );
  return `dbus-${characters.join("")}`;
}

/** Removes the socket at `path` if the options and the one who listens on it allow that. */
export function makeWay(
  address: Address,
  path: string,
  { takeover = "stale", log }: TakeoverOptions,
  findListener: () => string | null,
): void {
  const inUse = (reason: string): ListenError =>
    new ListenError("ONEHOP_ADDRESS_IN_USE", formatAddress(address), reason);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) {
    throw inUse(`${path} is there and no socket`);
  }
  if (takeover === "never") throw inUse(`${path} is there`);
  const listener = findListener();
  if (listener !== null && takeover === "stale") throw inUse(`${listener} listens there`);
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorNameOf(error) === "ENOENT") return;
    throw failure(address, `cannot remove the old socket ${path}`, errorNameOf(error));
  }
  log?.(`removed the socket ${path}, on which ${listener ?? "nobody"} was listening`);
}
