/** Messages whose destination is being found: activation, upstream and federation share it. */

import type { Memory } from "../wire/memory.ts";
import type { Endpoint } from "./endpoint.ts";

/** A message kept aside as a whole, with its descriptors retained under `descriptors`. */
export interface HeldMessage {
  readonly sender: Endpoint;
  readonly memory: Memory;
  readonly byteLength: number;
  readonly descriptors: number;
  readonly unixFds: number;
}

/** A place between such messages, for something of the bus's own that is to keep its order among them. */
export interface HeldPlace {
  /** Called once, when the name has been found and what is before has been delivered. */
  readonly reached: () => void;
}

/**
 * Waiting messages by the name they wait for, in the order of their arrival.
 *
 * The sender pays: what one endpoint may keep waiting is bounded in bytes, and its messages go with
 * it when it disconnects.
 */
export class PendingMessages {
  readonly #byName: Map<string, (HeldMessage | HeldPlace)[]> = new Map();
  readonly #bytesOf: Map<Endpoint, number> = new Map();

  /** Is anybody waiting for `name`? */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  bytesOf(sender: Endpoint): number {
    return this.#bytesOf.get(sender) ?? 0;
  }

  /** What one endpoint has waiting, counted one by one: for statistics. */
  waitingOf(sender: Endpoint): { messages: number; unixFds: number } {
    const waiting = { messages: 0, unixFds: 0 };
    if (!this.#bytesOf.has(sender)) return waiting;
    for (const held of [...this.#byName.values()].flat()) {
      if ("reached" in held || held.sender !== sender) continue;
      waiting.messages++;
      waiting.unixFds += held.unixFds;
    }
    return waiting;
  }

  hold(name: string, held: HeldMessage): void {
    this.#append(name, held);
    this.#bytesOf.set(held.sender, this.bytesOf(held.sender) + held.byteLength);
  }

  /** Keeps a place until `name` is found, or `leave` gives it up; that it is not found does not matter. */
  holdPlace(name: string, place: HeldPlace): void {
    this.#append(name, place);
  }

  leave(name: string, place: HeldPlace): void {
    this.#keep(
      name,
      (this.#byName.get(name) ?? []).filter((held) => held !== place),
    );
  }

  /** Takes what waits for `name`, in order. */
  take(name: string): (HeldMessage | HeldPlace)[] {
    const waiting = this.#byName.get(name) ?? [];
    this.#byName.delete(name);
    for (const held of waiting) if (!("reached" in held)) this.#refund(held);
    return waiting;
  }

  /** Takes what `sender` has waiting: it is gone. */
  takeFrom(sender: Endpoint): HeldMessage[] {
    const taken: HeldMessage[] = [];
    if (!this.#bytesOf.has(sender)) return taken;
    for (const [name, waiting] of this.#byName) {
      const rest: (HeldMessage | HeldPlace)[] = [];
      for (const held of waiting) {
        if ("reached" in held || held.sender !== sender) rest.push(held);
        else taken.push(held);
      }
      this.#keep(name, rest);
    }
    this.#bytesOf.delete(sender);
    return taken;
  }

  /** All messages that wait, for a snapshot. */
  *entries(): Generator<readonly [string, readonly HeldMessage[]]> {
    for (const [name, waiting] of this.#byName) {
      const messages = waiting.filter((held): held is HeldMessage => !("reached" in held));
      if (messages.length > 0) yield [name, messages];
    }
  }

  #append(name: string, held: HeldMessage | HeldPlace): void {
    const waiting = this.#byName.get(name);
    if (waiting === undefined) this.#byName.set(name, [held]);
    else waiting.push(held);
  }

  #keep(name: string, waiting: (HeldMessage | HeldPlace)[]): void {
    if (waiting.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, waiting);
  }

  #refund(held: HeldMessage): void {
    const bytes = this.bytesOf(held.sender) - held.byteLength;
    if (bytes > 0) this.#bytesOf.set(held.sender, bytes);
    else this.#bytesOf.delete(held.sender);
  }
}
