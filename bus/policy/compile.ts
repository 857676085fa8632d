/** From rules and credentials to snapshots: who is judged by which rules. */

import type { Strings } from "../../wire/intern.ts";
import { type Accounts, noAccounts } from "./accounts.ts";
import { MentionedStrings } from "./mentioned-strings.ts";
import { MessageRule } from "./message-rule.ts";
import { NameMentions } from "./name-mentions.ts";
import { OwnIndex } from "./own-index.ts";
import type { Policy } from "./policy.ts";
import { RuleIndex } from "./rule-index.ts";
import type { ConnectRule, OwnRule, PolicyContext } from "./rules.ts";
import { type Judgement, judgementOf, Snapshot } from "./snapshot.ts";

/** A peer, as far as policies ask. Null is unknown. */
export interface Identity {
  readonly userId: number | null;
  /** Those of its process when it connected; asked for only if a rule is about a group. */
  groups(): readonly number[] | null;
}

/** A rule that is asked about messages or names. */
type PeerRule = MessageRule | OwnRule;

interface Counted {
  readonly snapshot: Snapshot;
  users: number;
}

/**
 * A policy whose rules have been looked at once; peers get snapshots of it. Peers whom the same rules hold for share
 * one, and it goes with the last of them.
 */
export class CompiledPolicy {
  readonly names: NameMentions = new NameMentions();
  readonly strings: MentionedStrings;
  /** Is there nothing that it would refuse or tell about messages, whoever sends or receives them? */
  readonly allowsAllMessages: boolean;
  readonly #accounts: Accounts;
  readonly #rules: ReadonlyMap<string, readonly PeerRule[]>;
  readonly #connect: readonly ConnectRule[];
  readonly #hasGroups: boolean;
  readonly #shared: Map<string, Counted> = new Map();
  readonly #keys: Map<Snapshot, string> = new Map();

  constructor({ rules, accounts }: Policy, strings: Strings) {
    this.strings = new MentionedStrings(strings);
    this.#accounts = accounts ?? noAccounts;
    const compiled = new Map<string, PeerRule[]>();
    const connect: ConnectRule[] = [];
    for (const rule of rules) {
      if (rule.subject === "connect") {
        connect.push(rule);
        continue;
      }
      const peerRule =
        rule.subject === "own" ? rule : new MessageRule(rule, this.strings, this.names);
      const key = keyOf(rule.context);
      const others = compiled.get(key);
      if (others === undefined) compiled.set(key, [peerRule]);
      else others.push(peerRule);
    }
    this.#rules = compiled;
    this.#connect = ["default", "mandatory"].flatMap((kind) =>
      connect.filter((rule) => rule.context.kind === kind),
    );
    this.#hasGroups = [...compiled.keys()].some((key) => key.startsWith("group "));
    this.allowsAllMessages = allowsAllMessages(compiled);
  }

  /** How many different snapshots are in use. */
  get snapshotCount(): number {
    return this.#shared.size;
  }

  /** The snapshot for a peer, counted; to be given back by `giveBack`. */
  snapshotFor(identity: Identity): Snapshot {
    const contexts = this.#contextsOf(identity).filter((key) => this.#rules.has(key));
    const key = contexts.join(", ");
    const shared = this.#shared.get(key);
    if (shared !== undefined) {
      shared.users++;
      return shared.snapshot;
    }
    const snapshot = snapshotOf(contexts.flatMap((context) => this.#rules.get(context) ?? []));
    this.#shared.set(key, { snapshot, users: 1 });
    this.#keys.set(snapshot, key);
    return snapshot;
  }

  giveBack(snapshot: Snapshot): void {
    const key = this.#keys.get(snapshot) ?? "";
    const shared = this.#shared.get(key);
    if (shared === undefined || --shared.users > 0) return;
    this.#shared.delete(key);
    this.#keys.delete(snapshot);
  }

  /**
   * May a user connect? By default only the user that runs the bus (`isOwner`), not even root. As in dbus-daemon, the
   * groups that count are those of the user database, and others who are not in it may not connect at all.
   */
  mayConnect(userId: number, isOwner: boolean): Judgement<ConnectRule> {
    const accounts = this.#accounts;
    if (!isOwner && !accounts.isKnown(userId)) {
      return { isAllowed: false, decidedBy: null, fitting: [] };
    }
    const fits = ({ who, id }: ConnectRule): boolean =>
      id === null || (who === "user" ? id === userId : accounts.groupsOf(userId).includes(id));
    const judgement = judgementOf(this.#connect.filter(fits));
    return judgement.decidedBy === null ? { ...judgement, isAllowed: isOwner } : judgement;
  }

  /** The policy is not used any more. */
  release(): void {
    this.strings.release();
  }

  /** Keys of the contexts that count for a peer, in the order of application. */
  #contextsOf({ userId, groups }: Identity): string[] {
    const keys = [keyOf({ kind: "default" })];
    if (this.#hasGroups) {
      const ids = groups() ?? (userId === null ? [] : this.#accounts.groupsOf(userId));
      const ascending = [...new Set(ids)].sort((one, other) => one - other);
      for (const groupId of ascending) keys.push(keyOf({ kind: "group", groupId }));
    }
    if (userId !== null) {
      keys.push(keyOf({ kind: "user", userId }));
      const isAsked = [true, false].some((isAtConsole) =>
        this.#rules.has(keyOf({ kind: "console", isAtConsole })),
      );
      if (isAsked) {
        keys.push(keyOf({ kind: "console", isAtConsole: this.#accounts.isAtConsole(userId) }));
      }
    }
    keys.push(keyOf({ kind: "mandatory" }));
    return keys;
  }
}

function keyOf(context: PolicyContext): string {
  switch (context.kind) {
    case "group":
      return `group ${context.groupId}`;
    case "user":
      return `user ${context.userId}`;
    case "console":
      return context.isAtConsole ? "at console" : "not at console";
    default:
      return context.kind;
  }
}

/** `rules` in the order of application. */
function snapshotOf(rules: readonly PeerRule[]): Snapshot {
  const send: MessageRule[] = [];
  const receive: MessageRule[] = [];
  const own: OwnRule[] = [];
  for (const rule of rules) {
    if (rule instanceof MessageRule) {
      const list = rule.isAboutSending ? send : receive;
      if (rule.overridesAll) list.length = 0;
      list.push(rule);
    } else {
      if (rule.name === null) own.length = 0;
      own.push(rule);
    }
  }
  return new Snapshot(new RuleIndex(send), new RuleIndex(receive), new OwnIndex(own));
}

/** Is there a rule for everybody that allows all messages, and none that could override or forget it? */
function allowsAllMessages(rules: ReadonlyMap<string, readonly PeerRule[]>): boolean {
  const isForAll = (key: string): boolean => key === "default" || key === "mandatory";
  const keys = ["default", ...[...rules.keys()].filter((key) => !isForAll(key)), "mandatory"];
  const inOrder = keys.flatMap((key) => rules.get(key) ?? []);
  return [true, false].every((isAboutSending) => {
    const some = inOrder.filter(
      (rule): rule is MessageRule =>
        rule instanceof MessageRule && rule.isAboutSending === isAboutSending,
    );
    const at = some.findLastIndex(
      ({ allowsEverything, source }) => allowsEverything && isForAll(source.context.kind),
    );
    return at >= 0 && some.slice(at).every(({ allowsEverything }) => allowsEverything);
  });
}
