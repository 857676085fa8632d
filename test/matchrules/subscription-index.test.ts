import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalText } from "../../matchrules/canonical.ts";
import { type DescribedMessage, EMPTY_MESSAGE, matches } from "../../matchrules/match.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { EMPTY_RULE, type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import { Strings } from "../../wire/intern.ts";
import { messages, rules, uniqueNames, wellKnownNames } from "./arbitraries.ts";
import { Asker } from "./asker.ts";

type Step =
  | { readonly does: "add" | "remove"; readonly subscriber: number; readonly rule: MatchRule }
  | {
      readonly does: "removeOneOf" | "removeAll";
      readonly subscriber: number;
      readonly which: number;
    }
  | { readonly does: "own"; readonly name: string; readonly owner: string | null }
  | { readonly does: "match"; readonly message: DescribedMessage };

const subscribers = fc.integer({ min: 0, max: 20 });
const which = fc.nat();

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      does: fc.constant("add" as const),
      subscriber: subscribers,
      rule: rules,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant("remove" as const),
      subscriber: subscribers,
      rule: rules,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("removeOneOf" as const),
      subscriber: subscribers,
      which,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant("removeAll" as const),
      subscriber: subscribers,
      which,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("own" as const),
      name: fc.constantFrom(...wellKnownNames),
      owner: fc.constantFrom(null, ...uniqueNames),
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({ does: fc.constant("match" as const), message: messages }),
  },
);

/** The same as the index, by the naive matcher. */
class Oracle {
  readonly owners: Map<string, string | null> = new Map();
  rules: { readonly subscriber: number; readonly rule: MatchRule; readonly text: string }[] = [];
  comparisons = 0;

  add(subscriber: number, rule: MatchRule): void {
    this.rules.push({ subscriber, rule, text: canonicalText(rule) });
  }

  remove(subscriber: number, rule: MatchRule): boolean {
    const text = canonicalText(rule);
    const at = this.rules.findIndex((one) => one.subscriber === subscriber && one.text === text);
    if (at >= 0) this.rules.splice(at, 1);
    return at >= 0;
  }

  removeSubscriber(subscriber: number): void {
    this.rules = this.rules.filter((one) => one.subscriber !== subscriber);
  }

  of(subscriber: number): MatchRule[] {
    return this.rules.filter((one) => one.subscriber === subscriber).map(({ rule }) => rule);
  }

  /** With the names that connections have at the moment. */
  complete(message: DescribedMessage): DescribedMessage {
    const { sender, destination } = message;
    const addressed = destination === null ? null : (this.owners.get(destination) ?? destination);
    return {
      ...message,
      senderNames: this.namesOf(sender),
      destinationNames: addressed === null ? [] : [addressed, ...this.namesOf(addressed)],
    };
  }

  match(message: DescribedMessage): number[] {
    this.comparisons += this.rules.length;
    const found = this.rules.filter(({ rule }) => matches(rule, message));
    return [...new Set(found.map(({ subscriber }) => subscriber))].sort((a, b) => a - b);
  }

  namesOf(owner: string): string[] {
    return wellKnownNames.filter((name) => this.owners.get(name) === owner);
  }
}

test("the index finds whom the naive matcher finds, whatever came and went before", () => {
  let comparisons = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 220, size: "max" }), (steps) => {
      const strings = new Strings();
      const index = new SubscriptionIndex(strings);
      const asker = new Asker(strings, index);
      const oracle = new Oracle();
      for (const one of steps) take(one, index, oracle, asker);
      comparisons += oracle.comparisons;
      for (let subscriber = 0; subscriber <= 20; subscriber++) {
        const texts = oracle.of(subscriber).map(canonicalText).sort();
        expect(index.rulesOf(subscriber).sort()).toEqual(texts);
        expect(index.ruleCountOf(subscriber)).toBe(texts.length);
        index.removeSubscriber(subscriber);
      }
      expectEmpty(index);
    }),
    // Looking for a smaller counterexample may take longer than anyone waits.
    { numRuns: 120, interruptAfterTimeLimit: 15_000 },
  );
  expect(comparisons).toBeGreaterThan(100_000);
}, 60_000);

function take(step: Step, index: SubscriptionIndex, oracle: Oracle, asker: Asker): void {
  switch (step.does) {
    case "add":
      index.add(step.subscriber, step.rule);
      oracle.add(step.subscriber, step.rule);
      break;
    case "remove":
      expect(index.remove(step.subscriber, step.rule)).toBe(
        oracle.remove(step.subscriber, step.rule),
      );
      break;
    case "removeOneOf": {
      const present = oracle.of(step.subscriber);
      const rule = present[step.which % present.length] ?? EMPTY_RULE;
      expect(index.remove(step.subscriber, rule)).toBe(oracle.remove(step.subscriber, rule));
      break;
    }
    case "removeAll":
      index.removeSubscriber(step.subscriber);
      oracle.removeSubscriber(step.subscriber);
      break;
    case "own":
      oracle.owners.set(step.name, step.owner);
      break;
    case "match": {
      const message = oracle.complete(step.message);
      expect(asker.ask(message)).toEqual(oracle.match(message));
      break;
    }
  }
  expect(index.ruleCount).toBe(oracle.rules.length);
}

