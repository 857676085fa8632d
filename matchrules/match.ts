/** Does this rule match this message? Obvious code, never made faster: the subscription index is tested against it. */

import { DRIVER_NAME } from "../wire/protocol.ts";
import type { ArgumentKey, MatchRule } from "./rule.ts";

/** An argument of a message as rules see it; `other` is any type but STRING and OBJECT_PATH. */
export type DescribedArgument =
  | { readonly kind: "string" | "path"; readonly value: string }
  | { readonly kind: "other" };

/** What a rule may ask about one message, and about the bus at the moment of its delivery. */
export interface DescribedMessage {
  readonly type: number;
  /** The sender's unique name, or `org.freedesktop.DBus` for the bus itself. */
  readonly sender: string;
  /** Well-known names whose primary owner is the sender. */
  readonly senderNames: readonly string[];
  /** As the header says it, unique or well-known; `null`: a broadcast. */
  readonly destination: string | null;
  /** Names, unique and well-known, of the connection the destination leads to. */
  readonly destinationNames: readonly string[];
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  /** By position, each complete type one argument. */
  readonly args: readonly DescribedArgument[];
}

/** A message with nothing in it, to describe others by what they have. */
export const EMPTY_MESSAGE: DescribedMessage = Object.freeze({
  type: 4,
  sender: DRIVER_NAME,
  senderNames: [],
  destination: null,
  destinationNames: [],
  path: null,
  interface: null,
  member: null,
  args: [],
});

/**
 * Whether a subscriber with `rule` gets a copy of `message`, as far as match rules decide that:
 * policy has its say after, and a message's destination gets it without any rule.
 */
export function matches(rule: MatchRule, message: DescribedMessage): boolean {
  return (
    (rule.type === 0 || rule.type === message.type) &&
    (rule.sender === null || isSender(rule.sender, message)) &&
    (rule.interface === null || rule.interface === message.interface) &&
    (rule.member === null || rule.member === message.member) &&
    (rule.path === null || rule.path === message.path) &&
    (rule.pathNamespace === null || isInNamespace(message.path, rule.pathNamespace)) &&
    mayFollow(rule, message) &&
    rule.args.every((key) => argumentMatches(key, message.args[key.index]))
  );
}

function isSender(name: string, message: DescribedMessage): boolean {
  return name === message.sender || message.senderNames.includes(name);
}

/** The namespace `/` has everything with a path, as in dbus-daemon 1.14; dbus-broker matches only `/` itself. */
function isInNamespace(path: string | null, namespace: string): boolean {
  if (path === null) return false;
  return namespace === "/" || path === namespace || path.startsWith(`${namespace}/`);
}

/**
 * Only eavesdroppers follow messages that have a destination. A rule with a destination matches
 * no broadcast, so without `eavesdrop` it matches nothing at all.
 */
function mayFollow(rule: MatchRule, message: DescribedMessage): boolean {
  if (message.destination === null) return rule.destination === null;
  if (!rule.eavesdrop) return false;
  return rule.destination === null || message.destinationNames.includes(rule.destination);
}

function argumentMatches(key: ArgumentKey, argument: DescribedArgument | undefined): boolean {
  if (argument === undefined || argument.kind === "other") return false;
  switch (key.kind) {
    case "string":
      return argument.kind === "string" && argument.value === key.value;
    case "path":
      return isSameOrAncestor(argument.value, key.value);
    case "namespace":
      return (
        argument.kind === "string" &&
        (argument.value === key.value || argument.value.startsWith(`${key.value}.`))
      );
  }
}

/** Equal, or one of both ends with a slash and the other one starts with it. */
function isSameOrAncestor(one: string, other: string): boolean {
  return (
    one === other ||
    (one.endsWith("/") && other.startsWith(one)) ||
    (other.endsWith("/") && one.startsWith(other))
  );
}
