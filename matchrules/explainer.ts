/** One match rule and any message: why do they match, or why not? */

import { Arguments } from "../wire/args.ts";
import { HEADER_TO_REWRITE, Header } from "../wire/header.ts";
import { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import { decodeMessage } from "../wire/message-codec.ts";
import { rewriteHeader } from "../wire/stitch.ts";
import type { Explanation } from "./explain.ts";
import type { MatchRule } from "./rule.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

/** What the bus knew when the message passed. What is left out is empty. */
export interface Circumstances {
  /** Well-known names whose primary owner was the sender. */
  readonly senderNames?: readonly string[];
  /** Names, unique and well-known, of the connection that the destination led to, besides the destination. */
  readonly destinationNames?: readonly string[];
}

const SUBSCRIBER = 0;

/**
 * Explains one rule, stored in a subscription index as a bus would have it.
 *
 * ```ts
 * const rule = parseMatchRule("path_namespace='/org/foo'");
 * if ("code" in rule) throw new Error(rule.text);
 * const { isMatch, keys } = new Explainer(rule).explain(bytes);
 * for (const key of keys) console.log(key.key, key.wanted, key.saw, verdictText(key));
 * ```
 */
export class Explainer {
  readonly #strings: Strings = new Strings();
  readonly #index: SubscriptionIndex = new SubscriptionIndex(this.#strings);
  readonly #header: Header = new Header(Memory.of(new Uint8Array(0)));
  readonly #args: Arguments = new Arguments(this.#header);

  constructor(rule: MatchRule) {
    this.#index.add(SUBSCRIBER, rule);
  }

  /**
   * Each key's verdict on the whole message `message`, with its SENDER. Throws a `ProtocolViolation` if it is
   * not a valid message.
   */
  explain(message: Uint8Array, circumstances: Circumstances = {}): Explanation {
    const { sender, destination } = decodeMessage(message);
    this.#strings.sweep();
    this.#parse(message);
    const { senderNames = [], destinationNames = [] } = circumstances;
    const [explanation] = this.#index.explain(SUBSCRIBER, {
      header: this.#header,
      args: this.#args,
      senders: this.#idsOf(sender === null ? senderNames : [sender, ...senderNames]),
      isUnicast: destination !== null,
      destinations: this.#idsOf(destination === null ? [] : [destination, ...destinationNames]),
    });
    if (explanation === undefined) throw new Error("the rule is not in its index");
    return explanation;
  }

  /** As a bus does it: without SENDER and unknown fields. */
  #parse(message: Uint8Array): void {
    const memory = Memory.of(message);
    if (this.#header.parse(this.#strings, memory, 0) === HEADER_TO_REWRITE) {
      const target = Memory.of(new Uint8Array(message.length));
      const headerLength = rewriteHeader(this.#header, target, 0);
      target.bytes.set(message.subarray(this.#header.headerLength), headerLength);
      this.#header.parse(this.#strings, target, 0);
    }
    this.#args.begin(this.#header);
  }

  /** Loose ids, which are valid until the next message. */
  #idsOf(names: readonly string[]): Int32Array {
    return Int32Array.from(names, (name) => {
      const id = this.#strings.hold(name);
      this.#strings.release(id);
      return id;
    });
  }
}
