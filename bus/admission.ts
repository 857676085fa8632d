/** Who is connected: how many in all and of each user, and which index each connection has. */

import type { Connection } from "../transport/connection.ts";
import type { Credentials } from "../transport/credentials.ts";
import type { Limits } from "./limits.ts";

/** The most connections that a bus can have at all; limits are usually lower. */
export const MAX_CONNECTIONS = 65536;

/** Counted in the place of a user for those whom nobody vouches for. */
const NOBODY = -1;

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
      return this.#tooManyOf(userId);
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

  /**
   * A connection has authenticated. Where nobody vouched for it, and it has proved to be a user's, returns
   * why that one may not have it, or null; it is counted as that one's in any case, until it has left.
   */
  recognized(connection: Connection): string | null {
    const userId = payerOf(connection);
    if (userId === userOf(connection.accepted)) return null;
    this.#forgetOne(NOBODY);
    const before = this.#connectionsOfUser.get(userId) ?? 0;
    this.#connectionsOfUser.set(userId, before + 1);
    return before < this.#limits.maxConnectionsPerUser ? null : this.#tooManyOf(userId);
  }

  /** The index is free again when nothing that is staged can refer to it. */
  left(connection: Connection, index: number): void {
    this.#count--;
    this.#forgetOne(payerOf(connection));
    this.#retired.push(index);
  }

  turnEnded(): void {
    if (this.#retiredBefore.length + this.#retired.length === 0) return;
    this.#freeIndexes.push(...this.#retiredBefore);
    this.#retiredBefore = this.#retired;
    this.#retired = [];
  }

  #forgetOne(userId: number): void {
    const left = (this.#connectionsOfUser.get(userId) ?? 1) - 1;
    if (left > 0) this.#connectionsOfUser.set(userId, left);
    else this.#connectionsOfUser.delete(userId);
  }

  #tooManyOf(userId: number): string {
    const { maxConnectionsPerUser } = this.#limits;
    return `user ${userId} has as many as one user may (max_connections_per_user=${maxConnectionsPerUser})`;
  }
}

/** A connection is the user's whom the kernel knows, whoever it authenticates as; else the latter's. */
function payerOf({ accepted, credentials }: Connection): number {
  return userOf(accepted.userId === null ? credentials : accepted);
}

/** All whom nobody vouches for are one user. */
function userOf({ userId }: Credentials): number {
  return userId ?? NOBODY;
}
