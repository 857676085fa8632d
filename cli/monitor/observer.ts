/** All that passes by, put in context: who owns which name, which reply belongs to which call, what is shown. */

import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { Filter, type FilterOptions } from "./filter.ts";
import { KnownNames } from "./known-names.ts";
import { type OpenCall, OpenCalls, openCall } from "./open-calls.ts";
import type { WatchedMessage } from "./watched-message.ts";

/** A message to show. */
export interface Observation extends WatchedMessage {
  /** The call that this reply answers, if it is one and the call was seen. */
  readonly call: OpenCall | null;
  /** From the call to this reply. */
  readonly latencyMicroseconds: number | null;
}

/** Calls without a reply that are kept to be told at the end. */
const MAXIMUM_UNANSWERED = 1000;

export class Observer {
  readonly names: KnownNames = new KnownNames();
  readonly #filter: Filter;
  readonly #calls: OpenCalls = new OpenCalls();
  readonly #abandoned: OpenCall[] = [];
  #seenCount = 0;
  #shownCount = 0;

  constructor(options: FilterOptions) {
    this.#filter = new Filter(options, this.names);
  }

  get seenCount(): number {
    return this.#seenCount;
  }

  get shownCount(): number {
    return this.#shownCount;
  }

  /** Calls whose replies would not be recognised any more. */
  get forgottenCallCount(): number {
    return this.#calls.forgottenCount;
  }

  /** To be called with every message, in order: what to show, or null. */
  see(watched: WatchedMessage): Observation | null {
    this.#seenCount++;
    const answered = this.#calls.take(watched);
    if (answered !== null) this.names.seeReply(watched, answered);
    if (watched.message.type === MessageType.Signal) {
      this.names.seeSignal(watched);
      this.#abandon(this.#calls.seeSignal(watched));
    }
    const selection = this.#filter.selection(watched);
    if (watched.message.type === MessageType.MethodCall) {
      this.#calls.add(openCall(watched, this.#calleeOf(watched), selection));
    }
    if (!this.#filter.shows(watched.message, selection, answered?.selection ?? 0)) return null;
    this.#shownCount++;
    return {
      ...watched,
      call: answered,
      latencyMicroseconds:
        answered === null ? null : watched.timeMicroseconds - answered.timeMicroseconds,
    };
  }

  /** Calls that were shown and had no reply so far, the oldest first. */
  unanswered(): OpenCall[] {
    return [...this.#abandoned, ...this.#calls.waiting().filter((call) => this.#isShown(call))]
      .sort((one, other) => one.timeMicroseconds - other.timeMicroseconds)
      .slice(0, MAXIMUM_UNANSWERED);
  }

  #calleeOf({ message: { destination } }: WatchedMessage): string | null {
    const isOwned = destination !== null && !destination.startsWith(":");
    return isOwned && destination !== DRIVER_NAME ? this.names.ownerOf(destination) : destination;
  }

  #abandon(calls: readonly OpenCall[]): void {
    for (const call of calls) {
      const hasRoom = this.#abandoned.length < MAXIMUM_UNANSWERED;
      if (hasRoom && this.#isShown(call)) this.#abandoned.push(call);
    }
  }

  #isShown(call: OpenCall): boolean {
    return this.#filter.shows(call.message, call.selection, 0);
  }
}
