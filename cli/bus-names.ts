/** The names on a bus and who has them, as busctl lists them. */

import type { Client } from "../client/index.ts";
import { DRIVER_NAME } from "../wire/protocol.ts";
import {
  askDriver,
  credentialsOf,
  eachAnswer,
  listActivatableNames,
  listNames,
} from "./driver-calls.ts";
import { commandOf, controlGroupOf, loginSessionOf, unitOf, userNameOf } from "./process-facts.ts";

export interface NameChoice {
  readonly unique: boolean;
  /** Well-known names that somebody owns. */
  readonly acquired: boolean;
  /** Names that nobody owns, as far as the other two are listed, and that the bus can start somebody for. */
  readonly activatable: boolean;
}

export interface ListedName {
  readonly name: string;
  readonly pid: number | null;
  readonly process: string | null;
  readonly user: string | null;
  /** A unique name, or `(activatable)`; the bus itself has none. */
  readonly connection: string | null;
  readonly unit: string | null;
  readonly session: string | null;
}

/** In the order of their characters. */
export async function namesOnBus(client: Client, choice: NameChoice): Promise<ListedName[]> {
  const wantsOwned = choice.unique || choice.acquired;
  const [owned, activatable] = await Promise.all([
    wantsOwned ? listNames(client) : [],
    choice.activatable ? listActivatableNames(client) : [],
  ]);
  const isOwned = new Set(owned);
  const chosen = owned.filter((name) => (name.startsWith(":") ? choice.unique : choice.acquired));
  const listed = await eachAnswer(chosen, (name) => ownedName(client, name));
  const all = [
    // Who has gone since is listed all the same, as busctl does.
    ...chosen.map((name, index) => listed[index] ?? nameAlone(name, null)),
    ...activatable.filter((name) => !isOwned.has(name)).map((name) => nameAlone(name, ACTIVATABLE)),
  ];
  return all.sort((one, other) => (one.name < other.name ? -1 : 1));
}

export const ACTIVATABLE = "(activatable)";

async function ownedName(client: Client, name: string): Promise<ListedName> {
  const [credentials, owner] = await Promise.all([
    credentialsOf(client, name),
    askDriver(client, "GetNameOwner", [name]),
  ]);
  const pid = credentials.get("ProcessID")?.value;
  const userId = credentials.get("UnixUserID")?.value;
  const group = typeof pid === "number" ? controlGroupOf(pid) : null;
  return {
    name,
    pid: typeof pid === "number" ? pid : null,
    process: typeof pid === "number" ? commandOf(pid) : null,
    user: typeof userId === "number" ? userNameOf(userId) : null,
    connection: owner === DRIVER_NAME ? null : String(owner),
    unit: unitOf(group),
    session: loginSessionOf(group),
  };
}

function nameAlone(name: string, connection: string | null): ListedName {
  return { name, pid: null, process: null, user: null, connection, unit: null, session: null };
}
