/** What Debug.Stats tells: how many of everything there are, and have been at most. */

import { getHeapStatistics } from "node:v8";
import type { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import type { Router } from "../routing/router.ts";
import type { Stage } from "../transport/stage.ts";
import { Variant } from "../wire/variant.ts";
import type { NameRegistry } from "./names.ts";

/** Keys and values of an `a{sv}`. */
export type Figures = ReadonlyMap<string, Variant>;

/** Figures that dbus-daemon does not have. */
const OURS = "org.onehop.";
const MAX_UINT32 = 0xffffffff;

/**
 * Counts where things happen only what cannot be asked later: peaks, since the bus began or was
 * restored. Keys are dbus-daemon's, and ours beside them; compat/README.md says what each means.
 * Unique names count as names.
 */
export class Statistics {
  readonly #subscriptions: SubscriptionIndex;
  readonly #names: NameRegistry;
  readonly #router: Router;
  readonly #stage: Stage;
  readonly #incompleteCount: () => number;
  readonly #connectionCount: () => number;
  #registeredCount = 0;
  #peakRules = 0;
  #peakRulesOfPeer = 0;
  #peakNames = 0;
  #peakNamesOfPeer = 0;
  /** dbus-daemon counts from 0 how often each method was answered. */
  #busSerial = 0;
  #peerSerial = 0;

  constructor(
    subscriptions: SubscriptionIndex,
    names: NameRegistry,
    router: Router,
    stage: Stage,
    connectionCount: () => number,
    incompleteCount: () => number,
  ) {
    this.#subscriptions = subscriptions;
    this.#names = names;
    this.#router = router;
    this.#stage = stage;
    this.#connectionCount = connectionCount;
    this.#incompleteCount = incompleteCount;
  }

  /** A peer has another rule, or other rules. */
  noteRulesOf(endpoint: Endpoint): void {
    const count = this.#subscriptions.ruleCountOf(endpoint.index);
    endpoint.peakRules = Math.max(endpoint.peakRules, count);
    this.#peakRulesOfPeer = Math.max(this.#peakRulesOfPeer, count);
    this.#peakRules = Math.max(this.#peakRules, this.#ruleCount());
  }

  /** A peer has another name, or waits for one. */
  noteNamesOf(endpoint: Endpoint): void {
    const count = this.#nameCountOf(endpoint);
    endpoint.peakNames = Math.max(endpoint.peakNames, count);
    this.#peakNamesOfPeer = Math.max(this.#peakNamesOfPeer, count);
    this.#peakNames = Math.max(this.#peakNames, this.#nameCount());
  }

  /** A peer has got its unique name. */
  noteRegistered(endpoint: Endpoint): void {
    this.#registeredCount++;
    this.noteNamesOf(endpoint);
  }

  /** A peer has lost its unique name. */
  noteUnregistered(): void {
    this.#registeredCount--;
  }

  ofBus(): Figures {
    const incomplete = this.#incompleteCount();
    const { counters, monitors, replies } = this.#router;
    // The pool that everything here is taken from is the JavaScript heap.
    const { used_heap_size: used, total_heap_size: total } = getHeapStatistics();
    const shapes = this.#subscriptions.senderlessShapes;
    const bucketsByKeys = new Map(shapes.map(({ keys, buckets }) => [keys, buckets]));
    return new Map([
      count("Serial", this.#busSerial++),
      count("ListMemPoolUsedBytes", used),
      count("ListMemPoolCachedBytes", total - used),
      count("ListMemPoolAllocatedBytes", total),
      count("ActiveConnections", this.#connectionCount() - incomplete),
      count("IncompleteConnections", incomplete),
      count("MatchRules", this.#ruleCount()),
      count("PeakMatchRules", this.#peakRules),
      count("PeakMatchRulesPerConnection", this.#peakRulesOfPeer),
      count("BusNames", this.#nameCount()),
      count("PeakBusNames", this.#peakNames),
      count("PeakBusNamesPerConnection", this.#peakNamesOfPeer),
      total64("AcceptedMessages", counters.accepted),
      total64("UnicastMessages", counters.unicast),
      total64("MulticastMessages", counters.multicast),
      total64("DeliveredMessages", counters.delivered),
      total64("UndeliveredMessages", counters.undelivered),
      total64("UnexpectedReplies", counters.unexpectedReplies),
      total64("SlowReceivers", counters.slowReceivers),
      count(`${OURS}PendingReplies`, replies.size),
      count(`${OURS}Monitors`, monitors.count),
      count(`${OURS}MonitorMatchRules`, monitors.ruleCount),
      [`${OURS}SenderlessMatchRuleShapes`, new Variant("a{su}", bucketsByKeys)],
    ]);
  }

  ofPeer(endpoint: Endpoint): Figures {
    const { pending, replies } = this.#router;
    const { connection, index } = endpoint;
    const { processId, userId } = connection.credentials;
    const waiting = pending.waitingOf(endpoint);
    const costly = this.#subscriptions.costlyRulesOf(index);
    return new Map([
      count("Serial", this.#peerSerial++),
      count("MatchRules", this.#subscriptions.ruleCountOf(index)),
      count("PeakMatchRules", endpoint.peakRules),
      count("BusNames", this.#nameCountOf(endpoint)),
      count("PeakBusNames", endpoint.peakNames),
      ["UniqueName", new Variant("s", endpoint.uniqueName)],
      // What is routed at once never waits: this is what waits for names that are being found.
      count("IncomingMessages", waiting.messages),
      count("IncomingBytes", pending.bytesOf(endpoint)),
      count("IncomingFDs", waiting.unixFds),
      count("PeakIncomingBytes", endpoint.peakPendingBytes),
      count("PeakIncomingFDs", endpoint.peakPendingUnixFds),
      count("OutgoingMessages", connection.unsentMessages()),
      count("OutgoingBytes", connection.queuedBytes(this.#stage.turn)),
      count("OutgoingFDs", endpoint.queuedUnixFds),
      count("PeakOutgoingBytes", endpoint.peakQueuedBytes),
      count("PeakOutgoingFDs", endpoint.peakQueuedUnixFds),
      ...(processId === null ? [] : [count(`${OURS}ProcessID`, processId)]),
      ...(userId === null ? [] : [count(`${OURS}UnixUserID`, userId)]),
      total64("AcceptedMessages", endpoint.acceptedCount),
      total64("UndeliveredMessages", endpoint.undeliveredCount),
      total64("MissedMessages", endpoint.missedCount),
      count(`${OURS}PendingReplies`, replies.countOf(index)),
      count(`${OURS}OwedReplies`, replies.owedBy(index)),
      count(`${OURS}SenderlessMatchRules`, costly.senderless),
      count(`${OURS}EavesdroppingMatchRules`, costly.eavesdropping),
    ]);
  }

  #ruleCount(): number {
    return this.#subscriptions.ruleCount + this.#router.monitors.ruleCount;
  }

  #nameCount(): number {
    return this.#registeredCount + this.#names.claimCount;
  }

  #nameCountOf(endpoint: Endpoint): number {
    return this.#names.countOf(endpoint) + (endpoint.isRegistered ? 1 : 0);
  }
}

function count(key: string, value: number): [string, Variant] {
  return [key, new Variant("u", Math.min(value, MAX_UINT32))];
}

/** One of our counters since the bus began, which may outgrow 32 bits. */
function total64(key: string, value: number): [string, Variant] {
  return [OURS + key, new Variant("t", BigInt(value))];
}
