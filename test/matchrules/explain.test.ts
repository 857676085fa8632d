/** Explanations agree with the naive matcher key by key, and with the index; and they say useful things. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { argumentKeyName, canonicalText } from "../../matchrules/canonical.ts";
import type { Explanation } from "../../matchrules/explain.ts";
import { type OwnerOf, verdictText } from "../../matchrules/explain-text.ts";
import { Explainer } from "../../matchrules/explainer.ts";
import { type DescribedMessage, matches } from "../../matchrules/match.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import { Strings } from "../../wire/intern.ts";
import { Message } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { MessageType } from "../../wire/protocol.ts";
import { messages, rules, uniqueNames, wellKnownNames } from "./arbitraries.ts";
import { Asker } from "./asker.ts";
import { rawMessage } from "./raw-message.ts";

/** A message as generated, with owners of the names. */
const completeMessages: fc.Arbitrary<DescribedMessage> = fc
  .tuple(messages, fc.array(fc.constantFrom(null, ...uniqueNames), { minLength: 3, maxLength: 3 }))
  .map(([message, owners]) => {
    const namesOf = (owner: string): string[] =>
      wellKnownNames.filter((_name, i) => owners[i] === owner);
    const { sender, destination } = message;
    const owner = destination === null ? -1 : wellKnownNames.indexOf(destination);
    const addressed = owners[owner] ?? destination;
    return {
      ...message,
      senderNames: namesOf(sender),
      destinationNames: addressed === null ? [] : [addressed, ...namesOf(addressed)],
    };
  });

