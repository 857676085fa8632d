/** A bus that listens: on sockets of the addon, or of node:net where there is none. */

import type { Socket } from "node:net";
import { findAddon } from "../transport/addon.ts";
import { formatAddress, withGuid } from "../transport/address.ts";
import type { Connection } from "../transport/connection.ts";
import { type Credentials, ownUserCredentials, UNKNOWN_PEER } from "../transport/credentials.ts";
import { type Listener, openListeners } from "../transport/listen.ts";
import { NativeTransport } from "../transport/native-transport.ts";
import { attachStream } from "../transport/stream-transport.ts";
import { Bus } from "./bus.ts";
import { descriptorSupply, type Limits, MAX_WAITING_DESCRIPTORS } from "./limits.ts";
import { type Log, silent } from "./log.ts";
import type { StartOptions } from "./options.ts";
import { collectOutgrown } from "./outgrown-memory.ts";

/** How long a listener rests when no socket can be accepted (EMFILE and the like). */
const ACCEPT_PAUSE_MS = 100;

/** How long a connection over a network is silent before the kernel asks whether anybody is there. */
const KEEP_ALIVE_MS = 60_000;

/** A bus and its listeners. */
export interface StartedBus {
  readonly bus: Bus;
  readonly guid: string;
  /** Where it listens, each address with the bus's GUID. */
  readonly addresses: readonly string[];
  /** The same as one string, for DBUS_SESSION_BUS_ADDRESS. */
  readonly address: string;
  /** Disconnects everybody and removes the socket files. @throws if one cannot be removed, at the end */
  stop(): Promise<void>;
}

/** Smaller blocks come and go with the messages; what holds a table grows beyond this soon. */
const MAPPED_BLOCK_BYTES = 1 << 20;

/**
 * Starts a bus that listens on every address in `options.listen`.
 *
 * @throws AddressError or ListenError (`code` ONEHOP_ADDRESS_IN_USE, …) if one of them cannot be
 *   listened on, and AddonMissingError if the addon is required and missing; nothing is left behind
 */
