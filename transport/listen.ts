/** Turns a listenable address into listening sockets, and takes their files away again. */

import { randomInt } from "node:crypto";
import { once } from "node:events";
import {
  type BigIntStats,
  chmodSync,
  lstatSync,
  mkdtempSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { getSystemErrorName } from "node:util";
import type { Addon } from "../native/binding.ts";
import {
  type Address,
  AddressError,
  addressOf,
  formatAddress,
  type ListenTarget,
  listenTargetOf,
  parseAddresses,
} from "./address.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { inheritedSockets } from "./listening/inherited.ts";
import { ListenError } from "./listening/listen-error.ts";

export { ListenError } from "./listening/listen-error.ts";

/**
 * What to do about a socket file that is there already: replace it if nobody listens on it any more,
 * leave it alone, or replace it whoever listens.
 *
 * dbus-daemon 1.14 does the last: a second one started on the same path takes over silently, and the
 * first one unlinks the second one's socket when it ends. Both are avoided here unless asked for; and
 * only a socket is ever replaced.
 */
export type Takeover = "stale" | "never" | "always";

export interface ListenOptions {
  /** Without it only `unix:path`, `dir`, `tmpdir` and `runtime` work, in directories of our own. */
  readonly addon: Addon | null;
  /** "stale" unless given. */
  readonly takeover?: Takeover;
  /** Where XDG_RUNTIME_DIR and LISTEN_FDS come from; process.env unless given. LISTEN_* are removed. */
  readonly environment?: Record<string, string | undefined>;
  /** Takes a line for each thing worth knowing that is no error. */
  readonly log?: (line: string) => void;
}

/** A listening socket: either `descriptor` or `server` is there. */
export interface Listener {
  /** What clients connect to, without a GUID. */
  readonly address: Address;
  /** With the addon. Whoever accepts from it may `take` it. */
  readonly descriptor: FileDescriptor | null;
  /** Without the addon. Connections on it come from our own user, see `ownUserCredentials`. */
  readonly server: Server | null;
  /** Stops listening and removes what was made in the file system, if it is still what was made. */
  close(): void;
}

/** Bytes of a Unix socket's name in struct sockaddr_un, the final or leading NUL not counted. */
const MAX_NAME_BYTES = 107;
/** As SOMAXCONN: the kernel lowers it to net.core.somaxconn. */
const BACKLOG = 4096;
const ANYBODY = 0o777;
const NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
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
  if (addon === null) return [await openServer(address, target, options)];
  switch (target.kind) {
    case "path":
      return [openPath(address, target.path, addon, options)];
    case "abstract":
      return [openAbstract(address, target.name, addon)];
    case "directory":
      return [openInDirectory(address, target.directory, addon)];
    case "systemd":
      return inheritedSockets(address, addon, environment).map(
        ({ address: resolved, descriptor }) =>
          listenerOf(resolved, new FileDescriptor(descriptor, addon), () => {}),
      );
  }
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
    server: null,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      // First the file, so that nobody finds a socket that refuses.
      remove();
      descriptor.close();
    },
  };
}

/** Listens with node:net, which cannot ask the kernel who connects: the directory has to keep others out. */
async function openServer(
  address: Address,
  target: ListenTarget,
  options: ListenOptions,
): Promise<Listener> {
  let path: string;
  let directory: string | null = null;
  switch (target.kind) {
    case "path":
      path = target.path;
      checkPrivacy(address, dirname(resolve(path)));
      break;
    case "directory":
      directory = makeDirectory(address, target.directory);
      path = join(directory, "bus");
      break;
    case "abstract":
    case "systemd":
      throw failure(address, "the native addon is needed to know who connects", null);
  }
  try {
    checkLength(address, path);
    const server = await bindServer(address, path, options);
    return serverListener(path, server, directory);
  } catch (error) {
    if (directory !== null) rmdirSync(directory);
    throw error;
  }
}

async function bindServer(address: Address, path: string, options: ListenOptions): Promise<Server> {
  const first = await listenServer(path);
  if (typeof first !== "string") return first;
  if (first !== "EADDRINUSE") throw failure(address, `cannot bind ${path}`, first);
  const listener = await probeStream(path);
  makeWay(address, path, options, () => listener);
  const second = await listenServer(path);
  if (typeof second !== "string") return second;
  throw failure(address, `cannot bind ${path}`, second);
}

/** The listening server, or the name of the error. */
async function listenServer(path: string): Promise<Server | string> {
  const server = createServer();
  server.listen({ path, backlog: BACKLOG });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    return errorNameOf(error);
  }
}

function serverListener(path: string, server: Server, directory: string | null): Listener {
  return {
    address: addressOf("unix", { path }),
    descriptor: null,
    server,
    close: () => {
      if (!server.listening) return;
      // libuv unlinks the path, whatever lies there by now; nobody but us can put anything there.
      server.close();
      if (directory !== null) rmdirSync(directory);
    },
  };
}

/** Removes the socket at `path` if the options and the one who listens on it allow that. */
function makeWay(
  address: Address,
  path: string,
  { takeover = "stale", log }: ListenOptions,
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

/** Like `probe`, without a way to learn more than whether there is somebody. */
async function probeStream(path: string): Promise<string | null> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return "somebody";
  } catch (error) {
    const name = errorNameOf(error);
    return name === "ECONNREFUSED" || name === "ENOENT" ? null : `somebody unknown (${name})`;
  } finally {
    socket.destroy();
  }
}

function checkLength(address: Address, name: string): void {
  const byteLength = Buffer.byteLength(name);
  if (byteLength <= MAX_NAME_BYTES) return;
  const reason = `the socket's name ${name} has ${byteLength} bytes, more than ${MAX_NAME_BYTES}`;
  throw failure(address, reason, null);
}

function checkPrivacy(address: Address, directory: string): void {
  const status = statSync(directory, { throwIfNoEntry: false });
  if (status === undefined) throw failure(address, `cannot bind in ${directory}`, "ENOENT");
  if ((status.mode & 0o077) === 0 && status.uid === process.geteuid?.()) return;
  const reason = `without the native addon, ${directory} has to be ours and closed to others (mode 0700)`;
  throw failure(address, reason, null);
}

function makeDirectory(address: Address, parent: string): string {
  try {
    return mkdtempSync(join(parent, "dbus-"));
  } catch (error) {
    throw failure(address, `cannot make a directory in ${parent}`, errorNameOf(error));
  }
}

/** A name as dbus-daemon makes them: "dbus-" and ten letters or digits. */
function randomName(): string {
  let name = "dbus-";
  for (let i = 0; i < 10; i++) name += NAME_CHARACTERS[randomInt(NAME_CHARACTERS.length)];
  return name;
}

/** `error` is -errno, the name of an errno, or null. */
function failure(address: Address, reason: string, error: number | string | null): ListenError {
  const name = typeof error === "number" ? getSystemErrorName(error) : error;
  return new ListenError(
    "ONEHOP_LISTEN_FAILED",
    formatAddress(address),
    name === null ? reason : `${reason}: ${name}`,
  );
}

/** The name of a failed system call's errno. */
function errorNameOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  throw error;
}
