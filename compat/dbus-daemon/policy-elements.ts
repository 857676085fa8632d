/** `<policy>` and its rules: checked as dbus-daemon checks them; what this bus does not obey is told. */

import type { XmlElement } from "../../xml/parse.ts";
import { findGroup, findUser } from "./accounts.ts";
import type { ConnectRule } from "./configuration.ts";

/** In the order in which dbus-daemon applies them: a later context overrides an earlier one. */
const contexts = ["default", "group", "user", "at_console", "mandatory"] as const;
type PolicyContext = (typeof contexts)[number];

type RuleSubject = "own" | "send" | "receive" | "connect";

/** One checked rule. */
export interface PolicyRule {
  readonly context: PolicyContext;
  readonly subject: RuleSubject;
  readonly allows: boolean;
  /** The only type of message it is about; `null` for all, and for rules not about messages. */
  readonly messageType: string | null;
  /** It holds for every name, or every message of its type: it overrides such rules before it. */
  readonly isUnconditional: boolean;
  readonly connect: ConnectRule | null;
  readonly file: string;
  readonly element: XmlElement;
}

export type PolicyResult =
  | { readonly rules: readonly PolicyRule[]; readonly warnings: readonly PolicyWarning[] }
  | PolicyProblem;
export interface PolicyWarning {
  readonly element: XmlElement;
  readonly text: string;
}
export interface PolicyProblem {
  readonly problem: string;
  readonly element: XmlElement;
}

/** Reads one `<policy>` element with everything in it. */
export function readPolicy(policy: XmlElement, file: string): PolicyResult {
  const context = readContext(policy);
  if ("problem" in context) return context;
  const rules: PolicyRule[] = [];
  const warnings: PolicyWarning[] = [];
  if (context.unknown !== null) warnings.push({ element: policy, text: context.unknown });
  for (const element of policy.children) {
    if (element.name !== "allow" && element.name !== "deny") {
      return { problem: "is not allowed inside <policy>", element };
    }
    if (element.children[0] !== undefined) {
      return { problem: "is not allowed in this context", element: element.children[0] };
    }
    if (element.text.trim() !== "") return { problem: "no text is expected inside", element };
    const problem = checkRule(element);
    if (problem !== null) return { problem, element };
    const rule = makeRule(element, context.context, file);
    if (typeof rule === "string") warnings.push({ element, text: rule });
    // Rules of a policy for somebody unknown are checked and then dropped.
    else if (context.unknown === null) {
      if (rule.subject === "connect" && (rule.context === "user" || rule.context === "group")) {
        return { problem: `cannot be per ${rule.context}: who may connect is global`, element };
      }
      rules.push(rule);
    }
  }
  return { rules, warnings };
}

function readContext(
  policy: XmlElement,
): { context: PolicyContext; unknown: string | null } | PolicyProblem {
  const refuse = (problem: string): PolicyProblem => ({ problem, element: policy });
  for (const name of policy.attributes.keys()) {
    if (!["context", "user", "group", "at_console"].includes(name)) {
      return refuse(`the attribute "${name}" is invalid here`);
    }
  }
  const [attribute, another] = policy.attributes;
  if (attribute === undefined || another !== undefined) {
    return refuse("must have exactly one of the attributes context, user, group and at_console");
  }
  const [name, value] = attribute;
  switch (name) {
    case "context":
      if (value === "default" || value === "mandatory") return { context: value, unknown: null };
      return refuse('the context must be "default" or "mandatory"');
    case "user":
      return {
        context: "user",
        unknown: findUser(value) === null ? "there is no such user" : null,
      };
    case "group":
      return {
        context: "group",
        unknown: findGroup(value) === null ? "there is no such group" : null,
      };
    default:
      if (value === "true" || value === "false") return { context: "at_console", unknown: null };
      return refuse('at_console must be "true" or "false"');
  }
}

// Attributes by what they ask for. The value "*" makes the first ones unconditional.
const sendWildcards = ["interface", "member", "error", "destination", "path", "type"];
const receiveWildcards = ["interface", "member", "error", "sender", "path", "type"];
const messageTypes = ["method_call", "method_return", "error", "signal"];
const booleans = ["eavesdrop", "send_broadcast", "send_requested_reply", "receive_requested_reply"];
const known: ReadonlySet<string> = new Set([
  ...sendWildcards.map((name) => `send_${name}`),
  ...receiveWildcards.map((name) => `receive_${name}`),
  ...booleans,
  ...["send_destination_prefix", "max_fds", "min_fds", "own", "own_prefix", "user", "group", "log"],
]);
/** 128 MiB of body hold no more indices than this (DBUS_MAXIMUM_MESSAGE_UNIX_FDS). */
const mostUnixFds = 33_554_432;

