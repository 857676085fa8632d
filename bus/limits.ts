/** Every limit of the bus with its default and dbus-daemon's name for it, and those that count now. */

import type { RoutingLimits } from "../routing/limits.ts";
import { openFileLimit } from "./open-files.ts";

/**
 * dbus-daemon's `<limit>` elements in camelCase, times with their unit. Defaults are those of
 * dbus-daemon's session.conf where it sets them, else its built-in ones, except that the queue of
 * one receiver is bounded at 64 MiB rather than at 1 GB: a bus should not die for one slow reader.
 */
export interface Limits {
  /** Bytes of one sender that may wait in this process for a destination that is being found. */
  readonly maxIncomingBytes: number;
  /** Bytes that may wait for one receiver. */
  readonly maxOutgoingBytes: number;
  readonly maxMessageSize: number;
  /** Descriptors that one peer has sent and no message has claimed yet. */
  readonly maxIncomingUnixFds: number;
  readonly maxMessageUnixFds: number;
  /** Descriptors that may wait for one receiver that does not read. */
  readonly maxOutgoingUnixFds: number;
  /** How long descriptors that a peer has sent may wait for the message that claims them. Root may take longer. */
  readonly pendingFdTimeoutMs: number;
  /** How long a caller waits for a reply until the bus tells it that none has come. */
  readonly replyTimeoutMs: number;
  /** How long the handshake and Hello may take together. */
  readonly authTimeoutMs: number;
  /** How long a started service may take until it owns its name. */
  readonly serviceStartTimeoutMs: number;
  /** Messages and calls of StartServiceByName that may wait for services being started, of all peers. */
  readonly maxPendingServiceStarts: number;
  readonly maxCompletedConnections: number;
  readonly maxIncompleteConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxNamesPerConnection: number;
  readonly maxMatchRulesPerConnection: number;
  readonly maxRepliesPerConnection: number;
  // Supplies that users share, for which dbus-daemon has no limits: not for root and the bus's own user.
  readonly maxNames: number;
  readonly maxMatchRules: number;
  readonly maxReplies: number;
  /** Bytes of messages that wait for destinations being found. */
  readonly maxHeldBytes: number;
  /** Bytes that may wait for all receivers of one user, from others; and as many again from itself. */
  readonly maxWaitingBytesPerUser: number;
  /** Descriptors of all users, these included, that may wait in this process. */
  readonly maxDescriptors: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxIncomingBytes: 128 << 20,
  maxOutgoingBytes: 64 << 20,
  maxMessageSize: 128 << 20,
  maxIncomingUnixFds: 1024,
  maxMessageUnixFds: 16,
  maxOutgoingUnixFds: 64,
  pendingFdTimeoutMs: 150_000,
  replyTimeoutMs: Number.POSITIVE_INFINITY,
  authTimeoutMs: 240_000,
  serviceStartTimeoutMs: 120_000,
  maxPendingServiceStarts: 10_000,
  maxCompletedConnections: 100_000,
  maxIncompleteConnections: 10_000,
  maxConnectionsPerUser: 100_000,
  maxNamesPerConnection: 50_000,
  maxMatchRulesPerConnection: 50_000,
  maxRepliesPerConnection: 50_000,
  maxNames: 1 << 18,
  maxMatchRules: 1 << 20,
  maxReplies: 1 << 20,
  maxHeldBytes: 256 << 20,
  maxWaitingBytesPerUser: 256 << 20,
  maxDescriptors: 1 << 15,
};

/**
 * The most descriptors of one peer, or for one peer, that this process holds, whatever a configuration
 * allows (dbus-daemon's session.conf: 250,000,000): they are all taken from one RLIMIT_NOFILE.
 */
export const MAX_WAITING_DESCRIPTORS = 512;

/**
 * The limits that count now. A reload changes them in place: whoever holds `values` or `routing`
 * reads, each time, what is in force.
 */
export class LimitsInForce {
  readonly #values: Writable<Limits>;
  readonly #routing: Writable<RoutingLimits>;

  /** What is not given has its default. */
  constructor(given: Partial<Limits>) {
    this.#values = { ...DEFAULT_LIMITS, ...given };
    this.#routing = routingLimits(this.#values);
  }

  get values(): Limits {
    return this.#values;
  }

  get routing(): RoutingLimits {
    return this.#routing;
  }

  /** From now on `given` counts, and the default of everything else. */
  replace(given: Partial<Limits>): void {
    Object.assign(this.#values, DEFAULT_LIMITS, given);
    Object.assign(this.#routing, routingLimits(this.#values));
  }
}

/**
 * Descriptors may take up a quarter of what this process may have open, and those that no message has claimed
 * another one.
 */
export function descriptorSupply({ maxDescriptors }: Limits): number {
  return Math.min(maxDescriptors, openFileLimit() >> 2);
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function routingLimits(limits: Limits): RoutingLimits {
  return {
    maxOutgoingBytes: limits.maxOutgoingBytes,
    maxPendingBytes: limits.maxIncomingBytes,
    maxRepliesPerConnection: limits.maxRepliesPerConnection,
    maxMessageUnixFds: limits.maxMessageUnixFds,
    maxOutgoingUnixFds: Math.min(limits.maxOutgoingUnixFds, MAX_WAITING_DESCRIPTORS),
  };
}
