/** Sockets that the service manager has opened for us: the LISTEN_FDS protocol of sd_listen_fds(3). */

import { fstatSync, readFileSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import type { Addon } from "../../native/binding.ts";
import { type Address, addressOf, formatAddress } from "../address.ts";
import { ListenError } from "./listen-error.ts";

/** SD_LISTEN_FDS_START: behind the three standard streams. */
const FIRST_DESCRIPTOR = 3;
/** Type column of /proc/net/unix. */
const SOCK_STREAM = "0001";

export interface InheritedSocket {
  /** null: it has no name in the file system or beside it, and may be one of TCP. */
  readonly address: Address | null;
  readonly descriptor: number;
}

/**
 * The sockets meant for this process, as clients reach them. LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES
 * are taken out of `environment`, so that no child mistakes them for its own.
 *
 * @throws ListenError if there are none, or one of them does not listen
 */
export function inheritedSockets(
  address: Address,
  addon: Addon,
  environment: Record<string, string | undefined>,
): InheritedSocket[] {
  const fail = (reason: string): ListenError =>
    new ListenError("ONEHOP_LISTEN_FAILED", formatAddress(address), reason);
  const { LISTEN_PID: processId, LISTEN_FDS: countText = "" } = environment;
  if (processId !== String(process.pid)) {
    throw fail(
      processId === undefined
        ? "no sockets were passed: LISTEN_PID is not set"
        : `the sockets were passed to process ${processId}, this is ${process.pid}`,
    );
  }
  const count = /^[1-9][0-9]{0,3}$/.test(countText) ? Number(countText) : 0;
  if (count === 0) throw fail(`no sockets were passed: LISTEN_FDS is ${JSON.stringify(countText)}`);
  const names = listeningNames();
  const sockets: InheritedSocket[] = [];
  for (let descriptor = FIRST_DESCRIPTOR; descriptor < FIRST_DESCRIPTOR + count; descriptor++) {
    const result = addon.adoptListener(descriptor);
    if (result < 0) {
      throw fail(
        `file descriptor ${descriptor} is no listening socket: ${getSystemErrorName(result)}`,
      );
    }
    const name = names.get(fstatSync(descriptor, { bigint: true }).ino.toString());
    sockets.push({ address: name === undefined ? null : nameAddress(name), descriptor });
  }
  for (const key of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[key];
  return sockets;
}

function nameAddress(name: string): Address {
  return name.startsWith("@")
    ? addressOf("unix", { abstract: name.slice(1) })
    : addressOf("unix", { path: name });
}

/** Names of this network namespace's Unix stream sockets by inode, as the kernel shows them. */
function listeningNames(): Map<string, string> {
  const names = new Map<string, string>();
  for (const line of readFileSync("/proc/net/unix", "utf8").split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path
    const match = /^\S+ \S+ \S+ \S+ (\S+) \S+ +(\d+) (.+)$/.exec(line);
    const [, type, inode, name] = match ?? [];
    if (type === SOCK_STREAM && inode !== undefined && name !== undefined) names.set(inode, name);
  }
  return names;
}
