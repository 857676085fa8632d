/** MatchRule: what a match rule says, free of how it was written. */

import type { MessageType } from "../wire/protocol.ts";

/** How an argument key compares: `argN`, `argNpath` or `arg0namespace`. */
export type ArgumentKind = "string" | "path" | "namespace";

/** One argument key of a rule. */
export interface ArgumentKey {
  /** 0 to 63. */
  readonly index: number;
  readonly kind: ArgumentKind;
  readonly value: string;
}

/**
 * The keys of one rule; `null` (0 for the type, none for arguments) where a key is not given.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-routing-match-rules
 */
export interface MatchRule {
  readonly type: 0 | MessageType;
  readonly sender: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  /** Never together with `pathNamespace`. */
  readonly path: string | null;
  readonly pathNamespace: string | null;
  readonly destination: string | null;
  /** By ascending index, each index once. */
  readonly args: readonly ArgumentKey[];
  readonly eavesdrop: boolean;
}

/** Why a text is not a match rule. */
export interface MatchRuleError {
  /** The last part of the D-Bus error name that AddMatch and RemoveMatch answer with. */
  readonly code: "MatchRuleInvalid" | "LimitsExceeded";
  /** dbus-daemon 1.14's words, to the letter: some of them end with a newline. */
  readonly text: string;
  /** Where in the text, in UTF-16 units from 1. */
  readonly column: number;
}

/** The rule without keys: every broadcast. */
export const EMPTY_RULE: MatchRule = Object.freeze({
  type: 0,
  sender: null,
  interface: null,
  member: null,
  path: null,
  pathNamespace: null,
  destination: null,
  args: Object.freeze([]),
  eavesdrop: false,
});

/** An immutable rule of `keys`, arguments in order. The values are not checked; `parseMatchRule` does that. */
export function matchRule(keys: Partial<MatchRule>): MatchRule {
  const args = [...(keys.args ?? [])].sort((a, b) => a.index - b.index);
  return Object.freeze({ ...EMPTY_RULE, ...keys, args: Object.freeze(args) });
}
