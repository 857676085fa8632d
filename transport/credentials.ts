/** Who is at the other end of a connection, as far as the kernel tells. */

import { getSystemErrorName } from "node:util";
import type { PeerCredentials } from "../native/binding.ts";
import { type DescriptorCalls, FileDescriptor } from "./file-descriptor.ts";

/**
 * The peer as it was when it connected: what it does to its ids later, and to whom it passes the
 * socket, changes nothing here. Everything that nobody vouches for is null.
 */
export interface Credentials {
  /** May have been reused by another process since: only `processDescriptor` is for sure. */
  readonly processId: number | null;
  readonly userId: number | null;
  /** The primary group. */
  readonly groupId: number | null;
  /** All groups, the primary one among them, in ascending order; null if the kernel does not tell. */
  readonly groups: readonly number[] | null;
  /** The security module's label without the NUL that the kernel may end it with. */
  readonly securityLabel: Uint8Array | null;
  /** Refers to the peer's process, whatever becomes of its number (Linux 6.5 and later). */
  readonly processDescriptor: FileDescriptor | null;
}

/**
 * What the addon has read from a socket (`Addon.credentials`, `Poller.credentials`).
 *
 * The result owns the process descriptor, which has to be closed with the connection.
 *
 * @throws if the addon could not read them: the argument is -errno
 */
export function credentialsOf(peer: PeerCredentials | number, calls: DescriptorCalls): Credentials {
  if (typeof peer === "number") {
    throw new Error(`the kernel does not say who the peer is: ${getSystemErrorName(peer)}`);
  }
  return {
    processId: peer.pid,
    userId: peer.uid,
    groupId: peer.gid,
    groups: peer.groups === null ? null : withPrimaryGroup(peer.groups, peer.gid),
    securityLabel: peer.securityLabel === null ? null : withoutNul(peer.securityLabel),
    processDescriptor:
      peer.pidDescriptor < 0 ? null : new FileDescriptor(peer.pidDescriptor, calls),
  };
}

/**
 * What is known of a peer on a node:net socket, which has no way to ask the kernel: it is our own user.
 *
 * That holds because `openListeners` binds such a socket only in a directory that is ours and closed
 * to everybody else, which leaves our user and root; and root could be anybody anyway. It says nothing
 * about the process or the groups.
 */
export function ownUserCredentials(): Credentials {
  return {
    processId: null,
    userId: process.geteuid?.() ?? null,
    groupId: null,
    groups: null,
    securityLabel: null,
    processDescriptor: null,
  };
}

/** Nobody vouches for a peer that came over the network. */
export const UNKNOWN_PEER: Credentials = {
  processId: null,
  userId: null,
  groupId: null,
  groups: null,
  securityLabel: null,
  processDescriptor: null,
};

/**
 * A peer that was accepted with some credentials and authenticated as this user, or as nobody, by other
 * means than these: as in dbus-daemon only its process is still what the kernel says.
 */
export function recognizedCredentials(accepted: Credentials, userId: number | null): Credentials {
  return { ...UNKNOWN_PEER, processId: accepted.processId, userId };
}

/** SO_PEERGROUPS gives the supplementary groups only; UnixGroupIDs is to have them all, sorted. */
function withPrimaryGroup(groups: readonly number[], primary: number): readonly number[] {
  return [...new Set([primary, ...groups])].sort((a, b) => a - b);
}

function withoutNul(label: Uint8Array): Uint8Array {
  return label.at(-1) === 0 ? label.subarray(0, -1) : label;
}
