/** Where the well-known buses are, by the environment. */

import { statSync } from "node:fs";
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
  const attempts = [unset("DBUS_SESSION_BUS_ADDRESS")];
  const directory = environment["XDG_RUNTIME_DIR"] ?? "";
  if (directory === "") {
    attempts.push(unset("XDG_RUNTIME_DIR"));
  } else {
    const path = join(directory, "bus");
    const trouble = troubleWith(path);
    if (trouble === null) return formatAddress(addressOf("unix", { path }));
    attempts.push({ address: path, reason: trouble });
  }
  if ((environment["DISPLAY"] ?? "") !== "") return "autolaunch:";
  throw new ConnectError([...attempts, unset("DISPLAY")]);
}

function unset(variable: string): { address: string; reason: string } {
  return { address: `$${variable}`, reason: "is not set" };
}

/** As libdbus: the user bus is a socket, and our own. */
function troubleWith(path: string): string | null {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return "is not there";
  if (!status.isSocket()) return "is no socket";
  return status.uid === process.getuid?.() ? null : `belongs to user ${status.uid}`;
}

/** The addresses of the system bus. */
export function systemBusAddresses(environment: Environment): string {
  const address = environment["DBUS_SYSTEM_BUS_ADDRESS"] ?? "";
  return address === "" ? formatAddress(addressOf("unix", { path: SYSTEM_BUS_PATH })) : address;
}