/** What is wrong with a rule, or `null`. These are the checks of dbus-daemon, in its order. */
function checkRule({ attributes }: XmlElement): string | null {
  const has = (name: string): boolean => attributes.has(name);
  for (const name of attributes.keys()) {
    if (!known.has(name)) return `the attribute "${name}" is invalid here`;
  }
  const names = [...attributes.keys()];
  const sends = names.some((name) => name.startsWith("send_"));
  const receives =
    names.some((name) => name.startsWith("receive_")) || (!sends && has("eavesdrop"));
  const isAboutMessages = sends || receives || has("max_fds") || has("min_fds");
  const others = ["own", "own_prefix", "user", "group"].filter(has).length;
  if (!sends && !receives && others === 0) return "must say what it is about";
  for (const side of ["send", "receive"]) {
    if (has(`${side}_member`) && !has(`${side}_interface`) && !has(`${side}_path`)) {
      return `${side}_member needs ${side}_interface or ${side}_path: an interface is optional in messages`;
    }
  }
  if ((isAboutMessages ? 1 : 0) + others > 1) {
    return "own, own_prefix, user, group and attributes of messages cannot be combined";
  }
  if (sends && receives) return "send and receive attributes cannot be combined";
  for (const side of ["send", "receive"]) {
    if (has(`${side}_error`) && (has(`${side}_member`) || has(`${side}_interface`))) {
      return `${side}_error cannot be combined with ${side}_member or ${side}_interface`;
    }
  }
  if (has("send_destination") && has("send_destination_prefix")) {
    return "send_destination cannot be combined with send_destination_prefix";
  }
  for (const name of ["send_type", "receive_type"]) {
    const value = attributes.get(name) ?? "*";
    if (value !== "*" && !messageTypes.includes(value)) {
      return `"${value}" is not a message type`;
    }
  }
  for (const name of booleans) {
    const value = attributes.get(name) ?? "true";
    if (value !== "true" && value !== "false") return `${name} must be "true" or "false"`;
  }
  const destination = attributes.get("send_destination") ?? "*";
  if (attributes.get("send_broadcast") === "true" && destination !== "*") {
    return "cannot match anything: broadcasts have no destination";
  }
  for (const name of ["max_fds", "min_fds"]) {
    const value = attributes.get(name) ?? "0";
    if (!/^\s*\+?\d+/.test(value) || Number.parseInt(value, 10) > mostUnixFds) {
      return `${name} must be a whole number from 0 to ${mostUnixFds}`;
    }
  }
  return null;
}

/** The rule, or the text of a warning when it is about somebody unknown and therefore never fits. */
function makeRule(element: XmlElement, context: PolicyContext, file: string): PolicyRule | string {
  const { attributes } = element;
  const common = { context, allows: element.name === "allow", messageType: null, file, element };
  for (const subject of ["user", "group"] as const) {
    const value = attributes.get(subject);
    if (value === undefined) continue;
    let id: number | null = null;
    if (value !== "*") {
      id = subject === "user" ? (findUser(value)?.userId ?? null) : findGroup(value);
      if (id === null) return `there is no ${subject} called "${value}"`;
    }
    const connect = { allows: common.allows, subject, id };
    return { ...common, subject: "connect", isUnconditional: id === null, connect };
  }
  const own = attributes.get("own");
  if (own !== undefined || attributes.has("own_prefix")) {
    return { ...common, subject: "own", isUnconditional: own === "*", connect: null };
  }
  const sends = [...attributes.keys()].some((name) => name.startsWith("send_"));
  const type = attributes.get(sends ? "send_type" : "receive_type") ?? "*";
  const isUnconditional = [...attributes].every(([name, value]) => {
    if (name === "log" || name === "send_type" || name === "receive_type") return true;
    // Rules that allow without these fit ordinary traffic; rules that deny with them fit only some.
    if (name === "eavesdrop" || name.endsWith("_requested_reply")) return common.allows;
    const isWildcard = (sends ? sendWildcards : receiveWildcards).includes(
      name.replace(/^(send|receive)_/, ""),
    );
    return isWildcard && value === "*";
  });
  const messageType = type === "*" ? null : type;
  const subject = sends ? "send" : "receive";
  return { ...common, subject, messageType, isUnconditional, connect: null };
}

/**
 * What dbus-daemon would refuse under these rules and this bus lets pass: every rule that denies and is
 * not overridden by a later rule allowing everything. Who may connect is not among it: that is obeyed.
 */
export function unenforcedRules(rules: readonly PolicyRule[]): {
  readonly denials: readonly PolicyRule[];
  readonly missing: readonly string[];
} {
  const denials = new Set<PolicyRule>();
  const missing = new Set<string>();
  const inOrder = contexts.flatMap((context) => rules.filter((rule) => rule.context === context));
  for (const [subject, what, types] of [
    ["own", "owning names", [null]],
    ["send", "sending messages", messageTypes],
    ["receive", "receiving messages", messageTypes],
  ] as const) {
    for (const type of types) {
      let open: PolicyRule[] = [];
      let isAllowed = false;
      for (const rule of inOrder) {
        const isAboutType = rule.messageType === null || rule.messageType === type;
        if (rule.subject !== subject || !isAboutType) continue;
        const isForAll = rule.context === "default" || rule.context === "mandatory";
        if (!rule.allows) open.push(rule);
        else if (rule.isUnconditional && isForAll) {
          open = [];
          isAllowed = true;
        }
      }
      for (const rule of open) denials.add(rule);
      if (!isAllowed && !open.some((rule) => rule.isUnconditional)) missing.add(what);
    }
  }
  return { denials: rules.filter((rule) => denials.has(rule)), missing: [...missing] };
}

/** Who may connect, in the order of application. */
export function connectRules(rules: readonly PolicyRule[]): ConnectRule[] {
  return contexts.flatMap((context) =>
    rules.flatMap((rule) =>
      rule.context === context && rule.connect !== null ? [rule.connect] : [],
    ),
  );
}
