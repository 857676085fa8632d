/** Every limit of the bus with its default and dbus-daemon's name for it, and those that count now. */

import type { RoutingLimits } from "../routing/limits.ts";

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
}

export const DEFAULT_LIMITS: Limits = {
  maxIncomingBytes: 128 << 20,
  maxOutgoingBytes: 64 << 20,
  maxMessageSize: 128 << 20,
  maxIncomingUnixFds: 1024,
  maxMessageUnixFds: 16,
  maxOutgoingUnixFds: 64,
  authTimeoutMs: 240_000,
  serviceStartTimeoutMs: 120_000,
  maxPendingServiceStarts: 10_000,
  maxCompletedConnections: 100_000,
  maxIncompleteConnections: 10_000,
  maxConnectionsPerUser: 100_000,
  maxNamesPerConnection: 50_000,
  maxMatchRulesPerConnection: 50_000,
  maxRepliesPerConnection: 50_000,
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
