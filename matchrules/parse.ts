/** Text to MatchRule, with dbus-daemon's verdicts and words. */

import { Buffer } from "node:buffer";
import { isBusName, isBusNamespace, isInterfaceName, isMemberName } from "../wire/names.ts";
import { isObjectPath } from "../wire/object-path.ts";
import { Limit, MessageType } from "../wire/protocol.ts";
import type { ArgumentKey, ArgumentKind, MatchRule, MatchRuleError } from "./rule.ts";
import { type Token, tokenize } from "./tokenize.ts";

const TYPES: Readonly<Record<string, MessageType>> = {
  method_call: MessageType.MethodCall,
  method_return: MessageType.MethodReturn,
  error: MessageType.Error,
  signal: MessageType.Signal,
};

/** A rule being read. */
type Draft = { -readonly [Key in keyof MatchRule]: MatchRule[Key] } & { args: ArgumentKey[] };

/**
 * The rule that `text` says, or why it says none. Never throws.
 *
 * Accepts and refuses exactly what dbus-daemon 1.14.10 does, its oddities included; grammar.md
 * lists them. `maximumBytes` is for texts that were not sent by a peer: the canonical text of a rule may be
 * longer than the text that the rule came from. https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-routing-match-rules
 */
export function parseMatchRule(
  text: string,
  maximumBytes: number = Limit.matchRuleBytes,
): MatchRule | MatchRuleError {
  const byteLength = Buffer.byteLength(text, "utf8");
  if (byteLength > maximumBytes) {
    const words = `Match rule text is ${byteLength} bytes, maximum is ${maximumBytes}`;
    return { code: "LimitsExceeded", text: words, column: 1 };
  }
  const tokens = tokenize(text);
  if ("code" in tokens) return tokens;
  const draft: Draft = {
    type: 0,
    sender: null,
    interface: null,
    member: null,
    path: null,
    pathNamespace: null,
    destination: null,
    args: [],
    eavesdrop: false,
  };
  for (const token of tokens) {
    const error = readKey(draft, token);
    if (error !== null) return error;
  }
  draft.args.sort((a, b) => a.index - b.index);
  Object.freeze(draft.args);
  return Object.freeze(draft);
}

function readKey(draft: Draft, token: Token): MatchRuleError | null {
  const { key, value } = token;
  switch (key) {
    case "type":
      if (draft.type !== 0) return twice(token);
      draft.type = (Object.hasOwn(TYPES, value) ? TYPES[value] : undefined) ?? 0;
      return draft.type !== 0
        ? null
        : invalidValue(token, `Invalid message type (${value}) in match rule\n`);
    case "sender":
      if (draft.sender !== null) return twice(token);
      draft.sender = value;
      return isBusName(value) ? null : invalidValue(token, `Sender name '${value}' is invalid\n`);
    case "interface":
      if (draft.interface !== null) return twice(token);
      draft.interface = value;
      return isInterfaceName(value)
        ? null
        : invalidValue(token, `Interface name '${value}' is invalid\n`);
    case "member":
      if (draft.member !== null) return twice(token);
      draft.member = value;
      return isMemberName(value)
        ? null
        : invalidValue(token, `Member name '${value}' is invalid\n`);
    case "path":
    case "path_namespace":
      if (draft.path !== null || draft.pathNamespace !== null) {
        return invalidKey(token, "path or path_namespace specified twice in match rule\n");
      }
      draft[key === "path" ? "path" : "pathNamespace"] = value;
      return isObjectPath(value) ? null : invalidValue(token, `Path '${value}' is invalid\n`);
    case "destination":
      if (draft.destination !== null) return twice(token);
      draft.destination = value;
      return isBusName(value)
        ? null
        : invalidValue(token, `Destination name '${value}' is invalid\n`);
    case "eavesdrop":
      // The only key that may come again: the last one counts.
      draft.eavesdrop = value === "true";
      return value === "true" || value === "false"
        ? null
        : invalidValue(token, `eavesdrop='${value}' is invalid, it should be 'true' or 'false'\n`);
    default:
      return key.startsWith("arg")
        ? readArgumentKey(draft, token)
        : invalidKey(token, `Unknown key "${key}" in match rule`);
  }
}

function readArgumentKey(draft: Draft, token: Token): MatchRuleError | null {
  const { key, value } = token;
  if (key === "arg") {
    return invalidKey(
      token,
      "Key 'arg' in match rule starts with 'arg' but lacks an arg number. Should be 'arg0' or 'arg7' for example.\n",
    );
  }
  const number = readArgumentNumber(key);
  if (number === null) {
    return invalidKey(
      token,
      `Key '${key}' in match rule starts with 'arg' but could not parse arg number. Should be 'arg0' or 'arg7' for example.\n`,
    );
  }
  const kind = argumentKind(key, number.rest);
  if (kind === null) {
    return invalidKey(
      token,
      `Key '${key}' in match rule contains junk after argument number (${number.value}). Only 'arg${number.value}path' (for example) or 'arg0namespace' are valid`,
    );
  }
  if (kind === "namespace" && !isBusNamespace(value)) {
    return invalidValue(token, `arg0namespace='${value}' is not a valid prefix of a bus name`);
  }
  if (number.value > Limit.matchRuleArgument) {
    return invalidKey(
      token,
      `Key '${key}' in match rule has arg number ${number.value} but the maximum is ${Limit.matchRuleArgument}.\n`,
    );
  }
  const index = Number(number.value);
  if (draft.args.some((other) => other.index === index)) {
    return invalidKey(token, `Argument ${key} matched more than once in match rule\n`);
  }
  draft.args.push({ index, kind, value });
  return null;
}

/** `arg0namespace` must be spelled so; `arg00namespace` is junk. */
function argumentKind(key: string, rest: string): ArgumentKind | null {
  if (rest === "") return "string";
  if (rest === "path") return "path";
  return key === "arg0namespace" ? "namespace" : null;
}

const UNSIGNED_LONG_BITS = 64;
const UNSIGNED_LONG_MAXIMUM: bigint = 2n ** BigInt(UNSIGNED_LONG_BITS) - 1n;

/**
 * The number that follows `arg`, as strtoul(3) with base 0 reads it on a 64-bit Linux, because
 * dbus-daemon uses that: octal (`arg010` is arg8) and hexadecimal (`arg0xapath` is arg10path) count,
 * signs do too, and a negative number wraps around.
 */
function readArgumentNumber(key: string): { value: bigint; rest: string } | null {
  const found = /^arg[\v\f]*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)(.*)$/is.exec(key);
  if (found === null) return null;
  const [, sign = "", digits = "", rest = ""] = found;
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (magnitude > UNSIGNED_LONG_MAXIMUM) return null;
  return {
    value: sign === "-" ? BigInt.asUintN(UNSIGNED_LONG_BITS, -magnitude) : magnitude,
    rest,
  };
}

function twice(token: Token): MatchRuleError {
  return invalidKey(token, `Key ${token.key} specified twice in match rule\n`);
}

function invalidKey(token: Token, text: string): MatchRuleError {
  return { code: "MatchRuleInvalid", text, column: token.keyColumn };
}

function invalidValue(token: Token, text: string): MatchRuleError {
  return { code: "MatchRuleInvalid", text, column: token.valueColumn };
}
