/** `<user>`: the daemon gives up root once everything that needs it has been opened. */

import { findUser } from "./accounts.ts";

/**
 * Becomes this user for good, with its group and, as dbus-daemon, without supplementary groups. Returns what to say about
 * it, or `null`: only root can become somebody else, and dbus-daemon, started by another user, stays that user.
 *
 * @throws Error if there is no such user or the system refuses
 */
export function becomeUser(user: string): string | null {
  const account = findUser(user);
  if (account === null) throw new Error(`User '${user}' does not appear to exist?`);
  if (process.geteuid?.() !== 0) {
    const isAlready = process.geteuid?.() === account.userId;
    return isAlready ? null : `goes on as user ${process.geteuid?.()}: only root becomes "${user}"`;
  }
  process.setgroups?.([]);
  process.setgid?.(account.groupId);
  process.setuid?.(account.userId);
  return null;
}
