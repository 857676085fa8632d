/** Connects to a bus: by its address, as this user's session bus, as the system bus, or in this process. */

import type { AddonUse } from "../transport/addon.ts";
import {
  type Address,
  formatAddress,
  guidOf,
  isNetwork,
  parseAddresses,
} from "../transport/address.ts";
import type { ByteStream } from "../transport/byte-stream.ts";
import { ClientAuthentication } from "../transport/client-authentication.ts";
import { ClientNegotiation } from "../transport/client-negotiation.ts";
import { ConnectError, openAddress } from "../transport/connect.ts";
import { MECHANISMS, type Mechanism } from "../transport/mechanism.ts";
import { sessionBusAddresses, systemBusAddresses } from "./bus-addresses.ts";
import { Client, type ClientOptions } from "./client.ts";
import { DBusError } from "./errors.ts";
import { type Wires, wiresFor } from "./wires.ts";

export interface ConnectOptions extends ClientOptions {
  /** Aborting it gives up connecting; later it means nothing. */
  readonly signal?: AbortSignal;
  /**
   * The mechanisms to authenticate with, in this order; EXTERNAL goes first where it can. Default: EXTERNAL,
   * DBUS_COOKIE_SHA1, ANONYMOUS.
   */
  readonly authentication?: readonly Mechanism[];
  /** Default "optional": without the addon there are no descriptors, abstract sockets and unixexec. */
  readonly addon?: AddonUse;
}

/**
 * A client of the first bus of a list of addresses that can be reached, lets us in and says Hello; or of the bus
 * at the other end of a stream, such as `createBus().connect()`.
 *
 * Addresses are `unix:` (path, abstract), `tcp:`, `nonce-tcp:`, `unixexec:` and `autolaunch:`.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#addresses
 *
 * @throws ConnectError that says what became of each address; AddressError if the list cannot be read;
 *   AddonMissingError if the addon is required and missing
 */
export async function connect(
  to: string | ByteStream,
  options: ConnectOptions = {},
): Promise<Client> {
  const wires = wiresFor(options.addon ?? "optional");
  if (typeof to !== "string") return connectStream(to, wires, options);
  const attempts: { address: string; reason: string }[] = [];
  for (const address of parseAddresses(to)) {
    const result = await attempt(address, wires, options);
    if (typeof result !== "string") return result;
    attempts.push({ address: formatAddress(address), reason: result });
  }
  throw new ConnectError(attempts);
}

/**
 * The bus of this user's session: $DBUS_SESSION_BUS_ADDRESS, the socket $XDG_RUNTIME_DIR/bus, or the one
 * that dbus-launch(1) finds or starts for the X display.
 *
 * @throws as `connect`; ConnectError also if the environment names neither
 */
export async function sessionBus(options: ConnectOptions = {}): Promise<Client> {
  return connect(sessionBusAddresses(process.env), options);
}

/** The bus of this machine: $DBUS_SYSTEM_BUS_ADDRESS, or the standard socket. @throws as `connect` */
export async function systemBus(options: ConnectOptions = {}): Promise<Client> {
  return connect(systemBusAddresses(process.env), options);
}

async function connectStream(
  stream: ByteStream,
  wires: Wires,
  options: ConnectOptions,
): Promise<Client> {
  const terms = { userId: null, wantsDescriptors: false, expectedGuid: null };
  const handshake = new ClientAuthentication(terms);
  const joined = await join(() => Client.join(wires, stream, handshake, "in process", options));
  if (typeof joined !== "string") return joined;
  throw new ConnectError([{ address: "in process", reason: joined }]);
}

/** A client of the bus at this one address, or why there is none. */
async function attempt(
  address: Address,
  wires: Wires,
  options: ConnectOptions,
): Promise<Client | string> {
  const allowed = options.authentication ?? MECHANISMS;
  // Over a network EXTERNAL is rejected, as a rule: nothing can be said in advance.
  if (isNetwork(address) || !allowed.includes("EXTERNAL")) {
    return (await open(address, wires, options, allowed)).result;
  }
  const first = await open(address, wires, options, null);
  const left = allowed.filter(
    (mechanism) => mechanism !== "EXTERNAL" && first.offer.includes(mechanism),
  );
  if (left.length === 0) return first.result;
  const second = await open(address, wires, options, left);
  return typeof second.result === "string" ? `${first.result}; ${second.result}` : second.result;
}

/** A try to become a client: `offer` has the mechanisms that the bus named when it rejected us. */
interface Attempt {
  readonly result: Client | string;
  readonly offer: readonly string[];
}

/** Tries these mechanisms in order; null: EXTERNAL, all said in advance. */
async function open(
  address: Address,
  wires: Wires,
  options: ConnectOptions,
  mechanisms: readonly Mechanism[] | null,
): Promise<Attempt> {
  if (options.signal?.aborted === true) return { result: "connecting was aborted", offer: [] };
  const stream = await openAddress(address, wires.addon);
  if (typeof stream === "string") return { result: stream, offer: [] };
  const terms = {
    wantsDescriptors: stream.descriptor !== null,
    expectedGuid: guidOf(stream.address),
  };
  const handshake =
    mechanisms === null
      ? new ClientAuthentication({ userId: null, ...terms })
      : new ClientNegotiation({ mechanisms, userId: process.geteuid?.() ?? 0, ...terms });
  const origin = formatAddress(stream.address);
  const result = await join(() => Client.join(wires, stream, handshake, origin, options));
  return { result, offer: handshake.offer ?? [] };
}

/** What one bus refuses another one may grant. */
async function join(begin: () => Promise<Client>): Promise<Client | string> {
  try {
    return await begin();
  } catch (error) {
    if (error instanceof DBusError) return error.text;
    throw error;
  }
}