function expectEmpty(index: SubscriptionIndex): void {
  expect(index.statistics()).toMatchObject({
    rules: 0,
    distinctRules: 0,
    predicates: 0,
    broadcast: [],
    eavesdropping: [],
  });
}

function ruleOf(text: string): MatchRule {
  const rule = parseMatchRule(text);
  if ("code" in rule) throw new Error(rule.text);
  return rule;
}

test("a subscriber gets one copy however many of its rules match", () => {
  const { index, asker } = emptyIndex();
  for (const text of ["", "type='signal'", "type='signal'", "member='M'"])
    index.add(3, ruleOf(text));
  expect(asker.ask({ ...EMPTY_MESSAGE, member: "M" })).toEqual([3]);
  expect(index.ruleCountOf(3)).toBe(4);
});

test("equal rules are counted: as many removals as additions", () => {
  const { index, asker } = emptyIndex();
  const message = { ...EMPTY_MESSAGE, member: "M" };
  index.add(1, ruleOf("type='signal',member='M'"));
  index.add(1, ruleOf("member=M,type=signal"));
  expect(index.remove(1, ruleOf("type='signal',member='M'"))).toBe(true);
  expect(asker.ask(message)).toEqual([1]);
  expect(index.remove(2, ruleOf("type='signal',member='M'"))).toBe(false);
  expect(index.remove(1, ruleOf("type='signal',member='M'"))).toBe(true);
  expect(asker.ask(message)).toEqual([]);
  expect(index.remove(1, ruleOf("type='signal',member='M'"))).toBe(false);
});

test("a unicast is for eavesdroppers only, and the index knows when there are none", () => {
  const { index, asker } = emptyIndex();
  const unicast = { ...EMPTY_MESSAGE, destination: ":1.9", destinationNames: [":1.9", "a.b"] };
  index.add(1, EMPTY_RULE);
  index.add(2, ruleOf("destination=':1.9'"));
  expect(asker.ask(unicast)).toEqual([]);
  index.add(3, ruleOf("eavesdrop='true'"));
  index.add(4, ruleOf("eavesdrop='true',destination='a.b'"));
  index.add(5, ruleOf("eavesdrop='true',destination=':1.8'"));
  expect(asker.ask(unicast)).toEqual([3, 4]);
  expect(asker.ask(EMPTY_MESSAGE)).toEqual([1, 3]);
  for (const subscriber of [3, 4, 5]) index.removeSubscriber(subscriber);
  expect(asker.ask(unicast)).toEqual([]);
});

test("hasRulesFor knows the senders that rules name, as long as they do", () => {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  const name = strings.hold("org.example.Name");
  expect(index.hasRulesFor(name)).toBe(false);
  index.add(1, ruleOf("sender='org.example.Name'"));
  index.add(2, ruleOf("sender='org.example.Name',eavesdrop='true',destination='a.b'"));
  expect(index.hasRulesFor(name)).toBe(true);
  index.removeSubscriber(1);
  expect(index.hasRulesFor(name)).toBe(true);
  index.removeSubscriber(2);
  expect(index.hasRulesFor(name)).toBe(false);
});

test("more shapes than the limit are stored with fewer hashed keys and found all the same", () => {
  const { index, asker } = emptyIndex();
  // 150 sets of arguments; each rule asks for 'x' in its two or three places.
  const sets = Array.from({ length: 150 }, (_, i) => [1 + (i % 20), 21 + (i % 31), 60]);
  const rulesOfSets = sets.map((set) =>
    matchRule({ args: set.map((index) => ({ index, kind: "string", value: "x" })) }),
  );
  for (const [subscriber, rule] of rulesOfSets.entries()) index.add(subscriber, rule);
  const shapes = index.statistics().broadcast[0]?.shapes.length;
  expect(shapes).toBe(65);
  const argument = (value: string) => ({ kind: "string", value }) as const;
  sets.forEach((set, subscriber) => {
    const args = Array.from({ length: 64 }, (_, i) => argument(set.includes(i) ? "x" : "y"));
    const found = sets.flatMap((other, i) => (other.every((at) => set.includes(at)) ? [i] : []));
    expect(found).toContain(subscriber);
    expect(asker.ask({ ...EMPTY_MESSAGE, args })).toEqual(found);
  });
  // Removal finds a rule in both places: where it is, and where it would be put now.
  for (let i = 0; i < 64; i++) expect(index.remove(i, rulesOfSets[i] ?? EMPTY_RULE)).toBe(true);
  index.add(149, rulesOfSets[149] ?? EMPTY_RULE);
  expect(index.ruleCountOf(149)).toBe(2);
  for (let i = 64; i < 150; i++) expect(index.remove(i, rulesOfSets[i] ?? EMPTY_RULE)).toBe(true);
  expect(index.remove(149, rulesOfSets[149] ?? EMPTY_RULE)).toBe(true);
  expectEmpty(index);
});

