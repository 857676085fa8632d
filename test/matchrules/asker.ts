/** Asks an index about described messages, by way of real bytes and the real header parser. */

import type { Explanation } from "../../matchrules/explain.ts";
import type { DescribedArgument, DescribedMessage } from "../../matchrules/match.ts";
import type { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import { Arguments } from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import type { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { type RawArgument, rawMessage } from "./raw-message.ts";

export class Asker {
  readonly #strings: Strings;
  readonly #index: SubscriptionIndex;
  readonly #header: Header = new Header(Memory.of(new Uint8Array(0)));
  readonly #args: Arguments = new Arguments(this.#header);
  #serial = 0;

  constructor(strings: Strings, index: SubscriptionIndex) {
    this.#strings = strings;
    this.#index = index;
  }

  /** Who gets it, in ascending order. */
  ask(message: DescribedMessage): number[] {
    this.#begin(message);
    const senders = this.#ids([message.sender, ...message.senderNames]);
    const destinations = this.#ids(message.destinationNames);
    const count = this.#index.match(
      this.#header,
      this.#args,
      senders,
      senders.length,
      message.destination !== null,
      destinations,
      destinations.length,
    );
    return [...this.#index.receivers.subarray(0, count)].sort((a, b) => a - b);
  }

  /** Why this subscriber gets it, or not. */
  explain(subscriber: number, message: DescribedMessage): Explanation[] {
    this.#begin(message);
    return this.#index.explain(subscriber, {
      header: this.#header,
      args: this.#args,
      senders: this.#internedIds([message.sender, ...message.senderNames]),
      isUnicast: message.destination !== null,
      destinations: this.#ids(message.destinationNames),
    });
  }

  #begin(message: DescribedMessage): void {
    const bytes = rawMessage({
      type: message.type,
      serial: ++this.#serial,
      path: message.path ?? (isBare(message) ? "/bare" : null),
      interface: message.interface ?? (message.type === 4 ? "bare.Interface" : null),
      member: message.member ?? (isBare(message) ? "Bare" : null),
      destination: message.destination,
      errorName: message.type === 3 ? "an.Error" : null,
      replySerial: message.type === 2 || message.type === 3 ? 7 : null,
      args: message.args.map(rawArgument),
      isBigEndian: this.#serial % 3 === 0,
    });
    const verdict = this.#header.parse(this.#strings, Memory.of(bytes), 0);
    if (verdict < 0) throw new Error(`the header has the violation ${verdict}`);
    this.#args.begin(this.#header);
  }

  #internedIds(names: readonly string[]): Int32Array {
    return Int32Array.from(names, (name) => {
      const id = this.#strings.hold(name);
      this.#strings.release(id);
      return id;
    });
  }

  /** Names that the table has never heard of are of no interest to any rule. */
  #ids(names: readonly string[]): Int32Array {
    return Int32Array.from(
      names.map((name) => this.#strings.findText(name)).filter((id) => id !== 0),
    );
  }
}

/** Does the header need what the description leaves out? */
function isBare(message: DescribedMessage): boolean {
  return message.type === 1 || message.type === 4;
}

/** Strings and paths as such; anything else by turns. */
function rawArgument(argument: DescribedArgument, index: number): RawArgument {
  if (argument.kind === "string") return ["s", argument.value];
  if (argument.kind === "path") return ["o", argument.value];
  const others: readonly RawArgument[] = [
    ["u", 1],
    ["as", ["a", "b"]],
    ["(ys)", [7, "a"]],
    ["g", "a{sv}"],
  ];
  return others[index % others.length] ?? ["u", 1];
}
