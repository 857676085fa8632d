/** Turns a listenable address into listening sockets, and takes their files away again. */

import { type BigIntStats, chmodSync, lstatSync, unlinkSync } from "node:fs";
import type { Server } from "node:net";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import { getSystemErrorName } from "node:util";
import type { Addon } from "../native/binding.ts";
import {
  type Address,
  AddressError,
  addressOf,
  formatAddress,
  listenTargetOf,
  parseAddresses,
} from "./address.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { inheritedSockets } from "./listening/inherited.ts";
import { errorNameOf, failure, ListenError } from "./listening/listen-error.ts";
import { openPrivateServer } from "./listening/private-server.ts";
import { checkLength, makeWay, randomName, type TakeoverOptions } from "./listening/socket-name.ts";
import { adoptTcpServer, openTcpServers, type TcpServers } from "./listening/tcp-server.ts";

export { ListenError } from "./listening/listen-error.ts";
export type { Takeover } from "./listening/socket-name.ts";

export interface ListenOptions extends TakeoverOptions {
  /** Without it of unix only `path`, `dir`, `tmpdir` and `runtime` work, in directories of our own. */
  readonly addon: Addon | null;
  /** Where XDG_RUNTIME_DIR and LISTEN_FDS come from; process.env unless given. LISTEN_* are removed. */
  readonly environment?: Record<string, string | undefined>;
}

/** A listening socket: `descriptor`, or `servers` of Node's. */
export interface Listener {
  /** What clients connect to, without a GUID. */
  readonly address: Address;
  /** With the addon. Whoever accepts from it may `take` it. */
  readonly descriptor: FileDescriptor | null;
  /** Without the addon, and for TCP. */
  readonly servers: readonly Server[];
  /**
   * Does nobody vouch for who connects to the servers? Else connections come from our own user, see
   * `ownUserCredentials`.
   */
  readonly isNetwork: boolean;
  /** What a client has to send before anything else, or null. */
  readonly nonce: Uint8Array | null;
  /** Stops listening and removes what was made in the file system, if it is still what was made. */
  close(): void;
}

/** As SOMAXCONN: the kernel lowers it to net.core.somaxconn. */
const BACKLOG = 4096;
const ANYBODY = 0o777;
/** Random names that are taken before we give up; one is more than anybody will ever see. */
const NAME_ATTEMPTS = 8;

const { EADDRINUSE, EAGAIN, ECONNREFUSED, ENOENT } = constants.errno;

/**
 * Listens on the first address of the list that works: usually one socket, with `systemd:` as many as
 * were passed.
 *
 * @throws AddressError for an address that is wrong in itself; ListenError if none of them works
 */
export async function openListeners(
  addresses: string,
  options: ListenOptions,
): Promise<Listener[]> {
  const errors: Error[] = [];
  for (const address of parseAddresses(addresses)) {
    try {
      return await openAddress(address, options);
    } catch (error) {
      const isAnother =
        error instanceof ListenError ||
        (error instanceof AddressError && error.code === "ONEHOP_ADDRESS_UNSUPPORTED");
      if (!isAnother) throw error;
      errors.push(error);
    }
  }
  const [first] = errors;
  if (first !== undefined && errors.length === 1) throw first;
  const code = first instanceof ListenError ? first.code : "ONEHOP_LISTEN_FAILED";
  throw new ListenError(code, addresses, errors.map((error) => error.message).join("; "));
}

async function openAddress(address: Address, options: ListenOptions): Promise<Listener[]> {
  const environment = options.environment ?? process.env;
  const target = listenTargetOf(address, environment["XDG_RUNTIME_DIR"] ?? null);
  const { addon } = options;
  if (target.kind === "tcp") {
    return [networkListener(await openTcpServers(address, target, BACKLOG))];
  }
  if (addon === null) {
    const { path, server, close } = await openPrivateServer(address, target, options, BACKLOG);
    const at = addressOf("unix", { path });
    const servers = [server];
    return [{ address: at, descriptor: null, servers, isNetwork: false, nonce: null, close }];
  }
  switch (target.kind) {
    case "path":
      return [openPath(address, target.path, addon, options)];
    case "abstract":
      return [openAbstract(address, target.name, addon)];
    case "directory":
      return [openInDirectory(address, target.directory, addon)];
    case "systemd":
      return Promise.all(
        inheritedSockets(address, addon, environment).map(
          async ({ address: resolved, descriptor }) =>
            resolved === null
              ? networkListener(await adoptTcpServer(address, descriptor))
              : listenerOf(resolved, new FileDescriptor(descriptor, addon), () => {}),
        ),
      );
  }
}

