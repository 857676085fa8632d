/** Connects to a bus: by its address, as this user's session bus, as the system bus, or in this process. */

import type { AddonUse } from "../transport/addon.ts";
import { type Address, formatAddress, guidOf, parseAddresses } from "../transport/address.ts";
import type { ByteStream } from "../transport/byte-stream.ts";
import { ConnectError, openAddress } from "../transport/connect.ts";
import { sessionBusAddresses, systemBusAddresses } from "./bus-addresses.ts";
import { Client, type ClientOptions } from "./client.ts";
import { DBusError } from "./errors.ts";
import { type Wires, wiresFor } from "./wires.ts";

export interface ConnectOptions extends ClientOptions {
  /** Aborting it gives up connecting; later it means nothing. */
  readonly signal?: AbortSignal;
  /** Default "optional": without the addon there are no descriptors, abstract sockets and unixexec. */
  readonly addon?: AddonUse;
}

/**
 * A client of the first bus of a list of addresses that can be reached, lets us in and says Hello; or of the bus
 * at the other end of a stream, such as `createBus().connect()`.
 *
 * Addresses are `unix:` (path, abstract), `tcp:`, `nonce-tcp:` and `unixexec:`; the authentication is EXTERNAL.
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
 * The bus of this user's session: $DBUS_SESSION_BUS_ADDRESS, or the socket $XDG_RUNTIME_DIR/bus.
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
  const joined = await join(() => Client.join(wires, stream, null, "in process", options));
  if (typeof joined !== "string") return joined;
  throw new ConnectError([{ address: "in process", reason: joined }]);
}

/** A client of the bus at this one address, or why there is none. */
async function attempt(
  address: Address,
  wires: Wires,
  options: ConnectOptions,
): Promise<Client | string> {
  if (options.signal?.aborted === true) return "connecting was aborted";
  const expectedGuid = guidOf(address);
  const stream = await openAddress(address, wires.addon);
  if (typeof stream === "string") return stream;
  const origin = formatAddress(address);
  return join(() => Client.join(wires, stream, expectedGuid, origin, options));
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