export async function startBus(options: StartOptions): Promise<StartedBus> {
  const log = options.log ?? silent;
  const { addon, missing } = findAddon(options.addon ?? "optional");
  // Tables that have grown leave their old blocks behind. Not in somebody else's process.
  if (options.hostsEventLoop === true) {
    addon?.mapBlocksFrom(MAPPED_BLOCK_BYTES);
    collectOutgrown();
  }
  const listeners: Listener[] = [];
  try {
    for (const address of options.listen) {
      const takeover = options.takeover ?? "stale";
      const note = (text: string): void => log({ level: "info", text, fields: {} });
      listeners.push(...(await openListeners(address, { addon, takeover, log: note })));
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  const bus = new Bus(options, null);
  let transport: NativeTransport | null = null;
  let acceptor: ListenerAcceptor | null = null;
  if (addon === null) {
    log({
      level: "warning",
      text: `works without file descriptor passing: ${missing}`,
      fields: {},
    });
  } else {
    // Node does this for the first few that it has inherited itself. An old kernel refuses: they stay.
    if (options.activation !== undefined) addon.closeOnExec(3);
    acceptor = new ListenerAcceptor(bus, listeners, log);
    transport = new NativeTransport(
      addon,
      bus.stage,
      bus.owner,
      acceptor,
      mostQueuedDescriptors(bus.limits),
      descriptorSupply(bus.limits),
      options.hostsEventLoop ?? false,
    );
    const { poller } = transport;
    bus.limitsChanged = (limits) => poller.setMaxQueuedDescriptors(mostQueuedDescriptors(limits));
    acceptor.acceptOn(transport);
  }
  bus.admissionChanged = () => acceptor?.admissionChanged();
  for (const listener of listeners) {
    for (const server of listener.servers) {
      server.on("connection", serve(bus, listener));
      server.on("error", acceptFailed(listener, log));
    }
  }
  warnOfNetwork(listeners, options, log);
  const addresses = listeners.map(({ address }) => formatAddress(withGuid(address, bus.guid)));
  bus.address = addresses.join(";");
  return {
    bus,
    guid: bus.guid,
    addresses,
    address: bus.address,
    stop: async () => {
      bus.close();
      transport?.stop();
      // A file that may not be removed (the process has become another user) must not keep the others.
      const failures: unknown[] = [];
      for (const listener of listeners) {
        try {
          listener.close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

function mostQueuedDescriptors({ maxIncomingUnixFds }: Limits): number {
  return Math.min(maxIncomingUnixFds, MAX_WAITING_DESCRIPTORS);
}

/** Admits what the addon accepts. */
class ListenerAcceptor {
  readonly #bus: Bus;
  readonly #listeners: readonly Listener[];
  readonly #names: readonly string[];
  readonly #log: Log;
  #transport: NativeTransport | null = null;
  /** Are sockets accepted now? */
  #isOpen = true;

  constructor(bus: Bus, listeners: readonly Listener[], log: Log) {
    this.#bus = bus;
    this.#listeners = listeners;
    this.#names = listeners.map(({ address }) => formatAddress(address));
    this.#log = log;
  }

  acceptOn(transport: NativeTransport): void {
    this.#transport = transport;
    for (const [number, { descriptor }] of this.#listeners.entries()) {
      if (descriptor !== null) transport.poller.addListener(descriptor.take(), number);
    }
  }

  /** Who comes while too many are in the handshake stays in the listener's backlog, as in dbus-daemon. */
  admissionChanged(): void {
    if (this.#isOpen === this.#bus.isAdmitting) return;
    this.#isOpen = this.#bus.isAdmitting;
    for (const number of this.#listeners.keys()) {
      this.#transport?.poller.setListening(number, this.#isOpen);
    }
  }

  accepted(slot: number, listener: number, credentials: Credentials): Connection | null {
    const name = this.#names[listener] ?? "unknown";
    const connection = this.#bus.admit(credentials, slot, this.#transport, name);
    this.admissionChanged();
    return connection;
  }

  acceptFailed(listener: number, errorName: string): void {
    this.#log({
      level: "error",
      text: `cannot accept connections for now: ${errorName}`,
      fields: { listener: this.#names[listener] ?? "unknown", retryMs: ACCEPT_PAUSE_MS },
    });
    setTimeout(() => {
      if (this.#isOpen) this.#transport?.poller.setListening(listener, true);
    }, ACCEPT_PAUSE_MS).unref();
  }
}

function serve(bus: Bus, listener: Listener): (socket: Socket) => void {
  const origin = formatAddress(listener.address);
  return (socket) => {
    if (listener.isNetwork) {
      socket.setNoDelay(true);
      // A peer whose machine is gone says nothing any more.
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    }
    const credentials = listener.isNetwork ? UNKNOWN_PEER : ownUserCredentials();
    // node:net accepts whoever comes: where the addon leaves them in the backlog, these are sent away.
    const connection = bus.isAdmitting ? bus.admit(credentials, -1, null, origin) : null;
    if (connection === null) socket.destroy();
    else attachStream(connection, socket, bus.stage, bus.owner, listener.nonce);
  };
}

/** Node tries again by itself. */
function acceptFailed(listener: Listener, log: Log): (error: Error) => void {
  const fields = { listener: formatAddress(listener.address) };
  return ({ message }) => log({ level: "error", text: `cannot accept: ${message}`, fields });
}

/** What dbus-daemon leaves people to find out: over TCP nobody can get in, or just anybody can. */
function warnOfNetwork(listeners: readonly Listener[], options: StartOptions, log: Log): void {
  const mechanisms = options.authentication ?? [];
  const isOpen = mechanisms.includes("ANONYMOUS") && options.allowsAnonymous?.() === true;
  for (const { address, isNetwork, nonce } of listeners) {
    if (!isNetwork) continue;
    const fields = { listener: formatAddress(address) };
    const warn = (text: string): void => log({ level: "warning", text, fields });
    if (!isOpen && !mechanisms.includes("DBUS_COOKIE_SHA1")) {
      warn(
        "nobody can authenticate over TCP: allow DBUS_COOKIE_SHA1, or ANONYMOUS with anonymous peers",
      );
    } else if (isOpen && nonce === null) {
      warn("anybody who can reach this port may use the bus: anonymous peers are allowed");
    }
  }
}