function networkListener(servers: TcpServers): Listener {
  return { descriptor: null, isNetwork: true, ...servers };
}

function openPath(address: Address, path: string, addon: Addon, options: ListenOptions): Listener {
  checkLength(address, path);
  let descriptor = addon.listenUnix(path, false, BACKLOG);
  if (descriptor === -EADDRINUSE) {
    makeWay(address, path, options, () => probe(path, false, addon));
    descriptor = addon.listenUnix(path, false, BACKLOG);
  }
  if (descriptor < 0) throw failure(address, `cannot bind ${path}`, descriptor);
  return pathListener(address, path, new FileDescriptor(descriptor, addon));
}

function openAbstract(address: Address, name: string, addon: Addon): Listener {
  checkLength(address, name);
  const descriptor = addon.listenUnix(name, true, BACKLOG);
  if (descriptor === -EADDRINUSE) {
    throw new ListenError(
      "ONEHOP_ADDRESS_IN_USE",
      formatAddress(address),
      `${probe(name, true, addon) ?? "somebody"} listens there`,
    );
  }
  if (descriptor < 0) throw failure(address, "cannot bind the abstract name", descriptor);
  const owned = new FileDescriptor(descriptor, addon);
  return listenerOf(addressOf("unix", { abstract: name }), owned, () => {});
}

function openInDirectory(address: Address, directory: string, addon: Addon): Listener {
  for (let attempt = 0; ; attempt++) {
    const path = join(directory, randomName());
    checkLength(address, path);
    const descriptor = addon.listenUnix(path, false, BACKLOG);
    if (descriptor >= 0) return pathListener(address, path, new FileDescriptor(descriptor, addon));
    if (descriptor !== -EADDRINUSE || attempt === NAME_ATTEMPTS) {
      throw failure(address, `cannot bind ${path}`, descriptor);
    }
  }
}

function pathListener(address: Address, path: string, descriptor: FileDescriptor): Listener {
  // A working directory that changes later must not change which file is removed.
  const absolute = resolve(path);
  let bound: BigIntStats;
  try {
    // As dbus-daemon does, whatever the umask: who may talk to the bus is the bus's own decision.
    chmodSync(absolute, ANYBODY);
    bound = lstatSync(absolute, { bigint: true });
  } catch (error) {
    descriptor.close();
    throw failure(address, `cannot open ${path} to everybody`, errorNameOf(error));
  }
  return listenerOf(addressOf("unix", { path }), descriptor, () => {
    const now = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    if (now?.ino === bound.ino && now.dev === bound.dev) unlinkSync(absolute);
  });
}

function listenerOf(address: Address, descriptor: FileDescriptor, remove: () => void): Listener {
  let isOpen = true;
  return {
    address,
    descriptor,
    servers: [],
    isNetwork: false,
    nonce: null,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      // First the file, so that nobody finds a socket that refuses.
      remove();
      descriptor.close();
    },
  };
}

/** Who listens, in words; null for nobody. */
function probe(name: string, isAbstract: boolean, addon: Addon): string | null {
  const result = addon.connectUnix(name, isAbstract);
  if (result === -ECONNREFUSED || result === -ENOENT) return null;
  if (result === -EAGAIN) return "somebody who has more connections waiting than they accept";
  if (result < 0) return `somebody unknown (${getSystemErrorName(result)})`;
  // The kernel says who it was that called listen(2).
  const peer = addon.credentials(result);
  addon.closeDescriptor(result);
  if (typeof peer === "number") return "somebody unknown";
  if (peer.pidDescriptor >= 0) addon.closeDescriptor(peer.pidDescriptor);
  return `process ${peer.pid} of user ${peer.uid}`;
}
