/** A monitor of a case, and what it is shown as short lines. */

import { expect } from "@jest/globals";
import { type Arrival, type Client, DRIVER, MONITORING } from "./client.ts";
import type { Scene } from "./conformance.ts";
import { signal } from "./messages.ts";
import { type Draft, type Message, Type, type Value } from "./wire.ts";

/** A monitor cannot ask the bus whether it has seen everything: it waits for a signal that somebody else sends. */
const BARRIER = "Barrier";

/** Who is meant by a unique name in a case's lines. */
export type People = Readonly<Record<string, Client>>;

export function becomeMonitor(
  client: Client,
  rules: readonly string[] = [],
  draft: Partial<Draft> = {},
): Promise<Arrival> {
  return client.call("BecomeMonitor", monitoringCall(rules, draft));
}

export function monitoringCall(
  rules: readonly string[] = [],
  draft: Partial<Draft> = {},
): Partial<Draft> {
  return { interface: MONITORING, signature: "asu", arguments: [rules, 0], ...draft };
}

/** Makes `client` a monitor of all that matches one of `rules`, or of everything, and forgets what led to it. */
export async function watch(client: Client, rules: readonly string[] = []): Promise<Client> {
  const { uniqueName } = client;
  const barrier = `member='${BARRIER}'`;
  const reply = await becomeMonitor(client, rules.length === 0 ? [] : [...rules, barrier]);
  expect(reply.type).toBe(Type.Return);
  await client.before(
    ({ member, arguments: [name] }) => member === "NameLost" && name === uniqueName,
    "NameLost",
  );
  return client;
}

/** A monitor that has seen nothing yet. */
export async function monitor(scene: Scene, rules: readonly string[] = []): Promise<Client> {
  return watch(await scene.client(), rules);
}

/** All that `monitor` was shown of what the bus has dealt with before a signal that `by` sends now. */
export async function shown(monitor: Client, by: Client): Promise<Arrival[]> {
  const barrier = by.send(signal({ member: BARRIER }));
  const messages = await monitor.before(
    ({ member, sender, serial }) =>
      member === BARRIER && sender === by.uniqueName && serial === barrier,
    "the barrier",
  );
  return messages.filter(isOrdinary(messages));
}

/** The same as lines: "call a > org.example.Name M", "signal bus > NameOwnerChanged a \"\" a". */
export async function seen(monitor: Client, by: Client, people: People): Promise<string[]> {
  return (await shown(monitor, by)).map((message) => line(message, people));
}

export function line(message: Message, people: People): string {
  const { type, sender, destination, member, errorName } = message;
  const what = ["", "call", "return", "error", "signal"][type] ?? `type ${type}`;
  const error = errorName?.replace("org.freedesktop.DBus.Error.", "") ?? null;
  const values = type === Type.Error ? [] : message.arguments.map((value) => word(value, people));
  const to = destination === null ? null : word(destination, people);
  const words = [what, word(sender ?? "nobody", people), ">", to, member, error, ...values];
  return words.filter((each) => each !== null).join(" ");
}

/** Not what clients do to wait for the bus and for monitors: GetId and its answers, and barriers. */
function isOrdinary(messages: readonly Message[]): (message: Message) => boolean {
  const barriers = new Set(
    messages
      .filter(({ member, destination }) => member === "GetId" && destination === DRIVER)
      .map(({ sender, serial }) => `${sender} ${serial}`),
  );
  return ({ member, sender, destination, replySerial }) =>
    member !== BARRIER &&
    !(member === "GetId" && destination === DRIVER) &&
    !(sender === DRIVER && barriers.has(`${destination} ${replySerial}`));
}

function word(value: Value, people: People): string {
  if (value === "") return '""';
  if (value === DRIVER) return "bus";
  const [name] =
    Object.entries(people).find(
      ([, { uniqueName }]) => uniqueName !== "" && uniqueName === value,
    ) ?? [];
  return name ?? String(value);
}
