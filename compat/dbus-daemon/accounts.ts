/** Users and groups by name, from the local files and, failing that, the system's name services. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

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

/** A group's number by name or by number; `null` if there is no such group. */
export function findGroup(text: string): number | null {
  const fields = findEntry("group", text, 2);
  return fields === null ? parseId(text) : Number(fields[2]);
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
