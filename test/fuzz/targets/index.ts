/** Target: rules that come and go, names that change hands, messages: the index against the naive matcher. */

import { canonicalText } from "../../../matchrules/canonical.ts";
import {
  type DescribedArgument,
  type DescribedMessage,
  matches,
} from "../../../matchrules/match.ts";
import { parseMatchRule } from "../../../matchrules/parse.ts";
import type { MatchRule } from "../../../matchrules/rule.ts";
import { SubscriptionIndex } from "../../../matchrules/subscription-index.ts";
import { Strings } from "../../../wire/intern.ts";
import { isInterfaceName, isMemberName } from "../../../wire/names.ts";
import { isObjectPath } from "../../../wire/object-path.ts";
import { LOCAL_INTERFACE, LOCAL_PATH } from "../../../wire/protocol.ts";
import { Asker } from "../../matchrules/asker.ts";
import { linesOf, mutateLines } from "../mutate-lines.ts";
import type { Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { heldStrings } from "./held-strings.ts";
import {
  DRIVER,
  INTERFACES,
  MEMBERS,
  PATHS,
  RULE_WORDS,
  randomRule,
  TEXTS,
  UNIQUE_NAMES,
  WELL_KNOWN_NAMES,
} from "./rule-words.ts";

const MAXIMUM_BYTES = 16_000;
const SUBSCRIBERS = 8;

/** A step per line: `add 3 RULE`, `remove 3 RULE`, `leave 3`, `own a.b :1.1`, `send KEY=VALUE …`. */
function newLine(random: Random): string {
  const subscriber = random.below(SUBSCRIBERS);
  switch (random.below(9)) {
    case 0:
      return `remove ${subscriber} ${randomRule(random)}`;
    case 1:
      return random.below(3) === 0
        ? `leave ${subscriber}`
        : `own ${random.pick(WELL_KNOWN_NAMES)} ${random.pick([...UNIQUE_NAMES, "-"])}`;
    case 2:
    case 3:
    case 4:
      return `add ${subscriber} ${randomRule(random)}`;
    default:
      return randomMessage(random);
  }
}

function randomMessage(random: Random): string {
  const args = Array.from({ length: random.pick([0, 1, 2, 3, 33, 64]) }, () => {
    const kind = random.pick(["s", "s", "s", "o", "u"]);
    return `${kind}:${random.pick(kind === "o" ? PATHS : TEXTS)}`;
  });
  const parts = [
    `type=${random.pick([1, 2, 3, 4, 4, 4, 4])}`,
    `sender=${random.pick([...UNIQUE_NAMES, DRIVER])}`,
    `path=${random.pick([...PATHS, "/a/b/c/d", "/abc"])}`,
    `interface=${random.pick(INTERFACES)}`,
    `member=${random.pick(MEMBERS)}`,
  ];
  if (random.below(4) === 0) {
    parts.push(`destination=${random.pick([...UNIQUE_NAMES, ...WELL_KNOWN_NAMES])}`);
  }
  if (args.length > 0) parts.push(`args=${args.join(";")}`);
  return `send ${parts.join(" ")}`;
}

export function indexTarget(): Target {
  const strings = new Strings();
  const index = new SubscriptionIndex(strings);
  const asker = new Asker(strings, index);
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 100_000, perByte: 4000 },
    mutate: (input, other, random) =>
      mutateLines(input, other, random, newLine, RULE_WORDS, MAXIMUM_BYTES),
    run: (input) => new Program(index, asker).run(linesOf(input)),
    settle: () => {
      const held = heldStrings(strings);
      must(held === 0, `${held} strings are held though there are no rules`);
    },
  };
}

interface Held {
  readonly subscriber: number;
  readonly rule: MatchRule;
  readonly text: string;
}

class Program {
  readonly #index: SubscriptionIndex;
  readonly #asker: Asker;
  readonly #owners: Map<string, string> = new Map();
  #held: Held[] = [];

  constructor(index: SubscriptionIndex, asker: Asker) {
    this.#index = index;
    this.#asker = asker;
  }

