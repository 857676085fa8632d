/** Every limit of the bus with its default and dbus-daemon's name for it. */

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
