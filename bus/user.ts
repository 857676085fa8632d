/** A user as the accounting knows it: who it is, and what it uses. */

import type { Endpoint } from "../routing/endpoint.ts";
import type { Payer } from "../routing/ledger.ts";

/** What users share, each of them from one supply of the bus. */
export const Resource = {
  /** Connections that have said Hello, and those that have not yet. */
  Connections: 0,
  Handshakes: 1,
  /** Well-known names owned or waited for, match rules, and replies that a peer may wait for. */
  Names: 2,
  MatchRules: 3,
  Replies: 4,
  /** Messages and calls that wait for services being started. */
  ServiceStarts: 5,
  /** Bytes of messages that wait for a name to be found. */
  HeldBytes: 6,
  /** Descriptors in this process that this user sent and that have not left it. */
  Descriptors: 7,
} as const;
export type Resource = (typeof Resource)[keyof typeof Resource];

/** What statistics call them. */
export const RESOURCE_NAMES: Readonly<Record<Resource, string>> = {
  [Resource.Connections]: "Connections",
  [Resource.Handshakes]: "IncompleteConnections",
  [Resource.Names]: "Names",
  [Resource.MatchRules]: "MatchRules",
  [Resource.Replies]: "PendingReplies",
  [Resource.ServiceStarts]: "PendingServiceStarts",
  [Resource.HeldBytes]: "IncomingBytes",
  [Resource.Descriptors]: "OutgoingFDs",
};

export const RESOURCES: readonly Resource[] = Object.values(Resource);

/** Root, and the user that runs the bus. Null is somebody whom nobody vouches for. */
export function isPrivilegedUser(userId: number | null): boolean {
  return userId === 0 || (userId !== null && userId === process.geteuid?.());
}

/** All connections of one uid. All whom nobody vouches for are one user. */
export class User implements Payer {
  /** -1 if nobody vouches for it. */
  readonly userId: number;
  /** Root, and the user that runs the bus: a share is for them whatever is left. */
  readonly isPrivileged: boolean;
  readonly #endpoints: Endpoint[] = [];
  /** By resource. */
  readonly used: number[] = RESOURCES.map(() => 0);
  /** Bytes that wait for receivers of this user, by the users that sent them; only what is metered. */
  readonly waitingFrom: Map<Payer, number> = new Map();
  /** Of these, the bytes of others: they share one supply, and the user's own are apart. */
  foreignBytes = 0;
  /** How many connections have so much waiting that it is metered. */
  meteredCount = 0;
  /** The stage's turn in which it was looked last what has left meanwhile. */
  sweptTurn = 0;

  constructor(userId: number, isPrivileged: boolean) {
    this.userId = userId;
    this.isPrivileged = isPrivileged;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  add(endpoint: Endpoint): void {
    endpoint.payerPosition = this.#endpoints.length;
    this.#endpoints.push(endpoint);
  }

  /** The last one takes its place. */
  remove(endpoint: Endpoint): void {
    const last = this.#endpoints.pop();
    if (last === undefined || last === endpoint) return;
    this.#endpoints[endpoint.payerPosition] = last;
    last.payerPosition = endpoint.payerPosition;
  }

  /** Can it be forgotten? Privileged users come back, and are few. */
  get isIdle(): boolean {
    return (
      !this.isPrivileged &&
      this.#endpoints.length === 0 &&
      this.waitingFrom.size === 0 &&
      this.used.every((amount) => amount === 0)
    );
  }
}
