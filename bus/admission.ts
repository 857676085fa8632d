/** Who may connect as far as numbers go, and which index each connection has. */

import type { Limits } from "./limits.ts";
import type { Supplies } from "./supplies.ts";
import { Resource, type User } from "./user.ts";

/** The most connections that a bus can have at all; limits are usually lower. */
export const MAX_CONNECTIONS = 65536;

/**
 * As in dbus-daemon, who comes while too many are in the handshake waits for one of them to end, outside, and
 * who would be one too many is told so when it says Hello. What one user does must not keep others out, so
 * users share both numbers.
 */
export class Admission {
  readonly #limits: Limits;
  readonly #supplies: Supplies;
  #count = 0;
  #freeIndexes: number[] = [];
  /** Indexes given up in this turn and the last: messages that are staged still refer to them. */
  #retired: number[] = [];
  #retiredBefore: number[] = [];
  #nextIndex = 0;

  constructor(limits: Limits, supplies: Supplies) {
    this.#limits = limits;
    this.#supplies = supplies;
  }

  /** How many are connected, registered or not. */
  get count(): number {
    return this.#count;
  }

  /** Why one more connection of `user` is closed at once, or null. */
  refusalOf(user: User): string | null {
    if (this.#count >= MAX_CONNECTIONS - 1) return `${this.#count} are connected`;
    return this.#supplies.refusalOf(user, Resource.Handshakes, 1);
  }

  /** Why a connection of `user` may not say Hello now, or null: dbus-daemon's words for its limits. */
  refusalOfHello(user: User): string | null {
    const { maxCompletedConnections, maxConnectionsPerUser } = this.#limits;
    if (this.#supplies.totalOf(Resource.Connections) >= maxCompletedConnections) {
      return `The maximum number of active connections has been reached (max_completed_connections=${maxCompletedConnections})`;
    }
    if (this.#supplies.usedBy(user, Resource.Connections) >= maxConnectionsPerUser) {
      return `The maximum number of active connections for UID ${user.userId} has been reached (max_connections_per_user=${maxConnectionsPerUser})`;
    }
    return this.#supplies.refusalOf(user, Resource.Connections, 1);
  }

  /** May connections be accepted now? */
  get isOpen(): boolean {
    const inHandshake = this.#supplies.totalOf(Resource.Handshakes);
    return inHandshake < this.#limits.maxIncompleteConnections;
  }

  /** An index that no connection has. */
  takeIndex(): number {
    return this.#freeIndexes.pop() ?? this.#nextIndex++;
  }

  /** Somebody comes back with the index that was recorded. */
  reserveIndex(index: number): void {
    this.#nextIndex = Math.max(this.#nextIndex, index + 1);
  }

  entered(): void {
    this.#count++;
  }

  /** The index is free again when nothing that is staged can refer to it. */
  left(index: number): void {
    this.#count--;
    this.#retired.push(index);
  }

  turnEnded(): void {
    if (this.#retiredBefore.length + this.#retired.length === 0) return;
    this.#freeIndexes.push(...this.#retiredBefore);
    this.#retiredBefore = this.#retired;
    this.#retired = [];
  }
}
