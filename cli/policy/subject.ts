/** Whom a question about policies is about: a user with groups, a peer of a running bus, or the bus itself. */

import { findKnownGroup, findUser, KnownAccounts } from "../../compat/dbus-daemon/accounts.ts";
import { isBusName } from "../../wire/names.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { misuse } from "../command-problem.ts";
import { groupNameOf, userNameOf } from "../process-facts.ts";

export type Subject =
  | { readonly kind: "bus" }
  | { readonly kind: "peer"; readonly name: string }
  | { readonly kind: "user"; readonly userId: number; readonly groups: readonly number[] };

const EXPECTED = "a user (alice, 1000, alice:adm,video) or a peer (:1.42, org.example.Service)";

/**
 * `text` as it was typed. A user has the groups of the user database; `USER:GROUP,GROUP` has these and no others.
 *
 * @throws CommandProblem if there is no such user or group, and it is no name of a peer
 */
export function parseSubject(text: string): Subject {
  if (text === DRIVER_NAME) return { kind: "bus" };
  if (text.startsWith(":")) {
    if (isBusName(text)) return { kind: "peer", name: text };
    throw misuse(`${JSON.stringify(text)} is nobody: expected ${EXPECTED}`);
  }
  // A user may be called john.doe; then it is not asked whether somebody owns that name.
  const user = parseUser(text);
  if (user !== null) return { kind: "user", ...user };
  if (isBusName(text)) return { kind: "peer", name: text };
  throw misuse(`there is no user ${JSON.stringify(text)}: expected ${EXPECTED}`);
}

export interface User {
  readonly userId: number;
  readonly groups: readonly number[];
}

/** null: there is no such user. @throws CommandProblem if there is no such group */
export function parseUser(text: string): User | null {
  const [name = "", list, ...more] = text.split(":");
  if (more.length > 0) throw misuse(`${JSON.stringify(text)}: expected such as alice:adm,video`);
  const account = findUser(name);
  if (account === null) return null;
  const { userId } = account;
  if (list === undefined) return { userId, groups: new KnownAccounts().groupsOf(userId) };
  const groups = list === "" ? [] : list.split(",").map(groupNumber);
  return { userId, groups: [...new Set(groups)] };
}

/** A number alone need not be one of a group. */
function groupNumber(text: string): number {
  const groupId = findKnownGroup(text) ?? (/^\d{1,9}$/.test(text) ? Number(text) : null);
  if (groupId === null) throw misuse(`there is no group ${JSON.stringify(text)}`);
  return groupId;
}

/** `alice (1000)`, or the number alone where it has no name. */
export function describeUser(userId: number): string {
  return withNumber(userNameOf(userId), userId);
}

export function describeGroup(groupId: number): string {
  return withNumber(groupNameOf(groupId), groupId);
}

function withNumber(name: string, id: number): string {
  return name === String(id) ? name : `${name} (${id})`;
}
