/** What Introspect says about the bus's own object. */

import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

const DOCTYPE = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;

interface Member {
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
}

const DRIVER_METHODS: readonly Member[] = [
  member("Hello", [], ["s"]),
  member("RequestName", ["s", "u"], ["u"]),
  member("ReleaseName", ["s"], ["u"]),
  member("StartServiceByName", ["s", "u"], ["u"]),
  member("UpdateActivationEnvironment", ["a{ss}"], []),
  member("NameHasOwner", ["s"], ["b"]),
  member("ListNames", [], ["as"]),
  member("ListActivatableNames", [], ["as"]),
  member("AddMatch", ["s"], []),
  member("RemoveMatch", ["s"], []),
  member("GetNameOwner", ["s"], ["s"]),
  member("ListQueuedOwners", ["s"], ["as"]),
  member("GetConnectionUnixUser", ["s"], ["u"]),
  member("GetConnectionUnixProcessID", ["s"], ["u"]),
  member("GetAdtAuditSessionData", ["s"], ["ay"]),
  member("GetConnectionSELinuxSecurityContext", ["s"], ["ay"]),
  member("GetConnectionCredentials", ["s"], ["a{sv}"]),
  member("ReloadConfig", [], []),
  member("GetId", [], ["s"]),
];

/** The document for `path`: every path has the bus's methods, and the root and its like lead to its object. */
export function introspection(path: string): string {
  const isOwnPath = path === DRIVER_PATH;
  const interfaces = [
    driverInterface(),
    ...(isOwnPath ? [propertiesInterface()] : []),
    introspectableInterface(),
    ...(isOwnPath ? [monitoringInterface(), statisticsInterface()] : []),
    peerInterface(),
  ];
  return `${DOCTYPE}<node>\n${interfaces.join("")}${child(path)}</node>\n`;
}

/** What a peer's own library would say, for a call that names no destination. */
export const EMPTY_INTROSPECTION: string = `${DOCTYPE}<node>\n</node>\n`;

function child(path: string): string {
  const prefix = path === "/" ? "/" : `${path}/`;
  if (!DRIVER_PATH.startsWith(prefix)) return "";
  return `  <node name="${DRIVER_PATH.slice(prefix.length)}"/>\n`;
}

function driverInterface(): string {
  const property = (name: string): string =>
    `    <property name="${name}" type="as" access="read">\n      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="const"/>\n    </property>\n`;
  return element(
    DRIVER_NAME,
    DRIVER_METHODS.map(methodElement).join("") +
      property("Features") +
      property("Interfaces") +
      signalElement("NameOwnerChanged", ["s", "s", "s"]) +
      signalElement("NameLost", ["s"]) +
      signalElement("NameAcquired", ["s"]) +
      signalElement("ActivatableServicesChanged", []),
  );
}

function propertiesInterface(): string {
  return element(
    "org.freedesktop.DBus.Properties",
    methodElement(member("Get", ["s", "s"], ["v"])) +
      methodElement(member("GetAll", ["s"], ["a{sv}"])) +
      methodElement(member("Set", ["s", "s", "v"], [])) +
      signalElement("PropertiesChanged", ["s", "a{sv}", "as"]),
  );
}

function introspectableInterface(): string {
  const introspect = member("Introspect", [], ["s"]);
  return element("org.freedesktop.DBus.Introspectable", methodElement(introspect));
}

function monitoringInterface(): string {
  const becomeMonitor = member("BecomeMonitor", ["as", "u"], []);
  return element("org.freedesktop.DBus.Monitoring", methodElement(becomeMonitor));
}

function statisticsInterface(): string {
  return element(
    "org.freedesktop.DBus.Debug.Stats",
    methodElement(member("GetStats", [], ["a{sv}"])) +
      methodElement(member("GetConnectionStats", ["s"], ["a{sv}"])) +
      methodElement(member("GetAllMatchRules", [], ["a{sas}"])),
  );
}

function peerInterface(): string {
  return element(
    "org.freedesktop.DBus.Peer",
    methodElement(member("GetMachineId", [], ["s"])) + methodElement(member("Ping", [], [])),
  );
}

function member(name: string, input: readonly string[], output: readonly string[]): Member {
  return { name, input, output };
}

function element(name: string, content: string): string {
  return `  <interface name="${name}">\n${content}  </interface>\n`;
}

function methodElement({ name, input, output }: Member): string {
  const args = [
    ...input.map((type) => `      <arg direction="in" type="${type}"/>\n`),
    ...output.map((type) => `      <arg direction="out" type="${type}"/>\n`),
  ];
  return `    <method name="${name}">\n${args.join("")}    </method>\n`;
}

function signalElement(name: string, types: readonly string[]): string {
  const args = types.map((type) => `      <arg type="${type}"/>\n`);
  return `    <signal name="${name}">\n${args.join("")}    </signal>\n`;
}
