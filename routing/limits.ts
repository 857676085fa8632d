/** What the mechanism must not exceed; the bus fills it in, and may change it at any time. */

export interface RoutingLimits {
  /** Bytes that may wait for one receiver. */
  readonly maxOutgoingBytes: number;
  /** Bytes of one sender that may wait for destinations being found. */
  readonly maxPendingBytes: number;
  readonly maxRepliesPerConnection: number;
  readonly maxMessageUnixFds: number;
  /** Descriptors that may wait for one receiver that does not read. */
  readonly maxOutgoingUnixFds: number;
}
