/** What a running bus tells of a peer that its policy asks for. */

import type { Client } from "../../client/index.ts";
import { askDriver, credentialsOf, eachAnswer, listNames } from "../driver-calls.ts";
import { numberFrom } from "../owner-status.ts";

export interface LivePeer {
  readonly userId: number | null;
  /** null: the bus does not tell. */
  readonly groups: readonly number[] | null;
  /** The unique name, and all names that it owns or waits for. */
  readonly names: readonly string[];
}

/** null: nobody owns the name. */
export async function livePeer(client: Client, name: string): Promise<LivePeer | null> {
  const owned = await listNames(client);
  if (!owned.includes(name)) return null;
  const [owner, credentials, wellKnown] = await Promise.all([
    askDriver(client, "GetNameOwner", [name]),
    credentialsOf(client, name),
    queues(client, owned),
  ]);
  const uniqueName = String(owner);
  const names = [...wellKnown].filter(([, queue]) => queue.includes(uniqueName));
  const groups = credentials.get("UnixGroupIDs");
  return {
    userId: numberFrom(credentials, "UnixUserID"),
    groups: groups?.signature === "au" ? (groups.value as number[]) : null, // just checked
    names: [uniqueName, ...names.map(([each]) => each).sort()],
  };
}

/** Who owns each well-known name or waits for it: for a policy that makes no difference. */
async function queues(
  client: Client,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const wellKnown = names.filter((name) => !name.startsWith(":"));
  const answers = await eachAnswer(wellKnown, (name) =>
    askDriver(client, "ListQueuedOwners", [name]),
  );
  // `as`, by the specification; who has gone since has no queue.
  return new Map(wellKnown.map((name, index) => [name, (answers[index] ?? []) as string[]]));
}
