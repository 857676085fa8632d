/** What dbus-daemon's limits are where no configuration file sets them: those of a system bus, mostly. */

import type { Limits } from "../../bus/index.ts";

/** All that dbus-daemon 1.14 has (bus/config-parser.c); session.conf sets most of them much higher. */
export const BUILT_IN_LIMITS: Partial<Limits> = {
  maxIncomingBytes: 127 << 20,
  maxIncomingUnixFds: 64,
  maxOutgoingBytes: 127 << 20,
  maxOutgoingUnixFds: 64,
  maxMessageSize: 32 << 20,
  maxMessageUnixFds: 16,
  serviceStartTimeoutMs: 25_000,
  authTimeoutMs: 30_000,
  pendingFdTimeoutMs: 150_000,
  replyTimeoutMs: Number.POSITIVE_INFINITY,
  maxCompletedConnections: 2048,
  maxIncompleteConnections: 64,
  maxConnectionsPerUser: 256,
  maxPendingServiceStarts: 512,
  maxNamesPerConnection: 512,
  maxMatchRulesPerConnection: 512,
  maxRepliesPerConnection: 128,
};
