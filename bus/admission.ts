/** Who is connected: how many in all and of each user, and which index each connection has. */

import type { Credentials } from "../transport/credentials.ts";
import type { Limits } from "./limits.ts";

/** The most connections that a bus can have at all; limits are usually lower. */
export const MAX_CONNECTIONS = 65536;

export class Admission {
  readonly #limits: Limits;
  readonly #connectionsOfUser: Map<number, number> = new Map();
  #count = 0;
  #freeIndexes: number[] = [];
  /** Indexes given up in this turn and the last: messages that are staged still refer to them. */
  #retired: number[] = [];
  #retiredBefore: number[] = [];
  #nextIndex = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** How many are connected, registered or not. */
  get count(): number {
    return this.#count;
  }

  /** Why a process with these credentials may not connect, or null; `inHandshake` have not said Hello. */
  refusalOf(credentials: Credentials, inHandshake: number): string | null {
    const { maxCompletedConnections, maxIncompleteConnections, maxConnectionsPerUser } =
      this.#limits;
    if (this.#count >= Math.min(maxCompletedConnections, MAX_CONNECTIONS - 1)) {
      return `${this.#count} are connected (max_completed_connections=${maxCompletedConnections})`;
    }
    if (inHandshake >= maxIncompleteConnections) {
      return `${inHandshake} are in the handshake (max_incomplete_connections=${maxIncompleteConnections})`;
    }
    const userId = userOf(credentials);
    if ((this.#connectionsOfUser.get(userId) ?? 0) >= maxConnectionsPerUser) {
      return `user ${userId} has as many as one user may (max_connections_per_user=${maxConnectionsPerUser})`;
    }
    return null;
  }

  /** An index that no connection has. */
  takeIndex(): number {
    return this.#freeIndexes.pop() ?? this.#nextIndex++;
  }

  /** Somebody comes back with the index that was recorded. */
  reserveIndex(index: number): void {
    this.#nextIndex = Math.max(this.#nextIndex, index + 1);
  }

  entered(credentials: Credentials): void {
    this.#count++;
    const userId = userOf(credentials);
    this.#connectionsOfUser.set(userId, (this.#connectionsOfUser.get(userId) ?? 0) + 1);
  }

  /** The index is free again when nothing that is staged can refer to it. */
  left(credentials: Credentials, index: number): void {
    this.#count--;
    const userId = userOf(credentials);
    const left = (this.#connectionsOfUser.get(userId) ?? 1) - 1;
    if (left > 0) this.#connectionsOfUser.set(userId, left);
    else this.#connectionsOfUser.delete(userId);
    this.#retired.push(index);
  }

  turnEnded(): void {
    if (this.#retiredBefore.length + this.#retired.length === 0) return;
    this.#freeIndexes.push(...this.#retiredBefore);
    this.#retiredBefore = this.#retired;
    this.#retired = [];
  }
}

/** All whom nobody vouches for are one user. */
function userOf({ userId }: Credentials): number {
  return userId ?? -1;
}
