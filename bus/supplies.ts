/** What users share, and who of them has how much of it. */

import type { Endpoint } from "../routing/endpoint.ts";
import type { Payer } from "../routing/ledger.ts";
import type { Complaints } from "./complaints.ts";
import { isWithinShare, shareOf } from "./fair-share.ts";
import { descriptorSupply, type Limits } from "./limits.ts";
import { isPrivilegedUser, RESOURCES, Resource, User } from "./user.ts";

/** By resource: who has no more than this is not asked about shares. */
const FLOORS: readonly number[] = [16, 8, 64, 256, 256, 16, 1 << 20, 16];
/** How the log and errors call what is shared, and which limit says how much there is. */
const SUPPLIES: readonly (readonly [noun: string, limit: string])[] = [
  ["connections", "max_completed_connections"],
  ["connections in the handshake", "max_incomplete_connections"],
  ["names", "names of all users"],
  ["match rules", "match rules of all users"],
  ["replies to wait for", "replies of all users"],
  ["messages waiting for services", "max_pending_service_starts"],
  ["bytes waiting for names", "waiting bytes of all users"],
  ["descriptors waiting", "waiting descriptors of all users"],
];
/** For these the configuration says how many there are in all; for the others privileged users do not count. */
const COUNTS_ALL: ReadonlySet<Resource> = new Set([
  Resource.Connections,
  Resource.Handshakes,
  Resource.ServiceStarts,
  Resource.Descriptors,
]);
/**
 * Accounts of all users. Of each supply they have fair shares: see fair-share.ts. What little anybody needs
 * is never a question of shares (FLOORS). For root and the user that runs the bus, who own everything on a
 * session bus, a share is all that is left.
 */
export class Supplies {
  readonly #limits: Limits;
  readonly #complaints: Complaints;
  readonly #users: Map<number, User> = new Map();
  /** By resource: what is used, and by how many users that are not privileged. */
  readonly #total: number[] = RESOURCES.map(() => 0);
  readonly #holders: number[] = RESOURCES.map(() => 0);

  constructor(limits: Limits, complaints: Complaints) {
    this.#limits = limits;
    this.#complaints = complaints;
  }

  /** The user with that id, who may have nothing yet. */
  userOf(userId: number | null): User {
    const id = userId ?? -1;
    const known = this.#users.get(id);
    if (known !== undefined) return known;
    const user = new User(id, isPrivilegedUser(id));
    this.#users.set(id, user);
    return user;
  }

  *users(): Generator<User> {
    yield* this.#users.values();
  }

  /** The user who pays for `endpoint`, or is `payer`: the bus gives every endpoint one of `userOf`. */
  payerOf(endpoint: Endpoint): User {
    return this.ofPayer(endpoint.payer);
  }

  ofPayer(payer: Payer): User {
    return payer as User; // as above
  }

  /** Forgets a user that has nothing any more. */
  forgetIdle(user: User): void {
    if (user.isIdle) this.#users.delete(user.userId);
  }

  /** Why the user of `endpoint` may not have `amount` more, or null; the log is told. */
  refusalFor(endpoint: Endpoint, resource: Resource, amount: number): string | null {
    return this.refusalOf(this.payerOf(endpoint), resource, amount);
  }

  /** The same; if not refused, it is charged. */
  chargeFor(endpoint: Endpoint, resource: Resource, amount: number): string | null {
    const user = this.payerOf(endpoint);
    const refusal = this.refusalOf(user, resource, amount);
    if (refusal === null) this.charge(user, resource, amount);
    return refusal;
  }

  refundTo(payer: Payer, resource: Resource, amount: number): void {
    this.refund(this.ofPayer(payer), resource, amount);
  }

  /** Why `user` may not have `amount` more, or null; the log is told. */
  refusalOf(user: User, resource: Resource, amount: number): string | null {
    if (this.mayHave(user, resource, amount)) return null;
    const [noun, limit] = SUPPLIES[resource] ?? ["", ""];
    const text = `user ${user.userId} has its fair share of ${noun}: ${user.used[resource]} (${limit}: ${this.capacityOf(resource)})`;
    this.#complaints.about(noun, user.userId, () => `refused: ${text}`);
    return text;
  }

  charge(user: User, resource: Resource, amount: number): void {
    const before = this.#used(user, resource);
    user.used[resource] = before + amount;
    if (!user.isPrivileged || COUNTS_ALL.has(resource)) this.#add(this.#total, resource, amount);
    if (!user.isPrivileged && before === 0 && amount > 0) this.#add(this.#holders, resource, 1);
  }

  refund(user: User, resource: Resource, amount: number): void {
    if (amount === 0) return;
    const left = this.#used(user, resource) - amount;
    user.used[resource] = left;
    if (!user.isPrivileged || COUNTS_ALL.has(resource)) this.#add(this.#total, resource, -amount);
    if (user.isPrivileged || left > 0) return;
    this.#add(this.#holders, resource, -1);
    this.forgetIdle(user);
  }

  usedBy(user: User, resource: Resource): number {
    return this.#used(user, resource);
  }

  /** What all have together, those counted whom a share is asked of. */
  totalOf(resource: Resource): number {
    return this.#total[resource] ?? 0;
  }

  /** How much there is for all. */
  capacityOf(resource: Resource): number {
    const limits = this.#limits;
    switch (resource) {
      case Resource.Connections:
        return limits.maxCompletedConnections;
      case Resource.Handshakes:
        return limits.maxIncompleteConnections;
      case Resource.Names:
        return limits.maxNames;
      case Resource.MatchRules:
        return limits.maxMatchRules;
      case Resource.Replies:
        return limits.maxReplies;
      case Resource.ServiceStarts:
        return limits.maxPendingServiceStarts;
      case Resource.HeldBytes:
        return limits.maxHeldBytes;
      case Resource.Descriptors:
        return descriptorSupply(limits);
    }
  }

  /** For statistics: what `user` could have of it now; infinite if only limits of connections count. */
  shareOf(user: User, resource: Resource): number {
    if (user.isPrivileged && !COUNTS_ALL.has(resource)) return Number.POSITIVE_INFINITY;
    const own = this.#used(user, resource);
    const free = this.capacityOf(resource) - (this.#total[resource] ?? 0);
    if (user.isPrivileged) return Math.max(own, own + free);
    const users = this.#usersOf(user, resource);
    return Math.max(FLOORS[resource] ?? 0, shareOf(own, free, users));
  }

  /** May `user` have `amount` more? */
  mayHave(user: User, resource: Resource, amount: number): boolean {
    const own = this.#used(user, resource);
    const free = this.capacityOf(resource) - (this.#total[resource] ?? 0);
    if (user.isPrivileged) return resource !== Resource.Descriptors || amount <= free;
    if (own + amount <= (FLOORS[resource] ?? 0)) return true;
    return isWithinShare(own, amount, free, this.#usersOf(user, resource));
  }

  /** How many users share it, `user` included. */
  #usersOf(user: User, resource: Resource): number {
    return (this.#holders[resource] ?? 0) + (this.#used(user, resource) === 0 ? 1 : 0);
  }

  #used(user: User, resource: Resource): number {
    return user.used[resource] ?? 0;
  }

  #add(counts: number[], resource: Resource, amount: number): void {
    counts[resource] = (counts[resource] ?? 0) + amount;
  }
}
