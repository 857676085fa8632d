/** The one text of each rule: what makes two rules the same. */

import { MessageType } from "../wire/protocol.ts";
import type { ArgumentKey, MatchRule } from "./rule.ts";

const TYPE_NAMES: Readonly<Record<MessageType, string>> = {
  [MessageType.MethodCall]: "method_call",
  [MessageType.MethodReturn]: "method_return",
  [MessageType.Error]: "error",
  [MessageType.Signal]: "signal",
};

/**
 * The canonical text of `rule`: keys in dbus-daemon's order, arguments by index, every value quoted:
 * what GetAllMatchRules tells.
 *
 * Two rules are equal, as dbus-daemon compares them for RemoveMatch, if and only if their canonical
 * texts are. `eavesdrop='false'` is the same as no `eavesdrop`; `arg0` and `arg0path` never are.
 * Parsing the text gives the rule again; it may be longer than a peer's text may be, as a text without
 * quotes is shorter.
 */
export function canonicalText(rule: MatchRule): string {
  const keys: string[] = [];
  if (rule.type !== 0) keys.push(pair("type", TYPE_NAMES[rule.type]));
  if (rule.interface !== null) keys.push(pair("interface", rule.interface));
  if (rule.member !== null) keys.push(pair("member", rule.member));
  if (rule.path !== null) keys.push(pair("path", rule.path));
  if (rule.pathNamespace !== null) keys.push(pair("path_namespace", rule.pathNamespace));
  if (rule.sender !== null) keys.push(pair("sender", rule.sender));
  if (rule.destination !== null) keys.push(pair("destination", rule.destination));
  if (rule.eavesdrop) keys.push("eavesdrop='true'");
  for (const argument of rule.args) keys.push(pair(argumentKeyName(argument), argument.value));
  return keys.join(",");
}

/** As rules spell it; types that no rule can ask for have a number. */
export function typeName(type: number): string {
  const names: Readonly<Record<number, string>> = TYPE_NAMES;
  return names[type] ?? String(type);
}

/** `arg1`, `arg1path` or `arg0namespace`. */
export function argumentKeyName(argument: Pick<ArgumentKey, "index" | "kind">): string {
  return `arg${argument.index}${argument.kind === "string" ? "" : argument.kind}`;
}

/** Inside of quotes everything is literal but the apostrophe, which is written outside of them. */
function pair(key: string, value: string): string {
  return `${key}='${value.replaceAll("'", "'\\''")}'`;
}
