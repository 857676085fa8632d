/** What the commands ask the bus itself. */

import type { CallOptions, Client } from "../client/index.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../wire/protocol.ts";
import type { Variant } from "../wire/variant.ts";

export const STATISTICS_INTERFACE = "org.freedesktop.DBus.Debug.Stats";

/** The first argument of the bus's answer to a method with texts as arguments, if any. */
export async function askDriver(
  client: Client,
  member: string,
  args: readonly string[] = [],
  options: CallOptions = {},
): Promise<unknown> {
  return askDriverInterface(client, DRIVER_NAME, member, args, options);
}

/** The same for another interface of the bus, such as Debug.Stats. */
export async function askDriverInterface(
  client: Client,
  interfaceName: string,
  member: string,
  args: readonly string[] = [],
  options: CallOptions = {},
): Promise<unknown> {
  const call = {
    destination: DRIVER_NAME,
    path: DRIVER_PATH,
    interface: interfaceName,
    member,
    signature: "s".repeat(args.length),
    body: args,
  };
  const reply = await client.call(call, options);
  // Some busses hand out a descriptor of the process, which nobody here needs.
  for (const descriptor of reply.descriptors) descriptor.close();
  return reply.body[0];
}

/** All names that somebody owns, unique ones too. */
export async function listNames(client: Client, options: CallOptions = {}): Promise<string[]> {
  return (await askDriver(client, "ListNames", [], options)) as string[]; // `as`, by the specification
}

export async function listActivatableNames(
  client: Client,
  options: CallOptions = {},
): Promise<string[]> {
  return (await askDriver(client, "ListActivatableNames", [], options)) as string[]; // `as` too
}

/** What the bus knows of who owns a name; keys as the specification has them. */
export async function credentialsOf(
  client: Client,
  name: string,
): Promise<ReadonlyMap<string, Variant>> {
  const credentials = await askDriver(client, "GetConnectionCredentials", [name]);
  return credentials as Map<string, Variant>; // `a{sv}`, by the specification
}

/** Asks for each at once, but for no more than a bus has room for. null: there is no answer, such as from who has gone. */
export async function eachAnswer<T>(
  names: readonly string[],
  ask: (name: string) => Promise<T>,
): Promise<(T | null)[]> {
  const answers: (T | null)[] = [];
  for (let start = 0; start < names.length; start += CALLS_AT_ONCE) {
    const asked = names.slice(start, start + CALLS_AT_ONCE).map((name) => ask(name));
    const settled = await Promise.allSettled(asked);
    for (const each of settled) answers.push(each.status === "fulfilled" ? each.value : null);
  }
  return answers;
}

/** dbus-daemon's session bus allows 50 000 replies to wait for, its system bus 128. */
const CALLS_AT_ONCE = 64;
