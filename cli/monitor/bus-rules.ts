/** What of a filter the bus is asked to do, so that not every message has to come here. */

import { canonicalText } from "../../matchrules/canonical.ts";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { DRIVER_NAME, Limit, MessageType } from "../../wire/protocol.ts";
import type { FilterOptions } from "./filter.ts";

/** More rules cost the bus more than the messages do that they keep away. */
const MAXIMUM_RULES = 64;

const { MethodCall, MethodReturn, Error: ErrorReply, Signal } = MessageType;
const EVERYTHING = matchRule({});
const OWNER_CHANGES = matchRule({
  type: Signal,
  sender: DRIVER_NAME,
  interface: DRIVER_NAME,
  member: "NameOwnerChanged",
});

/**
 * Rules for BecomeMonitor by which at least all messages come that the filter shows, the calls that these answer,
 * and the changes of owners; none: all messages.
 *
 * By type, path, interface, member and arguments, but never by name: buses differ in what a name means in the
 * rule of a monitor (dbus-broker mixes senders up, dbus-daemon does not know names that nobody owns), and a reply
 * carries unique names only, which may have stopped to own the name that the call was for.
 */
export function busRules(options: FilterOptions): string[] {
  const rules = [OWNER_CHANGES, ...wantedRules(options)];
  if (rules.includes(EVERYTHING)) return [];
  const texts = [...new Set(rules.map(canonicalText))];
  const isTooMuch =
    texts.length > MAXIMUM_RULES ||
    texts.some((text) => Buffer.byteLength(text) > Limit.matchRuleBytes);
  return isTooMuch ? busRules({ ...options, ...WITHOUT_KEYS }) : texts;
}

const WITHOUT_KEYS = { paths: [], pathNamespaces: [], interfaces: [], members: [], rules: [] };

function wantedRules(options: FilterOptions): MatchRule[] {
  const types = typesOf(options);
  const keys = options.rules.length === 0 ? optionKeys(options) : options.rules.map(ruleKeys);
  const addressed = (type: MessageType): MatchRule[] =>
    keys.map((key) => matchRule({ ...key, type }));
  const signals = types.has(Signal) ? addressed(Signal) : [];
  if (![...types].some((type) => type !== Signal)) return signals;
  if (types.has(Signal) && keys.some((key) => isWithoutKeys(matchRule(key)))) return [EVERYTHING];
  // Calls and replies need each other to be understood: which call was answered, and which was not.
  const replies = [MethodReturn, ErrorReply].map((type) => matchRule({ type }));
  return [...addressed(MethodCall), ...signals, ...replies];
}

/** Types of messages that the filter may show. */
function typesOf({ types, errors, rules }: FilterOptions): ReadonlySet<MessageType> {
  if (errors.length > 0) return new Set([ErrorReply]);
  if (types.length > 0) return new Set(types);
  const ruleTypes = rules.flatMap(({ type }) => (type === 0 ? [] : [type]));
  const isEach = rules.length > 0 && ruleTypes.length === rules.length;
  return new Set(isEach ? ruleTypes : [MethodCall, MethodReturn, ErrorReply, Signal]);
}

type Keys = Partial<MatchRule>;

/** One for each combination of a path, an interface and a member. */
function optionKeys({ paths, pathNamespaces, interfaces, members }: FilterOptions): Keys[] {
  const atPath: Keys[] = [
    ...paths.map((path) => ({ path })),
    // dbus-broker has nothing within "/".
    ...pathNamespaces.map((pathNamespace) => (pathNamespace === "/" ? {} : { pathNamespace })),
  ];
  return atLeastOne(atPath).flatMap((path) =>
    atLeastOne(interfaces.map((name) => ({ interface: name }))).flatMap((ofInterface) =>
      atLeastOne(members.map((member) => ({ member }))).map((ofMember) => ({
        ...path,
        ...ofInterface,
        ...ofMember,
      })),
    ),
  );
}

function atLeastOne(keys: readonly Keys[]): readonly Keys[] {
  return keys.length === 0 ? [{}] : keys;
}

/** Without names and type. */
function ruleKeys(rule: MatchRule): Keys {
  const { interface: ofInterface, member, path, pathNamespace, args } = rule;
  return {
    interface: ofInterface,
    member,
    path,
    pathNamespace: pathNamespace === "/" ? null : pathNamespace,
    args,
  };
}

function isWithoutKeys({ interface: ofInterface, member, path, pathNamespace, args }: MatchRule) {
  return (
    ofInterface === null &&
    member === null &&
    path === null &&
    pathNamespace === null &&
    args.length === 0
  );
}