test("every key's verdict is the naive matcher's, and so is the whole", () => {
  const seen: Map<string, number> = new Map();
  let pairs = 0;
  fc.assert(
    fc.property(
      fc.array(rules, { minLength: 1, maxLength: 120, size: "max" }),
      fc.array(completeMessages, { minLength: 1, maxLength: 12, size: "max" }),
      (ruleList, messageList) => {
        const strings = new Strings();
        const index = new SubscriptionIndex(strings);
        const asker = new Asker(strings, index);
        ruleList.forEach((rule, subscriber) => {
          index.add(subscriber, rule);
        });
        for (const message of messageList) {
          const receivers = new Set(asker.ask(message));
          ruleList.forEach((rule, subscriber) => {
            const [explanation, ...others] = asker.explain(subscriber, message);
            if (explanation === undefined || others.length > 0) throw new Error("not one rule");
            expectNaive(explanation, rule, message);
            if (explanation.isMatch !== receivers.has(subscriber)) throw new Error("not the index");
            pairs++;
            for (const { key, verdict } of explanation.keys) {
              const outcome = `${key.replace(/\d+/, "N")} ${verdict.kind}`;
              seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
            }
          });
        }
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 20_000 },
  );
  expect(pairs).toBeGreaterThan(5_000);
  // Every way in which a key can be decided has come about, so a wrong one would have been noticed.
  expect(OUTCOMES.filter((outcome) => (seen.get(outcome) ?? 0) < 20)).toEqual([]);
}, 60_000);

const OUTCOMES = [
  ...["type met", "type different", "sender met", "sender otherSender"],
  ...["interface met", "interface absent", "interface different"],
  ...["member met", "member absent", "member different", "path met", "path absent"],
  ...["path different", "path_namespace met", "path_namespace absent", "path_namespace outside"],
  ...["destination met", "destination broadcast", "destination otherDestination"],
  ...["argN met", "argN noArgument", "argN wrongType", "argN different"],
  ...["argNpath met", "argNpath noArgument", "argNpath wrongType", "argNpath unrelated"],
  ...["argNnamespace met", "argNnamespace noArgument", "argNnamespace wrongType"],
  ...["argNnamespace outside", "eavesdrop met", "eavesdrop unicast", "eavesdrop never"],
];

/** Plain comparisons: `expect` is too slow for as many. */
function expectNaive(explanation: Explanation, rule: MatchRule, message: DescribedMessage): void {
  const { keys, isMatch } = explanation;
  const complain = (what: string): never => {
    throw new Error(`${what}: ${JSON.stringify({ explanation, message })}`);
  };
  if (canonicalText(explanation.rule) !== canonicalText(rule)) complain("another rule");
  if (isMatch !== matches(rule, message)) complain("the whole");
  const names = keys.map(({ key }) => key);
  const isEavesdropDecided = rule.eavesdrop || !matches(keyAlone(rule, "eavesdrop"), message);
  const expected = [...keysOf(rule), ...(isEavesdropDecided ? ["eavesdrop"] : [])];
  if (names.join() !== expected.join()) complain(`the keys should be ${expected}`);
  for (const decided of keys) {
    const isMet = decided.verdict.kind === "met";
    if (isMet !== matches(keyAlone(rule, decided.key), message)) complain(decided.key);
    if (decided.saw !== sawOf(decided.key, message)) complain(`what ${decided.key} saw`);
    if (decided.wanted !== wantedOf(decided.key, rule)) complain(`what ${decided.key} wanted`);
    if (decided.verdict.kind === "noArgument" && decided.verdict.count !== message.args.length)
      complain(`the count of ${decided.key}`);
  }
}

const HEADER_KEYS = ["sender", "interface", "member", "path"] as const;

/** In the order of canonical texts, all but `eavesdrop`. */
function keysOf(rule: MatchRule): string[] {
  return [
    ...(rule.type === 0 ? [] : ["type"]),
    ...HEADER_KEYS.filter((key) => rule[key] !== null),
    ...(rule.pathNamespace === null ? [] : ["path_namespace"]),
    ...(rule.destination === null ? [] : ["destination"]),
    ...rule.args.map(argumentKeyName),
  ];
}

/** A rule with this key only, that eavesdrops unless that is the question. */
function keyAlone(rule: MatchRule, key: string): MatchRule {
  if (key === "eavesdrop") {
    if (rule.eavesdrop) return matchRule({ eavesdrop: true });
    return matchRule({ destination: rule.destination });
  }
  if (key === "path_namespace") {
    return matchRule({ pathNamespace: rule.pathNamespace, eavesdrop: true });
  }
  if (key.startsWith("arg")) {
    const args = rule.args.filter((argument) => argumentKeyName(argument) === key);
    return matchRule({ args, eavesdrop: true });
  }
  const name = key as "type" | "destination" | (typeof HEADER_KEYS)[number]; // the others were above
  return matchRule({ [name]: rule[name], eavesdrop: true });
}

function sawOf(key: string, message: DescribedMessage): string | null {
  if (key === "type") return typeText(message.type);
  if (key === "path_namespace") return message.path;
  if (key === "eavesdrop") return message.destination;
  if (key.startsWith("arg")) {
    const argument = message.args[Number(/\d+/.exec(key)?.[0])];
    return argument === undefined || argument.kind === "other" ? null : argument.value;
  }
  return message[key as "destination" | (typeof HEADER_KEYS)[number]]; // the others were above
}

function wantedOf(key: string, rule: MatchRule): string | null {
  if (key === "type") return typeText(rule.type);
  if (key === "path_namespace") return rule.pathNamespace;
  if (key === "eavesdrop") return String(rule.eavesdrop);
  const argument = rule.args.find((one) => argumentKeyName(one) === key);
  if (argument !== undefined) return argument.value;
  return rule[key as "destination" | (typeof HEADER_KEYS)[number]]; // the others were above
}

function typeText(type: number): string {
  return ["", "method_call", "method_return", "error", "signal"][type] ?? "";
}

function ruleOf(text: string): MatchRule {
  const rule = parseMatchRule(text);
  if ("code" in rule) throw new Error(rule.text);
  return rule;
}

const SIGNAL = {
  type: MessageType.Signal,
  path: "/org/foobar",
  interface: "org.example.Interface",
  member: "Changed",
  sender: ":1.7",
};

function explain(
  text: string,
  header: Partial<Message>,
  body: readonly unknown[],
  senderNames: readonly string[] = [],
): Explanation {
  const bytes = encodeMessage(new Message({ ...SIGNAL, ...header }, body), 1);
  return new Explainer(ruleOf(text)).explain(bytes, { senderNames });
}

/** The verdict that is not "met", in words. */
function reason(explanation: Explanation, ownerOf?: OwnerOf): string {
  const [verdict, ...others] = explanation.keys.filter((key) => key.verdict.kind !== "met");
  expect(others).toEqual([]);
  expect(explanation.isMatch).toBe(verdict === undefined);
  return verdict === undefined ? "met" : `${verdict.key}: ${verdictText(verdict, ownerOf)}`;
}

test.each<[string, string, readonly unknown[], string]>([
  ["type='error'", "", [], "type: another type"],
  ["interface='org.example.Other'", "", [], "interface: another interface"],
  ["member='changed'", "", [], "member: another member: upper and lower case differ"],
  ["path='/org'", "", [], "path: another path: it is below that, which path_namespace would match"],
  ["path='/org/foobar/child'", "", [], "path: another path: it is above that, not below"],
  [
    "path_namespace='/org/foo'",
    "",
    [],
    "path_namespace: not below it: a namespace ends at a slash",
  ],
  [
    "path_namespace='/org/foobar/a'",
    "",
    [],
    "path_namespace: not below it: it is above that, not below",
  ],
  ["path_namespace='/elsewhere'", "", [], "path_namespace: not below it"],
  ["path_namespace='/org'", "", [], "met"],
  ["arg0='a'", "", [], "arg0: the message has no arguments"],
  ["arg1='a'", "s", ["a"], "arg1: the message has only 1 argument"],
  ["arg5='a'", "sas", ["a", []], "arg5: the message has only 2 arguments"],
  ["arg0='a'", "u", [1], "arg0: argument 0 is of type u, not a string"],
  ["arg1='a'", "sa{sv}", ["a", new Map()], "arg1: argument 1 is of type a{sv}, not a string"],
  [
    "arg0='/a'",
    "o",
    ["/a"],
    "arg0: argument 0 is an object path (o), not a string: arg0path compares both",
  ],
  ["arg0path='/a'", "u", [1], "arg0path: argument 0 is of type u, not a string or object path"],
  [
    "arg0namespace='a'",
    "o",
    ["/a"],
    "arg0namespace: argument 0 is an object path (o), not a string",
  ],
  ["arg0='a'", "s", ["b"], "arg0: another text"],
  ["arg0='a'", "s", ["A"], "arg0: another text: upper and lower case differ"],
  ["arg0='a '", "s", ["a"], "arg0: another text: white space differs"],
  ["arg0='/a/'", "s", ["/a"], "arg0: another text: only the slash at the end differs"],
  [
    "arg0='org.a'",
    "s",
    ["org.a.b"],
    "arg0: another text: it is below that, which arg0namespace would match",
  ],
  ["arg1='org.a'", "ss", ["", "org.a.b"], "arg1: another text: it is below that"],
  [
    "arg2='/org/a'",
    "sss",
    ["", "", "/org/a/b"],
    "arg2: another text: it is below that, which arg2path='/org/a/' would match",
  ],
  [
    "arg0path='/org/a'",
    "s",
    ["/org/a/b"],
    "arg0path: neither ends with a slash and is above the other: it is below that, which arg0path='/org/a/' would match",
  ],
  ["arg0path='/org/a/'", "s", ["/org/a/b"], "met"],
  [
    "arg0namespace='org.a'",
    "s",
    ["org.ab"],
    "arg0namespace: not below it: a namespace ends at a dot",
  ],
  [
    "arg0namespace='org.a.b'",
    "s",
    ["org.a"],
    "arg0namespace: not below it: it is above that, not below",
  ],
  ["arg0namespace='org'", "s", ["org.a"], "met"],
  ["sender=':1.8'", "", [], "sender: another connection; the sender owns org.example.Mine"],
  ["sender='org.example.Mine'", "", [], "met"],
  ["destination=':1.7',eavesdrop='true'", "", [], "destination: the message has no destination"],
])("%s and (%s)", (rule, signature, body, expected) => {
  expect(reason(explain(rule, { signature }, body, ["org.example.Mine"]))).toBe(expected);
});

test("who owns the name of a sender is said, as far as it is known", () => {
  const explanation = explain("sender='org.example.Name'", {}, []);
  expect(reason(explanation, () => ":1.5")).toBe("sender: org.example.Name is owned by :1.5");
  expect(reason(explanation, () => null)).toBe("sender: org.example.Name is owned by nobody");
  expect(reason(explanation)).toBe("sender: the sender is not known to own org.example.Name");
  expect(explanation.keys[0]).toEqual({
    ...{ key: "sender", wanted: "org.example.Name", saw: ":1.7" },
    verdict: { kind: "otherSender", owned: [] },
  });
  expect(reason(explain("sender='a.b'", { sender: "org.freedesktop.DBus" }, []))).toBe(
    "sender: the bus itself sent it",
  );
  expect(reason(explain("sender=':1.7'", { sender: null }, []))).toBe(
    "sender: the message does not say who sent it",
  );
});

test("of many names of a sender the first are named", () => {
  const names = ["a.a", "a.b", "a.c", "a.d", "a.e", "a.f"];
  expect(reason(explain("sender=':1.8'", {}, [], names))).toBe(
    "sender: another connection; the sender owns a.a, a.b, a.c, a.d and 2 more",
  );
});

test("unicasts are for those who eavesdrop", () => {
  const unicast = { destination: "org.example.Name" };
  expect(reason(explain("member='Changed'", unicast, []))).toBe(
    "eavesdrop: the message is for one connection: of the others, only those with eavesdrop='true' get it",
  );
  expect(reason(explain("member='Changed',eavesdrop='true'", unicast, []))).toBe("met");
  expect(reason(explain("destination='org.example.Name',eavesdrop='true'", unicast, []))).toBe(
    "met",
  );
  expect(reason(explain("destination=':1.9',eavesdrop='true'", unicast, []))).toBe(
    "destination: the message is for a connection without that name",
  );
  expect(reason(explain("destination='org.example.Name'", unicast, []))).toBe(
    "eavesdrop: a rule with destination and without eavesdrop='true' matches nothing",
  );
  const names = { destinationNames: [":1.9"] };
  const bytes = encodeMessage(new Message({ ...SIGNAL, ...unicast }, []), 1);
  const explainer = new Explainer(ruleOf("destination=':1.9',eavesdrop='true'"));
  expect(explainer.explain(bytes, names).isMatch).toBe(true);
});

test("a reply has no path, interface and member", () => {
  const header = { type: MessageType.MethodReturn, replySerial: 1, destination: ":1.1" };
  const bare = { ...header, path: null, interface: null, member: null };
  const verdicts = (text: string): string[] =>
    explain(`${text},eavesdrop='true'`, bare, []).keys.map((key) => verdictText(key));
  expect(verdicts("interface='a.b',member='M',path='/'")).toEqual([
    ...["the message has no interface", "the message has no member", "the message has no path", ""],
  ]);
  expect(verdicts("path_namespace='/'")).toEqual(["the message has no path", ""]);
});

test("messages are explained in any byte order, with unknown fields, one after another", () => {
  const explainer = new Explainer(ruleOf("sender=':1.7',member='Changed',arg1='x'"));
  const args = [["(ys)", [7, "a"]] as const, ["s", "x"] as const];
  const known = { ...SIGNAL, serial: 1, args };
  for (const isBigEndian of [false, true, false]) {
    const bytes = rawMessage({ ...known, isBigEndian });
    expect(explainer.explain(bytes).isMatch).toBe(true);
    const other = rawMessage({ ...known, isBigEndian, member: "Other" });
    expect(explainer.explain(other).isMatch).toBe(false);
    expect(explainer.explain(withUnknownField(bytes, isBigEndian)).isMatch).toBe(true);
    const moved = rawMessage({
      ...known,
      isBigEndian,
      args: [
        ["s", "long text"],
        ["s", "y"],
      ],
    });
    expect(explainer.explain(moved).keys[2]).toMatchObject({ key: "arg1", saw: "y" });
  }
});

/** The same with a field of code 200 in front of the others: an empty string. */
function withUnknownField(bytes: Uint8Array, isBigEndian: boolean): Uint8Array {
  const field = [200, 1, 0x73, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const changed = Uint8Array.from([...bytes.subarray(0, 16), ...field, ...bytes.subarray(16)]);
  const view = new DataView(changed.buffer);
  view.setUint32(12, view.getUint32(12, !isBigEndian) + field.length, !isBigEndian);
  return changed;
}

test("a rule without keys is explained by having none", () => {
  expect(explain("", {}, [])).toEqual({ rule: matchRule({}), isMatch: true, keys: [] });
});

test("texts are given in full", () => {
  const long = "x".repeat(100_000);
  const [verdict] = explain("arg0='x'", { signature: "s" }, [long]).keys;
  expect(verdict).toEqual({
    ...{ key: "arg0", wanted: "x", saw: long },
    verdict: { kind: "different", nearMiss: null },
  });
  const path = `/${"x".repeat(5000)}`;
  expect(explain("path='/x'", { path }, []).keys[0]).toMatchObject({ saw: path });
  expect(explain("path_namespace='/'", { path }, []).isMatch).toBe(true);
});

test("all distinct rules of a subscriber are explained, once each", () => {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  const texts = [
    "",
    "eavesdrop='true'",
    "destination=':1.1'",
    "destination=':1.1',eavesdrop='true'",
  ];
  for (const text of [...texts, ...texts]) index.add(3, ruleOf(text));
  index.add(4, ruleOf("member='M'"));
  const asker = new Asker(strings, index);
  const explained = (destination: string | null): string[] => {
    const message = {
      ...EMPTY,
      destination,
      destinationNames: destination === null ? [] : [":1.1"],
    };
    return asker
      .explain(3, message)
      .map(({ rule, isMatch }) => `${canonicalText(rule)} ${isMatch}`);
  };
  const lines = (...verdicts: boolean[]): string[] =>
    texts.map((text, i) => `${text} ${verdicts[i]}`);
  expect(explained(null).sort()).toEqual(lines(true, true, false, false).sort());
  expect(explained(":1.1").sort()).toEqual(lines(false, true, false, true).sort());
  expect(asker.explain(99, EMPTY)).toEqual([]);
});

const EMPTY: DescribedMessage = {
  ...{ type: 4, sender: ":1.1", senderNames: [], destination: null, destinationNames: [] },
  ...{ path: "/", interface: "a.b", member: "C", args: [] },
};
