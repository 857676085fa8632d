/** The standard interfaces of the bus's own object: Peer, Introspectable, Properties; and odds and ends. */

import { readMachineId } from "../../transport/guid.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { Variant } from "../../wire/variant.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverError,
  type DriverMethod,
  driverError,
  text,
} from "./call.ts";
import { introspection } from "./introspection.ts";
import { MONITORING_INTERFACE } from "./monitoring-methods.ts";
import { STATISTICS_INTERFACE } from "./statistics-methods.ts";

const PROPERTIES = "org.freedesktop.DBus.Properties";
const INTROSPECTABLE = "org.freedesktop.DBus.Introspectable";
const PEER = "org.freedesktop.DBus.Peer";

/**
 * What this bus does beyond the first version of the specification:
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-properties
 */
function propertyValues(context: DriverContext): ReadonlyMap<string, Variant> {
  const features = ["ActivatableServicesChanged", "HeaderFiltering"];
  if (context.systemdActivation) features.push("SystemdActivation");
  return new Map([
    ["Features", new Variant("as", features)],
    ["Interfaces", new Variant("as", [MONITORING_INTERFACE, STATISTICS_INTERFACE])],
  ]);
}

export const objectMethods: readonly DriverMethod[] = [
  method(DRIVER_NAME, "GetId", "", "s", true, (_call, context) => [context.guid]),
  method(DRIVER_NAME, "ReloadConfig", "", "", true, reloadConfig),
  method(PROPERTIES, "Get", "ss", "v", false, getProperty),
  method(PROPERTIES, "GetAll", "s", "a{sv}", false, getAllProperties),
  method(PROPERTIES, "Set", "ssv", "", false, setProperty),
  method(INTROSPECTABLE, "Introspect", "", "s", true, (call) => [introspection(call.path)]),
  method(PEER, "Ping", "", "", true, () => []),
  method(PEER, "GetMachineId", "", "s", true, machineId),
];

function method(
  interfaceName: string,
  member: string,
  input: string,
  output: string,
  anyPath: boolean,
  run: DriverMethod["run"],
): DriverMethod {
  // What somebody wants a property to be is of no interest: they are all read-only.
  const reads = member === "Set" ? "ss" : input;
  return { interface: interfaceName, member, input, reads, output, anyPath, run };
}

function reloadConfig(_call: Call, context: DriverContext): Answer {
  const failure = context.reload();
  return failure === null ? [] : driverError("Failed", failure);
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-peer */
export function machineId(): Answer {
  const id = readMachineId();
  if (id !== null) return [id];
  return driverError(
    "FileNotFound",
    "This machine has no id: neither /var/lib/dbus/machine-id nor /etc/machine-id holds one; dbus-uuidgen --ensure makes one",
  );
}

function getProperty(call: Call, context: DriverContext): Answer {
  const found = propertyOf(text(call, 0), text(call, 1), context);
  return "error" in found ? found : [found];
}

function setProperty(call: Call, context: DriverContext): Answer {
  const found = propertyOf(text(call, 0), text(call, 1), context);
  if ("error" in found) return found;
  const property = `${text(call, 0)}.${text(call, 1)}`;
  return driverError("PropertyReadOnly", `Property '${property}' cannot be set`);
}

function getAllProperties(call: Call, context: DriverContext): Answer {
  const name = text(call, 0);
  if (!INTERFACES.has(name)) return unknownInterface(name);
  return [name === DRIVER_NAME ? propertyValues(context) : new Map()];
}

function propertyOf(
  interfaceName: string,
  property: string,
  context: DriverContext,
): Variant | DriverError {
  if (!INTERFACES.has(interfaceName)) return unknownInterface(interfaceName);
  const value = interfaceName === DRIVER_NAME ? propertyValues(context).get(property) : undefined;
  if (value !== undefined) return value;
  return driverError("UnknownProperty", `Property "${interfaceName}.${property}" not found`);
}

function unknownInterface(name: string): DriverError {
  return driverError("UnknownInterface", `Interface "${name}" not found`);
}

const INTERFACES: ReadonlySet<string> = new Set([
  DRIVER_NAME,
  PROPERTIES,
  INTROSPECTABLE,
  PEER,
  MONITORING_INTERFACE,
  STATISTICS_INTERFACE,
]);
