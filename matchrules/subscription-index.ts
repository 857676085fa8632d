/** Hot path: who gets this message? All rules of a bus, arranged so that their number does not matter. */

import type { Arguments } from "../wire/args.ts";
import type { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { randomWord } from "../wire/random.ts";
import { canonicalText } from "./canonical.ts";
import type { ShapeStatistics, SubjectStatistics } from "./describe.ts";
import type { Explanation, MatchQuestion } from "./explain.ts";
import {
  BRANCH_CHECK,
  BRANCH_FIRST_TWIG,
  BRANCH_NEXT,
  BRANCH_TWIGS,
  BROADCAST,
  BUCKET_FIRST_BRANCH,
  BUCKET_FIRST_RULE,
  DORMANT,
  FORM_ARGS_HIGH,
  FORM_ARGS_LOW,
  FORM_KEYS,
  FORM_PREFIX,
  predicateCountOf,
  RULE_FIRST_SUBSCRIPTION,
  RULE_KIND,
  RULE_NEXT,
  RULE_PREDICATES,
  SHAPE_FORM,
  SHAPE_NEXT,
  SUBJECT_FIRST_SHAPE,
  TWIG_FIRST_RULE,
  TWIG_NEXT,
  TWIG_PREDICATE,
  UNICAST,
} from "./layout.ts";
import { MessageKeys } from "./message-keys.ts";
import { MESSAGE_NUMBER_LIMIT, Predicates } from "./predicate.ts";
import { NEXT_IN_CHAIN, RecordTable, TABLE_CELLS } from "./record-table.ts";
import { cell, mix, Records, withRoomFor } from "./records.ts";
import type { MatchRule } from "./rule.ts";
import {
  KEY_INTERFACE,
  KEY_MEMBER,
  KEY_PATH,
  KIND_EAVESDROPS,
  KIND_ECHO,
  KIND_TYPE,
  PREFIX_NONE,
  RuleKeys,
} from "./rule-keys.ts";
import { StoredRules } from "./stored-rules.ts";

/** Twigs so few are gone through: that is cheaper than to find out what the message has. */
const FEW_TWIGS = 4;

// A subscription: one subscriber's copies of one rule.
const RULE = TABLE_CELLS;
const SUBSCRIBER = TABLE_CELLS + 1;
const COUNT = TABLE_CELLS + 2;
const PREVIOUS_OF_RULE = TABLE_CELLS + 3;
const NEXT_OF_RULE = TABLE_CELLS + 4;
const PREVIOUS_OF_SUBSCRIBER = TABLE_CELLS + 5;
const NEXT_OF_SUBSCRIBER = TABLE_CELLS + 6;
const SUBSCRIPTION_CELLS = TABLE_CELLS + 7;

/** Rules that cost more than others. */
export interface CostlyRules {
  /** Without `sender`: they are looked at for the messages of everybody. */
  readonly senderless: number;
  /** With eavesdrop='true': they are looked at for unicasts, too. */
  readonly eavesdropping: number;
}

/** The index in figures. */
export interface IndexStatistics {
  /** With repetitions. */
  readonly rules: number;
  /** As many as there are canonical texts, save that some eavesdroppers' rules count twice. */
  readonly distinctRules: number;
  readonly predicates: number;
  /** Of the index itself: the strings of rules are in the bus's table. */
  readonly byteLength: number;
  readonly broadcast: readonly SubjectStatistics[];
  readonly eavesdropping: readonly SubjectStatistics[];
}

/**
 * The match rules of all subscribers of a bus.
 *
 * A message asks its *subjects*: the rules without `sender`, and those with one of its sender's
 * names as `sender`. In a subject it asks each *shape*: the rules that hash the same set of keys. One
 * probe with the message's values for those keys leads to the *bucket* of the rules that ask for
 * exactly these; what cannot be hashed is left as *predicates*, each evaluated once per message. Keys
 * that match by prefix take one probe per prefix. So the cost depends on how many different sets
 * of keys subscribers use (a handful in practice, bounded in any case), not on how many rules there
 * are. This is tuple space search: Srinivasan, Suri and Varghese, SIGCOMM 1999.
 *
 * Measured on Node 20 with the mixture of bench/micro/subscription-index.ts: 0.2 µs for a message among
 * a thousand rules, 1.3 µs among a hundred thousand, 2.6 µs among a million (the difference is cache
 * misses, not work); 7 µs to add and 4 µs to remove a rule; 110 to 135 bytes of records for each,
 * where the same index of objects took 841.
 *
 * Rules that agree in all hashed keys share a bucket. Those with predicates are kept by the rarest of them, and a
 * message looks for the predicates of its own values, so their number does not matter either. What is left linear: rules
 * that all match, or that all agree with the message in their rarest predicate and not in another one.
 *
 * A rule with `sender='org.example.Name'` stays where it is when the name changes hands: the caller
 * says which names the sender owns at the time of the message.
 */
export class SubscriptionIndex {
  readonly #secret: number;
  readonly #keys: RuleKeys;
  readonly #message: MessageKeys;
  readonly #predicates: Predicates;
  readonly #rules: StoredRules;
  readonly #records: Records = new Records();
  readonly #subscriptions: RecordTable = new RecordTable(this.#records, (subscription) => {
    const { cells } = this.#records;
    return this.#hashOf(cell(cells, subscription + RULE), cell(cells, subscription + SUBSCRIBER));
  });
  /** By subscriber: the first of its subscriptions, its number of rules, and the last message it got. */
  #firsts: Int32Array = new Int32Array(16);
  #counts: Int32Array = new Int32Array(16);
  #stamps: Int32Array = new Int32Array(16);
  #receivers: Int32Array = new Int32Array(16);
  #receiverCount = 0;
  #ruleCount = 0;
  /** Rules of eavesdroppers: without any, a unicast has nobody to look for. */
  #eavesdropperCount = 0;
  #number: number;
  /** The values of the shape being asked. */
  readonly #values: Int32Array = new Int32Array(68);

  /** `strings` is the table that headers are parsed with. Messages are numbered from `firstNumber` on. */
  constructor(strings: Strings, firstNumber = 1) {
    this.#secret = randomWord() >>> 1;
    this.#number = firstNumber;
    this.#keys = new RuleKeys(strings);
    this.#message = new MessageKeys(strings);
    this.#predicates = new Predicates(strings, this.#secret, this.#message);
    this.#rules = new StoredRules(strings, this.#secret, this.#predicates, this.#message);
  }

  /** Rules of all subscribers, with repetitions. */
  get ruleCount(): number {
    return this.#ruleCount;
  }

  /** The subscribers that the last `match` found, in no particular order; valid until the next one. */
  get receivers(): Int32Array {
    return this.#receivers;
  }

  /** Rules of one subscriber, with repetitions. */
  ruleCountOf(subscriber: number): number {
    return subscriber < this.#counts.length ? cell(this.#counts, subscriber) : 0;
  }

  /** Is there a rule with this `sender`? Only such names of a sender need be told to `match`. */
  hasRulesFor(name: number): boolean {
    const rules = this.#rules;
    return rules.subjectOf(BROADCAST, name) !== 0 || rules.subjectOf(UNICAST, name) !== 0;
  }

  /** Subscribers are small integers of the caller's, such as indexes of an array. */
  add(subscriber: number, rule: MatchRule): void {
    const keys = this.#keys;
    keys.hold(rule);
    this.#makeRoomFor(subscriber);
    this.#subscribe(subscriber, familyOf(rule));
    if (hasEcho(rule)) {
      keys.kind |= KIND_ECHO;
      this.#subscribe(subscriber, UNICAST);
    }
    keys.release();
  }

  /** Takes back one `add` of an equal rule; false if there is none. */
  remove(subscriber: number, rule: MatchRule): boolean {
    const keys = this.#keys;
    if (!keys.find(rule) || !this.#unsubscribe(subscriber, familyOf(rule))) return false;
    if (hasEcho(rule)) {
      keys.kind |= KIND_ECHO;
      this.#unsubscribe(subscriber, UNICAST);
    }
    return true;
  }

  /** Removes all rules of one subscriber; costs nothing for the rules of others. */
  removeSubscriber(subscriber: number): void {
    if (subscriber >= this.#firsts.length) return;
    let subscription = cell(this.#firsts, subscriber);
    while (subscription !== 0) {
      const next = cell(this.#records.cells, subscription + NEXT_OF_SUBSCRIBER);
      this.#drop(subscription);
      subscription = next;
    }
  }

  /** The canonical texts of one subscriber's rules, with repetitions, in no particular order. */
  rulesOf(subscriber: number): string[] {
    const { cells } = this.#records;
    const texts: string[] = [];
    let subscription = subscriber < this.#firsts.length ? cell(this.#firsts, subscriber) : 0;
    for (; subscription !== 0; subscription = cell(cells, subscription + NEXT_OF_SUBSCRIBER)) {
      if ((this.#kindOf(subscription) & KIND_ECHO) !== 0) continue;
      const text = canonicalText(this.#rules.describe(cell(cells, subscription + RULE)));
      for (let i = cell(cells, subscription + COUNT); i > 0; i--) texts.push(text);
    }
    return texts;
  }

  /** How many of one subscriber's rules cost more than others, with repetitions. */
  costlyRulesOf(subscriber: number): CostlyRules {
    const { cells } = this.#records;
    const costly = { senderless: 0, eavesdropping: 0 };
    let subscription = subscriber < this.#firsts.length ? cell(this.#firsts, subscriber) : 0;
    for (; subscription !== 0; subscription = cell(cells, subscription + NEXT_OF_SUBSCRIBER)) {
      const kind = this.#kindOf(subscription);
      if ((kind & KIND_ECHO) !== 0) continue;
      const count = cell(cells, subscription + COUNT);
      if (this.#rules.isSenderless(cell(cells, subscription + RULE))) costly.senderless += count;
      if ((kind & KIND_EAVESDROPS) !== 0) costly.eavesdropping += count;
    }
    return costly;
  }

  /** What every broadcast is looked up in, whoever sends it. */
  get senderlessShapes(): readonly ShapeStatistics[] {
    return this.#rules.senderlessShapes(BROADCAST);
  }

  statistics(): IndexStatistics {
    const perSubscriber =
      this.#firsts.byteLength +
      this.#counts.byteLength +
      this.#stamps.byteLength +
      this.#receivers.byteLength;
    return {
      rules: this.#ruleCount,
      distinctRules: this.#rules.size,
      predicates: this.#predicates.size,
      byteLength:
        this.#records.usedBytes +
        this.#subscriptions.usedBytes +
        this.#rules.usedBytes +
        this.#predicates.usedBytes +
        this.#message.usedBytes +
        perSubscriber,
      broadcast: this.#rules.statistics(BROADCAST),
      eavesdropping: this.#rules.statistics(UNICAST),
    };
  }

  /** Does anybody listen to messages that are for others? */
  get hasEavesdroppers(): boolean {
    return this.#eavesdropperCount > 0;
  }

  /**
   * Collects in `receivers` every subscriber with a rule that the message matches, once each; returns
   * how many.
   *
   * `senders`: the sender's unique name (the bus: `org.freedesktop.DBus`) and the well-known names it
   * is primary owner of. For a unicast, `destinations` are the same of the connection that it is for;
   * only eavesdroppers are found then, and the destination itself only if it is one. `args` has begun
   * on the message. All names are ids of the string table.
   */
  match(
    header: Header,
    args: Arguments,
    senders: Int32Array,
    senderCount: number,
    isUnicast: boolean,
    destinations: Int32Array,
    destinationCount: number,
  ): number {
    this.#receiverCount = 0;
    if (isUnicast && this.#eavesdropperCount === 0) return 0;
    const family = isUnicast ? UNICAST : BROADCAST;
    const rules = this.#rules;
    if (++this.#number >= MESSAGE_NUMBER_LIMIT) this.#restartNumbers();
    this.#message.begin(header, args, destinations, destinationCount);
    this.#ask(rules.subjectOf(family, 0));
    for (let i = 0; i < senderCount; i++) this.#ask(rules.subjectOf(family, cell(senders, i)));
    return this.#receiverCount;
  }

  /** What `match` decides about each distinct rule of one subscriber, key by key; in no particular order. */
  explain(subscriber: number, question: MatchQuestion): Explanation[] {
    const { header, args, isUnicast, destinations } = question;
    if (++this.#number >= MESSAGE_NUMBER_LIMIT) this.#restartNumbers();
    this.#message.begin(header, args, destinations, destinations.length);
    const { cells } = this.#records;
    const explanations: Explanation[] = [];
    let subscription = subscriber < this.#firsts.length ? cell(this.#firsts, subscriber) : 0;
    for (; subscription !== 0; subscription = cell(cells, subscription + NEXT_OF_SUBSCRIBER)) {
      const rule = cell(cells, subscription + RULE);
      const family = this.#rules.familyOf(rule);
      // The rule of an eavesdropper lies in both families: the one counts that the message asks.
      const isEavesdroppers = (this.#kindOf(subscription) & KIND_EAVESDROPS) !== 0;
      if (isEavesdroppers && isUnicast && family === BROADCAST) continue;
      if ((this.#kindOf(subscription) & KIND_ECHO) !== 0 && !isUnicast) continue;
      explanations.push(this.#rules.explain(rule, question, this.#number));
    }
    return explanations;
  }

  #ask(subject: number): void {
    if (subject === 0) return;
    const { cells } = this.#rules.records;
    let shape = cell(cells, subject + SUBJECT_FIRST_SHAPE);
    for (; shape !== 0; shape = cell(cells, shape + SHAPE_NEXT)) this.#askShape(cells, shape);
  }

  #askShape(cells: Int32Array, shape: number): void {
    const { header } = this.#message;
    const form = cell(cells, shape + SHAPE_FORM);
    const keys = cell(cells, form + FORM_KEYS);
    const values = this.#values;
    let hash = this.#rules.hashOf(shape);
    let width = 0;
    if ((keys & KEY_INTERFACE) !== 0) {
      if (header.interface === 0) return;
      values[width++] = header.interface;
      hash = mix(hash, header.interface);
    }
    if ((keys & KEY_MEMBER) !== 0) {
      if (header.member === 0) return;
      values[width++] = header.member;
      hash = mix(hash, header.member);
    }
    if ((keys & KEY_PATH) !== 0) {
      if (header.path <= 0) return;
      values[width++] = header.path;
      hash = mix(hash, header.path);
    }
    for (let half = 0; half < 2; half++) {
      let bits = cell(cells, form + (half === 0 ? FORM_ARGS_LOW : FORM_ARGS_HIGH));
      for (; bits !== 0; bits &= bits - 1) {
        const id = this.#message.argumentId(half * 32 + 31 - Math.clz32(bits & -bits));
        if (id === 0) return;
        values[width++] = id;
        hash = mix(hash, id);
      }
    }
    const prefix = cell(cells, form + FORM_PREFIX);
    if (prefix === PREFIX_NONE) {
      this.#askBucket(cells, this.#rules.findBucket(shape, hash, values, width));
      return;
    }
    const count = this.#message.findPrefixes(prefix);
    const prefixes = this.#message.prefixesOf(prefix);
    for (let i = 0; i < count; i++) {
      const id = cell(prefixes, i);
      values[width] = id;
      this.#askBucket(cells, this.#rules.findBucket(shape, mix(hash, id), values, width + 1));
    }
  }

  #askBucket(cells: Int32Array, bucket: number): void {
    if (bucket === 0) return;
    this.#askRules(cells, cell(cells, bucket + BUCKET_FIRST_RULE));
    let branch = cell(cells, bucket + BUCKET_FIRST_BRANCH);
    for (; branch !== 0; branch = cell(cells, branch + BRANCH_NEXT)) this.#askBranch(cells, branch);
  }

  /** By the values that the message has for the branch's key, or by the twigs, whichever are fewer. */
  #askBranch(cells: Int32Array, branch: number): void {
    const twigs = cell(cells, branch + BRANCH_TWIGS);
    const check = cell(cells, branch + BRANCH_CHECK);
    if (twigs > FEW_TWIGS) {
      const count = this.#message.findValues(check);
      if (count < twigs) {
        const values = this.#message.valuesOf(check);
        for (let i = 0; i < count; i++) {
          const predicate = this.#predicates.find(check, cell(values, i));
          if (predicate === 0) continue;
          const twig = this.#rules.findTwig(branch, predicate);
          if (twig !== 0) this.#askRules(cells, cell(cells, twig + TWIG_FIRST_RULE));
        }
        return;
      }
    }
    let twig = cell(cells, branch + BRANCH_FIRST_TWIG);
    for (; twig !== 0; twig = cell(cells, twig + TWIG_NEXT)) {
      if (this.#predicates.holds(cell(cells, twig + TWIG_PREDICATE), this.#message, this.#number)) {
        this.#askRules(cells, cell(cells, twig + TWIG_FIRST_RULE));
      }
    }
  }

  #askRules(cells: Int32Array, first: number): void {
    const { type } = this.#message.header;
    for (let rule = first; rule !== 0; rule = cell(cells, rule + RULE_NEXT)) {
      const ruleType = cell(cells, rule + RULE_KIND) & KIND_TYPE;
      if (ruleType !== 0 && ruleType !== type) continue;
      if (this.#holds(cells, rule)) this.#collect(cell(cells, rule + RULE_FIRST_SUBSCRIPTION));
    }
  }

  #holds(cells: Int32Array, rule: number): boolean {
    const end = rule + RULE_PREDICATES + predicateCountOf(cells, rule);
    for (let at = rule + RULE_PREDICATES; at < end; at++) {
      if (!this.#predicates.holds(cell(cells, at), this.#message, this.#number)) return false;
    }
    return true;
  }

  #collect(firstSubscription: number): void {
    const { cells } = this.#records;
    const number = this.#number;
    const stamps = this.#stamps;
    let subscription = firstSubscription;
    for (; subscription !== 0; subscription = cell(cells, subscription + NEXT_OF_RULE)) {
      const subscriber = cell(cells, subscription + SUBSCRIBER);
      if (cell(stamps, subscriber) === number) continue;
      stamps[subscriber] = number;
      this.#receivers[this.#receiverCount++] = subscriber;
    }
  }

  /** Once in a thousand million messages. */
  #restartNumbers(): void {
    this.#number = 1;
    this.#stamps.fill(0);
    this.#predicates.forget();
  }

  #makeRoomFor(subscriber: number): void {
    this.#firsts = withRoomFor(this.#firsts, subscriber);
    this.#counts = withRoomFor(this.#counts, subscriber);
    this.#stamps = withRoomFor(this.#stamps, subscriber);
    this.#receivers = withRoomFor(this.#receivers, subscriber);
  }

  #subscribe(subscriber: number, family: number): void {
    const rule = this.#rules.place(family, this.#keys);
    const subscription = this.#find(rule, subscriber) || this.#make(rule, subscriber);
    const { cells } = this.#records;
    cells[subscription + COUNT] = cell(cells, subscription + COUNT) + 1;
    this.#count(subscription, 1);
  }

  /** A rule that came when its subject had too many shapes is stored in another way than one that came later. */
  #unsubscribe(subscriber: number, family: number): boolean {
    const subscription =
      this.#find(this.#rules.find(family, this.#keys, false), subscriber) ||
      this.#find(this.#rules.find(family, this.#keys, true), subscriber);
    if (subscription === 0) return false;
    const { cells } = this.#records;
    const count = cell(cells, subscription + COUNT);
    if (count === 1) {
      this.#drop(subscription);
    } else {
      cells[subscription + COUNT] = count - 1;
      this.#count(subscription, -1);
    }
    return true;
  }

  #find(rule: number, subscriber: number): number {
    if (rule === 0) return 0;
    const { cells } = this.#records;
    let subscription = this.#subscriptions.first(this.#hashOf(rule, subscriber));
    for (; subscription !== 0; subscription = cell(cells, subscription + NEXT_IN_CHAIN)) {
      if (cell(cells, subscription + RULE) !== rule) continue;
      if (cell(cells, subscription + SUBSCRIBER) === subscriber) break;
    }
    return subscription;
  }

  #make(rule: number, subscriber: number): number {
    const subscription = this.#records.allocate(SUBSCRIPTION_CELLS);
    const { cells } = this.#records;
    const ruleCells = this.#rules.records.cells;
    const nextOfRule = cell(ruleCells, rule + RULE_FIRST_SUBSCRIPTION);
    const nextOfSubscriber = cell(this.#firsts, subscriber);
    cells[subscription + RULE] = rule;
    cells[subscription + SUBSCRIBER] = subscriber;
    cells[subscription + NEXT_OF_RULE] = nextOfRule;
    if (nextOfRule !== 0) cells[nextOfRule + PREVIOUS_OF_RULE] = subscription;
    ruleCells[rule + RULE_FIRST_SUBSCRIPTION] = subscription;
    cells[subscription + NEXT_OF_SUBSCRIBER] = nextOfSubscriber;
    if (nextOfSubscriber !== 0) cells[nextOfSubscriber + PREVIOUS_OF_SUBSCRIBER] = subscription;
    this.#firsts[subscriber] = subscription;
    this.#subscriptions.insert(subscription, this.#hashOf(rule, subscriber));
    return subscription;
  }

  /** The whole subscription, however many copies. */
  #drop(subscription: number): void {
    const { cells } = this.#records;
    const rule = cell(cells, subscription + RULE);
    const ruleCells = this.#rules.records.cells;
    this.#count(subscription, -cell(cells, subscription + COUNT));
    const previousOfRule = cell(cells, subscription + PREVIOUS_OF_RULE);
    const nextOfRule = cell(cells, subscription + NEXT_OF_RULE);
    if (previousOfRule === 0) ruleCells[rule + RULE_FIRST_SUBSCRIPTION] = nextOfRule;
    else cells[previousOfRule + NEXT_OF_RULE] = nextOfRule;
    if (nextOfRule !== 0) cells[nextOfRule + PREVIOUS_OF_RULE] = previousOfRule;
    const previousOfSubscriber = cell(cells, subscription + PREVIOUS_OF_SUBSCRIBER);
    const nextOfSubscriber = cell(cells, subscription + NEXT_OF_SUBSCRIBER);
    if (previousOfSubscriber === 0) {
      this.#firsts[cell(cells, subscription + SUBSCRIBER)] = nextOfSubscriber;
    } else {
      cells[previousOfSubscriber + NEXT_OF_SUBSCRIBER] = nextOfSubscriber;
    }
    if (nextOfSubscriber !== 0)
      cells[nextOfSubscriber + PREVIOUS_OF_SUBSCRIBER] = previousOfSubscriber;
    this.#subscriptions.remove(subscription);
    this.#records.free(subscription, SUBSCRIPTION_CELLS);
    if (cell(ruleCells, rule + RULE_FIRST_SUBSCRIPTION) === 0) this.#rules.drop(rule);
  }

  #count(subscription: number, change: number): void {
    const { cells } = this.#records;
    const kind = this.#kindOf(subscription);
    if ((kind & KIND_ECHO) !== 0) return;
    const subscriber = cell(cells, subscription + SUBSCRIBER);
    this.#counts[subscriber] = cell(this.#counts, subscriber) + change;
    this.#ruleCount += change;
    if ((kind & KIND_EAVESDROPS) !== 0) this.#eavesdropperCount += change;
  }

  #kindOf(subscription: number): number {
    const rule = cell(this.#records.cells, subscription + RULE);
    return cell(this.#rules.records.cells, rule + RULE_KIND);
  }

  #hashOf(rule: number, subscriber: number): number {
    return mix(mix(this.#secret, rule), subscriber);
  }
}

/** Where a rule is looked for first. */
function familyOf(rule: MatchRule): number {
  if (rule.destination === null) return BROADCAST;
  return rule.eavesdrop ? UNICAST : DORMANT;
}

/** Does it serve broadcasts and unicasts? */
function hasEcho(rule: MatchRule): boolean {
  return rule.eavesdrop && rule.destination === null;
}
