/** The subscription index: add, match and remove with a thousand, a hundred thousand and a million rules. */

import { bench, do_not_optimize, run, summary } from "mitata";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import { Arguments } from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";

const SIZES = (process.argv[2] ?? "1e3,1e5,1e6").split(",").map(Number);
const SUBSCRIBERS = 5000;
const MESSAGES = 20_000;

/** A reproducible stream of numbers below a limit. */
class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

interface Subscription {
  readonly subscriber: number;
  readonly rule: MatchRule;
}

/**
 * A synthetic mixture after desktop buses: 40 % of the rules name sender, path, interface and member;
 * 20 % watch one name's owner; 15 % also compare an argument; 10 % have no sender; 10 % name sender
 * and path only; 5 % have a path namespace. Fewer rules have fewer distinct values.
 */
function subscription(numbers: Numbers): Subscription {
  const kind = numbers.below(100);
  const sender = `:1.${numbers.below(20_000)}`;
  const object = numbers.below(200_000);
  const path = `/org/app${object % 997}/obj${object}`;
  const names = {
    interface: `org.app.I${numbers.below(5000)}`,
    member: `Sig${numbers.below(300)}`,
  };
  const subscriber = numbers.below(SUBSCRIBERS);
  const arg0 = (value: string) => [{ index: 0, kind: "string", value } as const];
  return { subscriber, rule: matchRule({ type: 4, ...keys() }) };

  function keys(): Partial<MatchRule> {
    if (kind < 40) return { sender, path, ...names };
    if (kind < 60) {
      return {
        sender: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "NameOwnerChanged",
        args: arg0(`org.name${object}`),
      };
    }
    if (kind < 75) return { sender, path, ...names, args: arg0(`x${object}`) };
    if (kind < 85) return { path, ...names };
    if (kind < 95) return { sender, path };
    return { sender, interface: names.interface, pathNamespace: `/org/app${object % 997}` };
  }
}

/** A message that matches `rule`, and other values where the rule has none. */
function messageFor(rule: MatchRule, numbers: Numbers): Uint8Array {
  const other = subscription(numbers).rule;
  return encodeMessage(
    signal({
      path: rule.path ?? `${rule.pathNamespace ?? "/other"}/obj7`,
      interface: rule.interface ?? other.interface ?? "org.other",
      member: rule.member ?? other.member ?? "Other",
      signature: "s",
      body: [rule.args[0]?.value ?? "zz"],
    }),
    1,
  );
}

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function perRule(label: string, count: number, milliseconds: number): void {
  console.log(`  ${label}: ${((milliseconds * 1e6) / count).toFixed(0)} ns`);
}

const NOBODY = new Int32Array(0);

/** Fills an index, and returns one match and one remove-and-add to be measured over and over. */
function prepare(size: number): { match: () => number; churn: () => void } {
  const before = usedBytes();
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  console.log(`${size} rules`);
  const batch = 1000;
  let added = 0;
  let slowest = 0;
  for (let numbers = new Numbers(123456789), done = 0; done < size; done += batch) {
    const subscriptions = Array.from({ length: batch }, () => subscription(numbers));
    const start = performance.now();
    for (const { subscriber, rule } of subscriptions) index.add(subscriber, rule);
    const took = performance.now() - start;
    added += took;
    slowest = Math.max(slowest, took);
  }
  perRule("add", size, added);
  console.log(`  slowest ${batch} additions: ${slowest.toFixed(1)} ms`);
  const bytes = usedBytes() - before;
  const own = index.statistics().byteLength;
  console.log(
    `  ${(bytes / size).toFixed(0)} bytes of memory per rule, ${(own / size).toFixed(0)} in use by the index, the rest strings and room to grow`,
  );

  const numbers = new Numbers(123456789);
  const subscriptions = Array.from({ length: MESSAGES }, () => subscription(numbers));
  const headers: Header[] = [];
  const senders: Int32Array[] = [];
  for (const { rule } of subscriptions) {
    const memory = Memory.of(messageFor(rule, numbers));
    const header = new Header(memory);
    header.parse(strings, memory, 0);
    headers.push(header);
    senders.push(Int32Array.of(strings.hold(rule.sender ?? `:1.${numbers.below(20_000)}`)));
  }
  const args = new Arguments(headers[0] as Header); // there are MESSAGES of them
  let turn = 0;
  let receivers = 0;
  const match = (): number => {
    turn = (turn + 1) % MESSAGES;
    const header = headers[turn] as Header; // as above
    args.begin(header);
    return index.match(header, args, senders[turn] ?? NOBODY, 1, false, NOBODY, 0);
  };
  for (let i = 0; i < MESSAGES; i++) receivers += match();
  console.log(`  ${(receivers / MESSAGES).toFixed(2)} receivers per message`);
  const churn = (): void => {
    turn = (turn + 1) % MESSAGES;
    const { subscriber, rule } = subscriptions[turn] as Subscription; // as above
    index.remove(subscriber, rule);
    index.add(subscriber, rule);
  };
  return { match, churn };
}

/** Removes all rules again, in the order they came. */
function drain(size: number): void {
  const index = new SubscriptionIndex(new Strings());
  const numbers = new Numbers(123456789);
  const all = Array.from({ length: size }, () => subscription(numbers));
  for (const { subscriber, rule } of all) index.add(subscriber, rule);
  const start = performance.now();
  for (const { subscriber, rule } of all) index.remove(subscriber, rule);
  perRule("remove", size, performance.now() - start);
  for (const { subscriber, rule } of all) index.add(subscriber, rule);
  const leaving = performance.now();
  for (let subscriber = 0; subscriber < SUBSCRIBERS; subscriber++)
    index.removeSubscriber(subscriber);
  perRule("remove with the subscriber", size, performance.now() - leaving);
}

for (const size of SIZES) {
  const { match, churn } = prepare(size);
  drain(Math.min(size, 1e5));
  summary(() => {
    bench(`match one message, ${size} rules`, () => do_not_optimize(match()));
    bench(`remove and add one rule, ${size} rules`, () => do_not_optimize(churn()));
  });
}

await run({ colors: process.stdout.isTTY === true });