test("rules leave nothing behind: no strings held, no memory that grows", () => {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  const generated = fc.sample(rules, { numRuns: 500, seed: 7 });
  const addAndRemove = (): number => {
    for (const [i, rule] of generated.entries()) index.add(i % 9, rule);
    for (const [i, rule] of generated.entries()) expect(index.remove(i % 9, rule)).toBe(true);
    return index.statistics().byteLength;
  };
  expect(addAndRemove()).toBe(addAndRemove());
  expectEmpty(index);
  for (let i = 0; i < 20_000; i++) strings.release(strings.hold(`loose ${i}`));
  expect(strings.sweep()).toBe(true);
  expect(strings.size).toBe(0);
});

test("a value with a thousand slashes is few strings, not a thousand", () => {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  const asker = new Asker(strings, index);
  index.add(1, ruleOf(`arg0path='${"/".repeat(1000)}'`));
  expect(strings.size).toBe(17);
  const argument = { kind: "string", value: "/".repeat(300) } as const;
  expect(asker.ask({ ...EMPTY_MESSAGE, args: [argument] })).toEqual([1]);
});

test("rules of one bucket are found by whichever key sets them apart", () => {
  const { index, asker } = emptyIndex();
  const args = (first: string, second: string) =>
    [
      { kind: "string", value: first },
      { kind: "string", value: second },
    ] as const;
  // All of a kind ask for the same prefix of argument 0; of the last kind, all also agree in another key.
  const kinds: readonly ((i: number) => string)[] = [
    (i) => `arg0path='/a/',arg1path='/${i}/'`,
    (i) => `arg0path='/a/',path_namespace='/n${i}'`,
    (i) => `arg0path='/a/',path_namespace='/common',arg1path='/x/${i}/y'`,
    (i) => `eavesdrop=true,arg0path='/a/',destination=':1.${i}'`,
  ];
  const COUNT = 50;
  const ids = Array.from({ length: kinds.length * COUNT }, (_, i) => i);
  for (const i of ids) index.add(i, ruleOf(kinds[Math.floor(i / COUNT)]?.(i) ?? ""));
  for (const i of ids.filter((id) => id % 7 === 0)) index.removeSubscriber(i);
  const found = (...wanted: readonly number[]) => wanted.filter((i) => i % 7 !== 0);
  for (let i = 0; i < COUNT; i++) {
    const message = {
      ...EMPTY_MESSAGE,
      path: `/n${COUNT + i}/below`,
      args: args("/a/b", `/${i}/`),
    };
    expect(asker.ask(message)).toEqual(found(i, COUNT + i));
    const third = 2 * COUNT + i;
    const common = { ...EMPTY_MESSAGE, path: "/common", args: args("/a/", `/x/${third}/y`) };
    expect(asker.ask(common)).toEqual(found(third));
    expect(asker.ask({ ...common, path: "/other" })).toEqual([]);
    const addressee = `:1.${3 * COUNT + i}`;
    const unicast = { ...common, destination: addressee, destinationNames: [addressee] };
    expect(asker.ask(unicast)).toEqual(found(3 * COUNT + i));
  }
  const all = { ...EMPTY_MESSAGE, path: "/common", args: args("/a/", "/x/") };
  expect(asker.ask(all)).toEqual(found(...ids.slice(2 * COUNT, 3 * COUNT)));
  for (const i of ids) index.removeSubscriber(i);
  expectEmpty(index);
});

test("message numbers start again before they grow out of small integers", () => {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings, 2 ** 30 - 3);
  const asker = new Asker(strings, index);
  index.add(0, ruleOf("arg0namespace='a',arg1path='/b/'"));
  const args = (value: string) =>
    [
      { kind: "string", value: "a" },
      { kind: "string", value },
    ] as const;
  for (let i = 0; i < 6; i++) {
    expect(asker.ask({ ...EMPTY_MESSAGE, args: args("/b/c") })).toEqual([0]);
    expect(asker.ask({ ...EMPTY_MESSAGE, args: args("/c") })).toEqual([]);
  }
});

function emptyIndex(): { index: SubscriptionIndex; asker: Asker } {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  return { index, asker: new Asker(strings, index) };
}
