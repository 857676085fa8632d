/** The mechanisms of the authentication protocol, in the order in which servers list them. */

/** https://dbus.freedesktop.org/doc/dbus-specification.html#auth-mechanisms */
export type Mechanism = "EXTERNAL" | "DBUS_COOKIE_SHA1" | "ANONYMOUS";

/** Every mechanism there is, in dbus-daemon's order, whatever the order of a configuration. */
export const MECHANISMS: readonly Mechanism[] = ["EXTERNAL", "DBUS_COOKIE_SHA1", "ANONYMOUS"];

/** Is this the name of a mechanism? Names are told by their case. */
export function isMechanism(name: string): name is Mechanism {
  // A list of literals may be asked about any text.
  return (MECHANISMS as readonly string[]).includes(name);
}

/** The mechanisms of `chosen`, each once and in the order in which they are listed. */
export function inOrder(chosen: readonly Mechanism[]): readonly Mechanism[] {
  return MECHANISMS.filter((mechanism) => chosen.includes(mechanism));
}
