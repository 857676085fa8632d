/** What Debug.Stats tells: how many of everything there are, and have been at most. */

import type { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import type { Router } from "../routing/router.ts";
import type { Stage } from "../transport/stage.ts";
import type { NameRegistry } from "./names.ts";

/**
 * Counts where things happen only what cannot be asked later: peaks, since the bus began or was
 * restored. Keys are dbus-daemon's; what counts the insides of its library has no meaning here and is
 * left out (ListMemPool…, and per peer the counts of queued messages and descriptors and their peaks).
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
    this.#peakRules = Math.max(this.#peakRules, this.#ruleCount);
  }

  /** A peer has another name, or waits for one. */
  noteNamesOf(endpoint: Endpoint): void {
    const count = this.#nameCountOf(endpoint);
    endpoint.peakNames = Math.max(endpoint.peakNames, count);
    this.#peakNamesOfPeer = Math.max(this.#peakNamesOfPeer, count);
    this.#peakNames = Math.max(this.#peakNames, this.#nameCount);
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

  ofBus(): Record<string, number> {
    const incomplete = this.#incompleteCount();
    return {
      Serial: this.#busSerial++,
      ActiveConnections: this.#connectionCount() - incomplete,
      IncompleteConnections: incomplete,
      MatchRules: this.#ruleCount,
      PeakMatchRules: this.#peakRules,
      PeakMatchRulesPerConnection: this.#peakRulesOfPeer,
      BusNames: this.#nameCount,
      PeakBusNames: this.#peakNames,
      PeakBusNamesPerConnection: this.#peakNamesOfPeer,
    };
  }

  ofPeer(endpoint: Endpoint): Record<string, number> {
    return {
      Serial: this.#peerSerial++,
      MatchRules: this.#subscriptions.ruleCountOf(endpoint.index),
      PeakMatchRules: endpoint.peakRules,
      BusNames: this.#nameCountOf(endpoint),
      PeakBusNames: endpoint.peakNames,
      // What is routed at once never waits: this is what waits for names that are being found.
      IncomingBytes: this.#router.pending.bytesOf(endpoint),
      OutgoingBytes: endpoint.connection.queuedBytes(this.#stage.turn),
    };
  }

  get #ruleCount(): number {
    return this.#subscriptions.ruleCount + this.#router.monitors.ruleCount;
  }

  get #nameCount(): number {
    return this.#registeredCount + this.#names.claimCount;
  }

  #nameCountOf(endpoint: Endpoint): number {
    return this.#names.countOf(endpoint) + (endpoint.isRegistered ? 1 : 0);
  }
}
