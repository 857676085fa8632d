/** Signals to iterate over, as many of them kept as the program allows. */

import { AsyncQueue } from "./async-queue.ts";
import { closeAll } from "./descriptors.ts";
import type { DBusError } from "./errors.ts";
import type { ReceivedMessage } from "./received-message.ts";
import type { RuleInput, Subscription, Subscriptions } from "./subscriptions.ts";

export interface SignalStreamOptions {
  /** Messages that are kept while nobody takes them; default 1024. */
  readonly maxBuffered?: number;
  /** Which message goes when there is no room; default "drop-oldest". `droppedCount` counts them. */
  readonly whenFull?: "drop-oldest" | "drop-newest";
}

const DEFAULT_MAX_BUFFERED = 1024;

/**
 * The messages that match a rule, from the moment when the bus has it. Leaving the loop, `return` or disposing
 * removes the rule. Descriptors in a message belong to who took it out. When the connection ends, what is kept
 * can still be taken; then the iteration ends, or throws the DBusError if the client was not closed by its owner.
 */
export class SignalStream implements AsyncIterableIterator<ReceivedMessage, undefined> {
  readonly #queue: AsyncQueue<ReceivedMessage> = new AsyncQueue();
  readonly #maxBuffered: number;
  readonly #dropsOldest: boolean;
  #subscription: Subscription | null = null;
  #droppedCount = 0;

  /** Use `Client.signals`. */
  private constructor(options: SignalStreamOptions) {
    this.#maxBuffered = options.maxBuffered ?? DEFAULT_MAX_BUFFERED;
    this.#dropsOldest = options.whenFull !== "drop-newest";
    if (!(this.#maxBuffered >= 1)) throw new RangeError("maxBuffered has to be 1 or more");
  }

  static async open(
    subscriptions: Subscriptions,
    rule: RuleInput,
    options: SignalStreamOptions,
  ): Promise<SignalStream> {
    const stream = new SignalStream(options);
    stream.#subscription = await subscriptions.add(
      rule,
      (message) => stream.#take(message),
      (error: DBusError | null) => stream.#queue.end(error),
    );
    return stream;
  }

  /** Messages that were lost because nobody took them in time. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  next(): Promise<IteratorResult<ReceivedMessage, undefined>> {
    return this.#queue.next();
  }

  async return(): Promise<IteratorResult<ReceivedMessage, undefined>> {
    this.#queue.end();
    for (let kept = this.#queue.shift(); kept !== undefined; kept = this.#queue.shift()) {
      closeAll(kept.descriptors);
    }
    await this.#subscription?.unsubscribe();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #take(message: ReceivedMessage): void {
    if (this.#queue.length >= this.#maxBuffered) {
      this.#droppedCount++;
      if (!this.#dropsOldest) return;
      closeAll(this.#queue.shift()?.descriptors ?? []);
    }
    this.#queue.push(message.retained());
  }
}