  run(lines: readonly string[]): void {
    for (const line of lines) {
      this.#step(line);
      must(this.#index.ruleCount === this.#held.length, `${line}: ${this.#index.ruleCount} rules`);
    }
    for (let subscriber = 0; subscriber < SUBSCRIBERS; subscriber++) {
      const texts = this.#held
        .filter((one) => one.subscriber === subscriber)
        .map(({ text }) => text);
      const got = this.#index.rulesOf(subscriber);
      must(
        JSON.stringify(got.sort()) === JSON.stringify(texts.sort()),
        `subscriber ${subscriber} should have ${texts.join(" | ")}, not ${got.join(" | ")}`,
      );
      this.#index.removeSubscriber(subscriber);
    }
    const { rules, distinctRules, predicates, broadcast, eavesdropping } = this.#index.statistics();
    must(
      rules + distinctRules + predicates + broadcast.length + eavesdropping.length === 0,
      `the index is not empty: ${JSON.stringify(this.#index.statistics())}`,
    );
  }

  #step(line: string): void {
    const [verb, subscriberText = ""] = line.split(" ", 2);
    const rest = line.slice(`${verb} ${subscriberText} `.length);
    const subscriber = Number(subscriberText);
    if (verb === "send") {
      const message = messageOf(line);
      if (message !== null) this.#send(line, message);
    } else if (verb === "own" && WELL_KNOWN_NAMES.includes(subscriberText)) {
      this.#owners.set(subscriberText, rest);
    } else if (Number.isInteger(subscriber) && subscriber >= 0 && subscriber < SUBSCRIBERS) {
      if (verb === "leave") this.#leave(subscriber);
      else if (verb === "add" || verb === "remove") this.#change(verb, subscriber, rest);
    }
  }

  #leave(subscriber: number): void {
    this.#index.removeSubscriber(subscriber);
    this.#held = this.#held.filter((one) => one.subscriber !== subscriber);
  }

  #change(verb: "add" | "remove", subscriber: number, words: string): void {
    const rule = parseMatchRule(Buffer.from(words, "latin1").toString("utf8"));
    if ("code" in rule) return;
    const text = canonicalText(rule);
    if (verb === "add") {
      this.#index.add(subscriber, rule);
      this.#held.push({ subscriber, rule, text });
      return;
    }
    const at = this.#held.findIndex((one) => one.subscriber === subscriber && one.text === text);
    const isRemoved = this.#index.remove(subscriber, rule);
    must(isRemoved === at >= 0, `removing ${text} of ${subscriber} says ${isRemoved}`);
    if (at >= 0) this.#held.splice(at, 1);
  }

  #send(line: string, message: DescribedMessage): void {
    const { sender, destination } = message;
    const addressed = destination === null ? null : (this.#owners.get(destination) ?? destination);
    const complete = {
      ...message,
      senderNames: this.#namesOf(sender),
      destinationNames: addressed === null ? [] : [addressed, ...this.#namesOf(addressed)],
    };
    const matching = this.#held.filter(({ rule }) => matches(rule, complete));
    const expected = [...new Set(matching.map(({ subscriber }) => subscriber))].sort(
      (a, b) => a - b,
    );
    const found = this.#asker.ask(complete);
    must(found.join() === expected.join(), `${line}: goes to [${found}] instead of [${expected}]`);
  }

  #namesOf(owner: string): string[] {
    return WELL_KNOWN_NAMES.filter((name) => this.#owners.get(name) === owner);
  }
}

/** What a `send` line describes; null if it is no message that a header could carry. */
function messageOf(line: string): DescribedMessage | null {
  const parts = new Map(
    line
      .split(" ")
      .slice(1)
      .map((part) => part.split(/=(.*)/s, 2) as [string, string]), // split in two
  );
  const type = Number(parts.get("type"));
  const sender = parts.get("sender") ?? "";
  const path = parts.get("path") ?? "";
  const named = parts.get("interface") ?? "";
  const member = parts.get("member") ?? "";
  const destination = parts.get("destination") ?? null;
  if (![1, 2, 3, 4].includes(type) || ![...UNIQUE_NAMES, DRIVER].includes(sender)) return null;
  if (!isObjectPath(path) || !isInterfaceName(named) || !isMemberName(member)) return null;
  // These are the library's own.
  if (path === LOCAL_PATH || named === LOCAL_INTERFACE) return null;
  if (destination !== null && ![...UNIQUE_NAMES, ...WELL_KNOWN_NAMES].includes(destination))
    return null;
  const args = (parts.get("args") ?? "").split(";").filter(Boolean).slice(0, 70).map(argumentOf);
  if (args.some((one) => one === null)) return null;
  return {
    ...{ type, sender, senderNames: [], destination, destinationNames: [], path, member },
    interface: named,
    args: args as DescribedArgument[], // none is null
  };
}

function argumentOf(text: string): DescribedArgument | null {
  const value = Buffer.from(text.slice(2), "latin1").toString("utf8");
  if (text.startsWith("s:")) return value.includes("\0") ? null : { kind: "string", value };
  if (text.startsWith("o:")) return isObjectPath(value) ? { kind: "path", value } : null;
  return { kind: "other" };
}
