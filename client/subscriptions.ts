/** Match rules that a client has added, and who in the program listens to what they bring. */

import { canonicalText } from "../matchrules/canonical.ts";
import { parseMatchRule } from "../matchrules/parse.ts";
import { type MatchRule, matchRule } from "../matchrules/rule.ts";
import { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import { Arguments } from "../wire/args.ts";
import { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import { DRIVER_NAME, MessageType } from "../wire/protocol.ts";
import type { DBusError } from "./errors.ts";
import { type DriverCall, NameOwners } from "./name-owners.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** A rule as text, or its keys; keys without a `type` are about signals. */
export type RuleInput = string | Partial<MatchRule>;

/**
 * Gets each message that matched, and the subscription that it matched. What it throws is an uncaught
 * exception. Descriptors that it does not take are closed when all listeners have returned.
 */
export type SignalListener = (message: ReceivedMessage, subscription: Subscription) => void;

/** A listener that is in place until it is disposed of. */
export class Subscription {
  /** The rule's canonical text. */
  readonly rule: string;
  /** Messages that it has got. */
  matchedCount = 0;
  readonly #end: (subscription: Subscription) => Promise<void>;

  constructor(rule: string, end: (subscription: Subscription) => Promise<void>) {
    this.rule = rule;
    this.#end = end;
  }

  /** From now on the listener is not called. Resolves when the bus has forgotten the rule, or is gone. */
  async unsubscribe(): Promise<void> {
    await this.#end(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unsubscribe();
  }
}

interface Listening {
  readonly listener: SignalListener;
  /** The connection is no more: null if its owner closed it. */
  readonly onEnd: ((error: DBusError | null) => void) | null;
}

/** One rule at the bus, for all who want it. */
interface AddedRule {
  readonly text: string;
  readonly rule: MatchRule;
  /** As the index knows it. */
  readonly number: number;
  readonly indexed: MatchRule;
  readonly listeners: Map<Subscription, Listening>;
  readonly added: Promise<unknown>;
}

const NAME_OWNER_CHANGED = "NameOwnerChanged";

export class Subscriptions {
  readonly #strings: Strings;
  readonly #driver: DriverCall;
  readonly #owners: NameOwners;
  readonly #index: SubscriptionIndex;
  readonly #arguments: Arguments = new Arguments(new Header(Memory.of(new Uint8Array(0))));
  readonly #rules: Map<string, AddedRule> = new Map();
  readonly #byNumber: (AddedRule | null)[] = [];
  readonly #freeNumbers: number[] = [];
  #senders: Int32Array = new Int32Array(8);
  readonly #destination: Int32Array = new Int32Array(1);
  /** Do rules ask for messages that are for others? */
  #eavesdropperCount = 0;

  constructor(strings: Strings, driver: DriverCall) {
    this.#strings = strings;
    this.#driver = driver;
    this.#owners = new NameOwners(strings, this.#driver);
    this.#index = new SubscriptionIndex(strings);
  }

  /** Rules at the bus. */
  get ruleCount(): number {
    return this.#rules.size;
  }

  get isEavesdropping(): boolean {
    return this.#eavesdropperCount > 0;
  }

  /** Resolves when the rule is in place. Rejects, with nothing left behind, if the bus refuses it. */
  async add(
    input: RuleInput,
    listener: SignalListener,
    onEnd: ((error: DBusError | null) => void) | null = null,
  ): Promise<Subscription> {
    const rule = ruleOf(input);
    const text = canonicalText(rule);
    const added = this.#rules.get(text) ?? this.#begin(text, rule);
    const subscription = new Subscription(text, (ended) => this.#remove(added, ended));
    added.listeners.set(subscription, { listener, onEnd });
    try {
      await added.added;
    } catch (error) {
      await this.#remove(added, subscription);
      throw error;
    }
    return subscription;
  }

  /**
   * Gives a message to the listeners whose rules it matches. `make` is called if there are any.
   *
   * `isForUs`: it is a broadcast or addressed to this client; signals that are addressed to it need no rule at
   * the bus, and are given to those whose rules they match as broadcasts are.
   */
  dispatch(header: Header, isForUs: boolean, make: () => ReceivedMessage): void {
    if (this.#rules.size === 0) return;
    const sender = this.#strings.textOf(header.sender);
    let message: ReceivedMessage | null = null;
    if (this.#owners.isActive && this.#isOwnerChange(header, sender)) {
      message = make();
      this.#owners.changed(message);
    }
    for (const { listeners } of this.#match(header, sender, isForUs)) {
      message ??= make();
      for (const [subscription, { listener }] of listeners) {
        subscription.matchedCount++;
        deliver(listener, message, subscription);
      }
    }
  }

  /** Nothing will come any more. */
  end(error: DBusError | null): void {
    for (const { listeners } of this.#rules.values()) {
      for (const { onEnd } of [...listeners.values()]) onEnd?.(error);
    }
  }

  #match(header: Header, sender: string, isForUs: boolean): AddedRule[] {
    const senders = this.#sendersOf(header, sender);
    this.#arguments.begin(header);
    this.#destination[0] = header.destination;
    const count = this.#index.match(
      header,
      this.#arguments,
      this.#senders,
      senders,
      !isForUs,
      this.#destination,
      1,
    );
    const found: AddedRule[] = [];
    for (let i = 0; i < count; i++) {
      const added = this.#byNumber[this.#index.receivers[i] ?? 0] ?? null;
      if (added !== null && this.#isFor(added.rule, header)) found.push(added);
    }
    return found;
  }

  /** The index does not know which rules without `eavesdrop` ask for messages to this client by its name. */
  #isFor(rule: MatchRule, header: Header): boolean {
    return (
      rule.destination === null ||
      rule.eavesdrop ||
      rule.destination === this.#strings.textOf(header.destination)
    );
  }

  #sendersOf(header: Header, sender: string): number {
    if (header.sender === 0) return 0;
    const count = 1 + this.#owners.countOf(sender);
    if (this.#senders.length < count) this.#senders = new Int32Array(2 * count);
    this.#senders[0] = header.sender;
    if (count > 1) this.#owners.writeIds(sender, this.#senders, 1);
    return count;
  }

  #isOwnerChange(header: Header, sender: string): boolean {
    return (
      header.type === MessageType.Signal &&
      sender === DRIVER_NAME &&
      this.#strings.textOf(header.member) === NAME_OWNER_CHANGED
    );
  }

  #begin(text: string, rule: MatchRule): AddedRule {
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
    const indexed = rule.eavesdrop ? rule : matchRule({ ...rule, destination: null });
    const following = isFollowed(rule.sender) ? this.#owners.hold(rule.sender) : null;
    const added: AddedRule = {
      text,
      rule,
      number,
      indexed,
      listeners: new Map(),
      added: Promise.all([following, this.#driver("AddMatch", [text])]),
    };
    this.#rules.set(text, added);
    this.#byNumber[number] = added;
    this.#index.add(number, indexed);
    if (rule.eavesdrop) this.#eavesdropperCount++;
    return added;
  }

  async #remove(added: AddedRule, subscription: Subscription): Promise<void> {
    if (!added.listeners.delete(subscription) || added.listeners.size > 0) return;
    const { rule, text, number, indexed } = added;
    this.#rules.delete(text);
    this.#byNumber[number] = null;
    this.#freeNumbers.push(number);
    this.#index.remove(number, indexed);
    if (rule.eavesdrop) this.#eavesdropperCount--;
    // A rule that was refused is removed too, which the bus refuses as well: no harm is done.
    await Promise.all([
      this.#driver("RemoveMatch", [text]).catch(ignore),
      isFollowed(rule.sender) ? this.#owners.release(rule.sender).catch(ignore) : null,
    ]);
  }
}

/** The rule that `input` says. @throws TypeError that says what is wrong and where */
export function ruleOf(input: RuleInput): MatchRule {
  const text =
    typeof input === "string"
      ? input
      : canonicalText(matchRule({ type: MessageType.Signal, ...input }));
  const rule = parseMatchRule(text);
  if (!("code" in rule)) return rule;
  throw new TypeError(
    `match rule ${JSON.stringify(text)}: ${rule.text.trim()} (character ${rule.column})`,
  );
}

function isFollowed(sender: string | null): sender is string {
  return sender !== null && sender !== DRIVER_NAME && !sender.startsWith(":");
}

/** A listener that throws must not keep the others, or the next message, from being delivered. */
function deliver(
  listener: SignalListener,
  message: ReceivedMessage,
  subscription: Subscription,
): void {
  try {
    listener(message, subscription);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function ignore(): void {}
