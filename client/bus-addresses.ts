/** Where the well-known buses are, by the environment. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { addressOf, formatAddress } from "../transport/address.ts";
import { ConnectError } from "../transport/connect.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-types-system */
const SYSTEM_BUS_PATH = "/var/run/dbus/system_bus_socket";

/**
 * The addresses of the session bus, as libdbus finds them; an empty variable is one that is not set.
 *
 * @throws ConnectError that says where it was looked for
 */
export function sessionBusAddresses(environment: Environment): string {
  const address = environment["DBUS_SESSION_BUS_ADDRESS"] ?? "";
  if (address !== "") return address;
  const unset = { address: "$DBUS_SESSION_BUS_ADDRESS", reason: "is not set" };
  const directory = environment["XDG_RUNTIME_DIR"] ?? "";
  if (directory === "") {
    throw new ConnectError([unset, { address: "$XDG_RUNTIME_DIR", reason: "is not set" }]);
  }
  const path = join(directory, "bus");
  if (existsSync(path)) return formatAddress(addressOf("unix", { path }));
  throw new ConnectError([unset, { address: path, reason: "is not there" }]);
}

/** The addresses of the system bus. */
export function systemBusAddresses(environment: Environment): string {
  const address = environment["DBUS_SYSTEM_BUS_ADDRESS"] ?? "";
  return address === "" ? formatAddress(addressOf("unix", { path: SYSTEM_BUS_PATH })) : address;
}
