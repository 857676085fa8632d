/** Why a message matches a stored rule, or does not: each key's verdict, by the index's own structures. */

import { Buffer } from "node:buffer";
import { ARGUMENT_OTHER, type Arguments } from "../wire/args.ts";
import type { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { parseSignature } from "../wire/signature.ts";
import { argumentKeyName, typeName } from "./canonical.ts";
import { describeRule } from "./describe.ts";
import { BROADCAST, DORMANT, RULE_KIND } from "./layout.ts";
import type { MessageKeys } from "./message-keys.ts";
import { type NearMiss, nearMiss } from "./near-miss.ts";
import type { Predicates } from "./predicate.ts";
import { cell } from "./records.ts";
import type { MatchRule } from "./rule.ts";
import {
  KIND_EAVESDROPS,
  KIND_TYPE,
  PREFIX_ARGUMENT,
  PREFIX_NAME,
  PREFIX_PATH,
} from "./rule-keys.ts";
import { type StoredKey, storedKeys } from "./stored-keys.ts";

/** How one key was decided. */
export type Verdict =
  | { readonly kind: "met" }
  /** The header has no such field. */
  | { readonly kind: "absent" }
  | { readonly kind: "different"; readonly nearMiss: NearMiss | null }
  /** Of `path_namespace` and `arg0namespace`: not the namespace, and not below it. */
  | { readonly kind: "outside"; readonly nearMiss: NearMiss | null }
  /** Of `argNpath`: not equal, and none of both ends with a slash and is above the other one. */
  | { readonly kind: "unrelated"; readonly nearMiss: NearMiss | null }
  /** The message has only `count` arguments. */
  | { readonly kind: "noArgument"; readonly count: number }
  /** The argument is of a type that the key does not compare. */
  | { readonly kind: "wrongType"; readonly signature: string }
  /** The sender neither is nor owns the name; it owns `owned`, as far as anybody said. */
  | { readonly kind: "otherSender"; readonly owned: readonly string[] }
  /** The connection that the message is for has not the name. */
  | { readonly kind: "otherDestination" }
  /** A `destination` is wanted, and the message has none. */
  | { readonly kind: "broadcast" }
  /** The message is for one connection, and the rule does not eavesdrop. */
  | { readonly kind: "unicast" }
  /** The rule has a `destination` and does not eavesdrop: nothing matches it. */
  | { readonly kind: "never" };

/** One key of a rule, and what became of it. */
export interface KeyVerdict {
  /**
   * As in rules: `type`, `arg0path`. `eavesdrop` is among them when the rule has it, and also when it has not
   * and that decides.
   */
  readonly key: string;
  readonly wanted: string;
  /** What the message has, in full; `null`: nothing that could be compared. */
  readonly saw: string | null;
  readonly verdict: Verdict;
}

/** A rule and a message. */
export interface Explanation {
  readonly rule: MatchRule;
  /** Every key is met. */
  readonly isMatch: boolean;
  /** In the order of canonical texts. */
  readonly keys: readonly KeyVerdict[];
}

/** A message and the bus at that moment, as `SubscriptionIndex.match` is asked about them. */
export interface MatchQuestion {
  readonly header: Header;
  readonly args: Arguments;
  readonly senders: Int32Array;
  readonly isUnicast: boolean;
  readonly destinations: Int32Array;
}

const MET: Verdict = { kind: "met" };

/** Explains one stored rule to the message that `MessageKeys` has begun on. */
export class RuleReader {
  readonly #strings: Strings;
  readonly #predicates: Predicates;
  readonly #message: MessageKeys;
  readonly #question: MatchQuestion;
  readonly #number: number;

  /** `number` is the message's, as predicates know it. */
  constructor(
    strings: Strings,
    predicates: Predicates,
    message: MessageKeys,
    question: MatchQuestion,
    number: number,
  ) {
    this.#strings = strings;
    this.#predicates = predicates;
    this.#message = message;
    this.#question = question;
    this.#number = number;
  }

  /** The rule at `rule` of `cells`, which is in `family`. */
  explain(cells: Int32Array, rule: number, family: number): Explanation {
    const keys = storedKeys(cells, rule, this.#predicates).map((key) => this.#key(key));
    const kind = cell(cells, rule + RULE_KIND);
    const type = this.#type(kind & KIND_TYPE);
    if (type !== null) keys.unshift(type);
    const eavesdrop = this.#eavesdrop(family, (kind & KIND_EAVESDROPS) !== 0);
    if (eavesdrop !== null) keys.push(eavesdrop);
    return {
      rule: describeRule(cells, rule, this.#strings, this.#predicates),
      isMatch: keys.every(({ verdict }) => verdict.kind === "met"),
      keys,
    };
  }

  #type(wanted: number): KeyVerdict | null {
    if (wanted === 0) return null;
    const { type } = this.#question.header;
    const verdict: Verdict = wanted === type ? MET : { kind: "different", nearMiss: null };
    return { key: "type", wanted: typeName(wanted), saw: typeName(type), verdict };
  }

  /** Is the rule in a family that is asked about such messages at all? */
  #eavesdrop(family: number, eavesdrops: boolean): KeyVerdict | null {
    const saw = this.#destination();
    const verdict = (isMet: Verdict): KeyVerdict => ({
      key: "eavesdrop",
      wanted: String(eavesdrops),
      saw,
      verdict: isMet,
    });
    if (family === DORMANT) return verdict({ kind: "never" });
    if (family === BROADCAST && this.#question.isUnicast) {
      return verdict({ kind: "unicast" });
    }
    return eavesdrops ? verdict(MET) : null;
  }

  #key(key: StoredKey): KeyVerdict {
    const wanted = this.#strings.textOf(key.value);
    const saw = this.#saw(key);
    const verdict = this.#isMet(key) ? MET : this.#whyNot(key, wanted, saw);
    const name = key.name === "argument" ? argumentKeyName(key) : key.name;
    return { key: name, wanted, saw, verdict };
  }

  /** As the index decides it: the probe that would have to meet the rule's bucket, or its predicate. */
  #isMet(key: StoredKey): boolean {
    const { header } = this.#question;
    if (key.predicate !== 0) {
      return this.#predicates.holds(key.predicate, this.#message, this.#number);
    }
    switch (key.name) {
      case "sender":
        return this.#question.senders.includes(key.value);
      case "interface":
        return header.interface === key.value;
      case "member":
        return header.member === key.value;
      case "path":
        return header.path === key.value;
      case "path_namespace":
        return this.#hasPrefix(PREFIX_PATH, key.value);
      case "argument":
        if (key.kind === "string") return this.#message.argumentId(key.index) === key.value;
        if (key.kind === "namespace") return this.#hasPrefix(PREFIX_NAME, key.value);
        return this.#hasPrefix(PREFIX_ARGUMENT + key.index, key.value);
      case "destination":
        // Never hashed.
        return false;
    }
  }

  #hasPrefix(prefix: number, value: number): boolean {
    const count = this.#message.findPrefixes(prefix);
    return this.#message.prefixesOf(prefix).subarray(0, count).includes(value);
  }

  #saw(key: StoredKey): string | null {
    const { header, senders } = this.#question;
    switch (key.name) {
      case "sender":
        return this.#text(senders[0] ?? 0);
      case "interface":
        return this.#text(header.interface);
      case "member":
        return this.#text(header.member);
      case "path":
      case "path_namespace":
        return header.path === 0 ? null : this.#bytes(header.pathOffset, header.pathLength);
      case "destination":
        return this.#destination();
      case "argument": {
        const { args } = this.#question;
        if (args.type(key.index) === ARGUMENT_OTHER) return null;
        return this.#bytes(args.offset(key.index), args.length(key.index));
      }
    }
  }

  #whyNot(key: StoredKey, wanted: string, saw: string | null): Verdict {
    switch (key.name) {
      case "sender": {
        const owned = Array.from(this.#question.senders.subarray(1), (id) =>
          this.#strings.textOf(id),
        );
        return { kind: "otherSender", owned };
      }
      case "destination":
        return { kind: this.#question.isUnicast ? "otherDestination" : "broadcast" };
      case "argument":
        return this.#whyNotArgument(key, wanted, saw);
      case "path_namespace":
        if (saw === null) return { kind: "absent" };
        return { kind: "outside", nearMiss: nearMiss(wanted, saw, true) };
      default:
        if (saw === null) return { kind: "absent" };
        return { kind: "different", nearMiss: nearMiss(wanted, saw, false) };
    }
  }

  #whyNotArgument({ index, kind }: StoredKey, wanted: string, saw: string | null): Verdict {
    const types = parseSignature(this.#text(this.#question.header.signature) ?? "");
    const type = types[index];
    if (type === undefined) return { kind: "noArgument", count: types.length };
    const isCompared = type.code === "s" || (type.code === "o" && kind === "path");
    if (saw === null || !isCompared) return { kind: "wrongType", signature: type.signature };
    switch (kind) {
      case "string":
        return { kind: "different", nearMiss: nearMiss(wanted, saw, false) };
      case "namespace":
        return { kind: "outside", nearMiss: nearMiss(wanted, saw, true) };
      case "path":
        return { kind: "unrelated", nearMiss: nearMiss(wanted, saw, false) };
    }
  }

  #destination(): string | null {
    return this.#text(this.#question.header.destination);
  }

  #text(id: number): string | null {
    return id === 0 ? null : this.#strings.textOf(id);
  }

  #bytes(offset: number, length: number): string {
    const { buffer } = this.#question.header.memory;
    return Buffer.from(buffer, offset, length).toString("utf8");
  }
}
