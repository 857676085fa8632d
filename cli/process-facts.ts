/** What this machine tells of a process, as far as it may be seen. */

import { readFileSync, readlinkSync } from "node:fs";

export interface ProcessFacts {
  readonly command: string | null;
  readonly executable: string | null;
  readonly commandLine: readonly string[] | null;
  readonly controlGroup: string | null;
}

export function processFacts(processId: number): ProcessFacts {
  const folder = `/proc/${processId}`;
  return {
    command: commandOf(processId),
    executable: attempt(() => readlinkSync(`${folder}/exe`)),
    commandLine: attempt(() =>
      readFileSync(`${folder}/cmdline`, "utf8").replace(/\0$/, "").split("\0"),
    ),
    controlGroup: controlGroupOf(processId),
  };
}

/** Its short name, such as `node`. */
export function commandOf(processId: number): string | null {
  return attempt(() => readFileSync(`/proc/${processId}/comm`, "utf8").trimEnd());
}

/** Of systemd's hierarchy, where there is more than one. */
export function controlGroupOf(processId: number): string | null {
  const lines = attempt(() => readFileSync(`/proc/${processId}/cgroup`, "utf8")) ?? "";
  return /^(?:0:|[0-9]+:name=systemd):(.*)$/m.exec(lines)?.[1] ?? null;
}

/** The unit of the system's service manager: `user@1000.service`, `session-2.scope`. */
export function unitOf(controlGroup: string | null): string | null {
  const parts = (controlGroup ?? "").split("/").filter((part) => !part.endsWith(".slice"));
  return parts.find((part) => /\.(service|scope|mount|socket|swap)$/.test(part)) ?? null;
}

/** The login session: `2` of `session-2.scope`. */
export function loginSessionOf(controlGroup: string | null): string | null {
  return /\/session-([^/]+)\.scope(\/|$)/.exec(controlGroup ?? "")?.[1] ?? null;
}

/** The name of a user; its number if the machine's own list does not have it. */
export function userNameOf(userId: number): string {
  return nameIn("/etc/passwd", userId);
}

/** The users in the machine's own list. */
export function userNames(): readonly string[] {
  const lines = attempt(() => readFileSync("/etc/passwd", "utf8")) ?? "";
  return lines.split("\n").flatMap((line) => line.split(":", 1).filter((name) => name !== ""));
}

export function groupNameOf(groupId: number): string {
  return nameIn("/etc/group", groupId);
}

function nameIn(file: string, id: number): string {
  const lines = attempt(() => readFileSync(file, "utf8")) ?? "";
  const line = lines.split("\n").find((each) => each.split(":")[2] === String(id));
  return line?.split(":")[0] ?? String(id);
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Gone, or somebody else's.
    return null;
  }
}
