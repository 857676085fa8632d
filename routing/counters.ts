/** What routing counts since the bus began. */

export interface RoutingCounters {
  accepted: number;
  unicast: number;
  multicast: number;
  delivered: number;
  unexpectedReplies: number;
  /** Messages to one receiver that did not reach it. */
  undelivered: number;
  /** Connections that were ended because they did not read. */
  slowReceivers: number;
}

export function newCounters(): RoutingCounters {
  return {
    accepted: 0,
    unicast: 0,
    multicast: 0,
    delivered: 0,
    unexpectedReplies: 0,
    undelivered: 0,
    slowReceivers: 0,
  };
}
