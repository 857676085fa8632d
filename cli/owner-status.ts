/** Who owns a name: what the bus and this machine tell. */

import type { Client, DBusError } from "../client/index.ts";
import { DBusErrorName } from "../wire/error-names.ts";
import type { Variant } from "../wire/variant.ts";
import {
  askDriver,
  askDriverInterface,
  credentialsOf,
  eachAnswer,
  listNames,
  STATISTICS_INTERFACE,
} from "./driver-calls.ts";
import { groupNameOf, loginSessionOf, processFacts, unitOf, userNameOf } from "./process-facts.ts";

export interface OwnerFacts {
  readonly processId: number | null;
  readonly userId: number | null;
  readonly user: string | null;
  readonly groups: readonly { readonly id: number; readonly name: string }[] | null;
  readonly label: string | null;
  readonly command: string | null;
  readonly executable: string | null;
  readonly commandLine: readonly string[] | null;
  readonly controlGroup: string | null;
  readonly unit: string | null;
  readonly session: string | null;
}

export interface OwnerStatus extends OwnerFacts {
  readonly uniqueName: string;
  /** The well-known names that it owns. */
  readonly names: readonly string[];
  /** What Debug.Stats counts; null: the bus does not tell us. */
  readonly statistics: ReadonlyMap<string, Variant> | null;
}

/** null: nobody owns the name. */
export async function ownerStatus(client: Client, name: string): Promise<OwnerStatus | null> {
  const owner = await askDriver(client, "GetNameOwner", [name]).catch(nullIfNobody);
  if (owner === null) return null;
  const uniqueName = String(owner);
  const [credentials, names, statistics] = await Promise.all([
    credentialsOf(client, name),
    namesOf(client, uniqueName),
    askDriverInterface(client, STATISTICS_INTERFACE, "GetConnectionStats", [name]).catch(
      () => null,
    ),
  ]);
  return {
    uniqueName,
    names,
    ...ownerFacts(credentials),
    statistics: statistics as ReadonlyMap<string, Variant> | null, // `a{sv}`, in all busses that have it
  };
}

function nullIfNobody(error: DBusError): null {
  if (error.errorName !== DBusErrorName.NameHasNoOwner) throw error;
  return null;
}

/** The bus has no question for this: each name is asked for its owner. */
async function namesOf(client: Client, uniqueName: string): Promise<string[]> {
  const names = (await listNames(client)).filter((name) => !name.startsWith(":"));
  const owners = await eachAnswer(names, (name) => askDriver(client, "GetNameOwner", [name]));
  return names.filter((_name, index) => owners[index] === uniqueName).sort();
}

export function ownerFacts(credentials: ReadonlyMap<string, Variant>): OwnerFacts {
  const processId = numberFrom(credentials, "ProcessID");
  const userId = numberFrom(credentials, "UnixUserID");
  const groups = credentials.get("UnixGroupIDs");
  const label = credentials.get("LinuxSecurityLabel");
  const facts = processId === null ? NOTHING_KNOWN : processFacts(processId);
  return {
    processId,
    userId,
    user: userId === null ? null : userNameOf(userId),
    groups:
      groups?.signature === "au"
        ? (groups.value as number[]).map((id) => ({ id, name: groupNameOf(id) })) // just checked
        : null,
    label:
      label?.signature === "ay"
        ? Buffer.from(label.value as Uint8Array)
            .toString("utf8")
            .replace(/\0$/, "") // just checked
        : null,
    ...facts,
    unit: unitOf(facts.controlGroup),
    session: loginSessionOf(facts.controlGroup),
  };
}

const NOTHING_KNOWN = { command: null, executable: null, commandLine: null, controlGroup: null };

export function numberFrom(
  values: ReadonlyMap<string, Variant> | null,
  key: string,
): number | null {
  const value = values?.get(key)?.value;
  return typeof value === "number" ? value : null;
}
