/** Users and groups by name, from the local files and, failing that, the system's name services. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Accounts } from "../../bus/index.ts";

export interface Account {
  readonly userId: number;
  readonly groupId: number;
}

/** A user by name or by number; `null` if there is no such user. A number alone need not exist. */
export function findUser(text: string): Account | null {
  const fields = findEntry("passwd", text, 2);
  if (fields !== null) return { userId: Number(fields[2]), groupId: Number(fields[3]) };
  const number = parseId(text);
  return number === null ? null : { userId: number, groupId: number };
}

/**
 * The number of a user that the user database knows, by name or by number, or `null`. As in dbus-daemon, policies
 * are about no others.
 */
export function findKnownUser(text: string): number | null {
  const fields = findEntry("passwd", text, 2);
  return fields === null ? null : Number(fields[2]);
}

/** The same for a group. */
export function findKnownGroup(text: string): number | null {
  const fields = findEntry("group", text, 2);
  return fields === null ? null : Number(fields[2]);
}

function parseId(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : null;
}

function findEntry(database: "passwd" | "group", key: string, idField: number): string[] | null {
  if (!/^[\w.@$-]+$/.test(key) || key.startsWith("-")) return null;
  const matching = (text: string): string[] | null => {
    for (const line of text.split("\n")) {
      const fields = line.split(":");
      if (fields.length > idField + 1 && (fields[0] === key || fields[idField] === key)) {
        return fields;
      }
    }
    return null;
  };
  try {
    const local = matching(readFileSync(`/etc/${database}`, "utf8"));
    if (local !== null) return local;
  } catch {
    // A machine without these files keeps its accounts elsewhere.
  }
  // Accounts from LDAP, systemd and the like; getent(1) is part of the C library's own package.
  const { status, stdout } = spawnSync("getent", [database, key], { encoding: "utf8" });
  return status === 0 ? matching(stdout) : null;
}

/** How many users are remembered. */
const MOST_USERS = 1024;

/**
 * What a policy may ask about users, remembered until the next reload: one who is refused must not be able to
 * keep the bus busy with looking it up.
 */
export class KnownAccounts implements Accounts {
  readonly #runtimeFolder: string;
  readonly #areKnown: Map<number, boolean> = new Map();
  readonly #groups: Map<number, readonly number[]> = new Map();

  /** `runtimeFolder`: where systemd-logind tells who is logged in. */
  constructor(runtimeFolder = "/run/systemd") {
    this.#runtimeFolder = runtimeFolder;
  }

  isKnown(userId: number): boolean {
    return remembered(this.#areKnown, userId, () => passwdEntry(userId) !== null);
  }

  groupsOf(userId: number): readonly number[] {
    return remembered(this.#groups, userId, () => groupsOf(userId));
  }

  /** As sd_uid_get_seats(3) has it; without systemd-logind nobody is at a console. */
  isAtConsole(userId: number): boolean {
    if (!existsSync(`${this.#runtimeFolder}/seats/`)) return false;
    try {
      const text = readFileSync(`${this.#runtimeFolder}/users/${userId}`, "utf8");
      return (/^ONLINE_SEATS=(.*)$/m.exec(text)?.[1] ?? "").trim() !== "";
    } catch {
      // There is no such file for who is not logged in.
      return false;
    }
  }
}

function remembered<Value>(known: Map<number, Value>, userId: number, find: () => Value): Value {
  const before = known.get(userId);
  if (before !== undefined) return before;
  if (known.size >= MOST_USERS) known.clear();
  const value = find();
  known.set(userId, value);
  return value;
}

function passwdEntry(userId: number): string[] | null {
  const fields = findEntry("passwd", String(userId), 2);
  return fields !== null && Number(fields[2]) === userId ? fields : null;
}

/** The groups of a user by the user database, the primary one first. */
function groupsOf(userId: number): readonly number[] {
  const [name, , , groupId] = passwdEntry(userId) ?? [];
  if (name === undefined) return [];
  // getent(1) asks all name services, and prints in one line all groups that somebody is in.
  const { status, stdout } = spawnSync("getent", ["initgroups", name], { encoding: "utf8" });
  const others = status === 0 ? stdout.trim().split(/\s+/).slice(1).map(Number) : localGroups(name);
  return [...new Set([Number(groupId), ...others])];
}

function localGroups(name: string): number[] {
  try {
    return readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .filter((fields) => fields[3]?.split(",").includes(name) === true)
      .map((fields) => Number(fields[2]));
  } catch {
    return [];
  }
}
