/** What a bus tells of itself. */

import type { Client } from "../client/index.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../wire/protocol.ts";
import type { Variant } from "../wire/variant.ts";
import {
  askDriver,
  askDriverInterface,
  credentialsOf,
  listActivatableNames,
  listNames,
  STATISTICS_INTERFACE,
} from "./driver-calls.ts";
import { numberFrom, type OwnerFacts, ownerFacts } from "./owner-status.ts";

export interface BusStatus {
  /** Of the bus, however many addresses it listens at. */
  readonly id: string;
  /** Of the address that we are connected to. */
  readonly serverGuid: string;
  /** dbus-daemon, dbus-broker or onehop, as far as its process tells. */
  readonly implementation: string | null;
  readonly features: readonly string[] | null;
  readonly interfaces: readonly string[] | null;
  readonly process: OwnerFacts;
  readonly peers: number;
  readonly wellKnownNames: number;
  readonly activatableNames: number;
  /** Rules of all peers; null: the bus does not tell us. */
  readonly matchRules: number | null;
  /** What Debug.Stats counts; null: the bus does not tell us. */
  readonly statistics: ReadonlyMap<string, Variant> | null;
  /** What the bus did not tell, and why. */
  readonly withheld: readonly string[];
}

export async function busStatus(client: Client): Promise<BusStatus> {
  const withheld: string[] = [];
  const orTold = async <T>(what: string, asked: Promise<T>): Promise<T | null> => {
    try {
      return await asked;
    } catch (error) {
      withheld.push(`${what}: ${reasonOf(error)}`);
      return null;
    }
  };
  const names = await listNames(client);
  const [id, activatable, properties, credentials, statistics] = await Promise.all([
    askDriver(client, "GetId"),
    listActivatableNames(client),
    orTold("features", driverProperties(client)),
    credentialsOf(client, DRIVER_NAME),
    orTold("statistics", askDriverInterface(client, STATISTICS_INTERFACE, "GetStats")),
  ]);
  const process = ownerFacts(credentials);
  const counts = statistics as ReadonlyMap<string, Variant> | null; // `a{sv}`, in all busses that have it
  return {
    id: String(id),
    serverGuid: client.guid,
    implementation: implementationOf(process, counts),
    features: textsFrom(properties, "Features"),
    interfaces: textsFrom(properties, "Interfaces"),
    process,
    peers: names.filter((name) => name.startsWith(":")).length,
    wellKnownNames: names.filter((name) => !name.startsWith(":")).length,
    activatableNames: activatable.length,
    matchRules: numberFrom(counts, "MatchRules"),
    statistics: counts,
    withheld,
  };
}

async function driverProperties(client: Client): Promise<ReadonlyMap<string, Variant>> {
  const { body } = await client.call({
    destination: DRIVER_NAME,
    path: DRIVER_PATH,
    interface: "org.freedesktop.DBus.Properties",
    member: "GetAll",
    signature: "s",
    body: [DRIVER_NAME],
  });
  return body[0] as Map<string, Variant>; // `a{sv}`, by the specification
}

function textsFrom(
  values: ReadonlyMap<string, Variant> | null,
  key: string,
): readonly string[] | null {
  const variant = values?.get(key);
  return variant?.signature === "as" ? (variant.value as string[]) : null; // just checked
}

/** By what it counts, or by what its program is called; onehop is a script of Node's. */
function implementationOf(
  { command, commandLine }: OwnerFacts,
  counts: ReadonlyMap<string, Variant> | null,
): string | null {
  if ([...(counts?.keys() ?? [])].some((key) => key.startsWith("org.bus1."))) return "dbus-broker";
  const words = [command ?? "", ...(commandLine ?? [])].join(" ");
  return /\b(onehop|dbus-daemon|dbus-broker)\b/.exec(words)?.[1] ?? null;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "text" in error && typeof error.text === "string" ? error.text.trim() : error.message;
}
