/** The environment in which a service is started. */

/** systemd sets them for the bus itself; they would mislead a service, and dbus-daemon takes them away. */
const OF_THE_BUS_ALONE: ReadonlySet<string> = new Set([
  "INVOCATION_ID",
  "JOURNAL_STREAM",
  "LISTEN_FDNAMES",
  "LISTEN_FDS",
  "LISTEN_PID",
  "NOTIFY_SOCKET",
]);

/** What of the bus's own environment services inherit. */
export function inheritedEnvironment(
  own: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && !OF_THE_BUS_ALONE.has(name)) inherited[name] = value;
  }
  return inherited;
}

/** What peers have set goes before what is inherited, and where the bus is before all of it. */
export function environmentOf(from: {
  readonly inherited: Readonly<Record<string, string>>;
  readonly variables: ReadonlyMap<string, string>;
  readonly address: string | null;
  readonly busType: string | null;
}): Readonly<Record<string, string>> {
  const { inherited, variables, address, busType } = from;
  return {
    ...inherited,
    ...Object.fromEntries(variables),
    ...(address !== null && { DBUS_STARTER_ADDRESS: address }),
    ...(busType !== null && { DBUS_STARTER_BUS_TYPE: busType }),
    ...(address !== null && busType === "session" && { DBUS_SESSION_BUS_ADDRESS: address }),
    ...(address !== null && busType === "system" && { DBUS_SYSTEM_BUS_ADDRESS: address }),
  };
}
