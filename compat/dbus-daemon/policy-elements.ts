/** `<policy>` and its rules, checked and understood as dbus-daemon does. */

import {
  type MessagePattern,
  MOST_UNIX_FDS,
  type NamePattern,
  type PolicyContext,
  type PolicyRule,
  type ReceiveRule,
  type SendRule,
} from "../../bus/index.ts";
import type { XmlElement } from "../../xml/parse.ts";
import { findKnownGroup, findKnownUser } from "./accounts.ts";
import { isBlank, problemAt } from "./element-shape.ts";

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
  if (context.context === null) warnings.push({ element: policy, text: context.unknown });
  for (const element of policy.children) {
    if (element.name !== "allow" && element.name !== "deny") {
      return { problem: "is not allowed inside <policy>", element };
    }
    if (element.children[0] !== undefined) {
      return { problem: "is not allowed in this context", element: element.children[0] };
    }
    if (!isBlank(element.text)) return { problem: "no text is expected inside", element };
    const problem = checkRule(element);
    if (problem !== null) return { problem, element };
    // Rules of a policy for somebody unknown are checked and then dropped.
    const rule = makeRule(element, context.context ?? { kind: "default" }, file);
    if (typeof rule === "string") warnings.push({ element, text: rule });
    else if (context.context !== null) {
      const { kind } = context.context;
      if (rule.subject === "connect" && (kind === "user" || kind === "group")) {
        return { problem: `cannot be per ${kind}: who may connect is global`, element };
      }
      rules.push(rule);
    }
  }
  return { rules, warnings };
}

/** Whom a `<policy>` is for; null, and why, if that is nobody. */
type Context =
  | { readonly context: PolicyContext }
  | { readonly context: null; readonly unknown: string };

function readContext(policy: XmlElement): Context | PolicyProblem {
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
      if (value === "default" || value === "mandatory") return { context: { kind: value } };
      return refuse('the context must be "default" or "mandatory"');
    case "user": {
      const userId = findKnownUser(value);
      if (userId === null) return { context: null, unknown: "there is no such user" };
      return { context: { kind: "user", userId } };
    }
    case "group": {
      const groupId = findKnownGroup(value);
      if (groupId === null) return { context: null, unknown: "there is no such group" };
      return { context: { kind: "group", groupId } };
    }
    default:
      if (value !== "true" && value !== "false") {
        return refuse('at_console must be "true" or "false"');
      }
      return { context: { kind: "console", isAtConsole: value === "true" } };
  }
}

// Attributes by what they ask for.
const sendAttributes = ["interface", "member", "error", "destination", "path", "type"];
const receiveAttributes = ["interface", "member", "error", "sender", "path", "type"];
/** In the order of the protocol's numbers, which begin with 1. */
const messageTypes = ["method_call", "method_return", "error", "signal"];
const booleans = ["eavesdrop", "send_broadcast", "send_requested_reply", "receive_requested_reply"];
const known: ReadonlySet<string> = new Set([
  ...sendAttributes.map((name) => `send_${name}`),
  ...receiveAttributes.map((name) => `receive_${name}`),
  ...booleans,
  ...["send_destination_prefix", "max_fds", "min_fds", "own", "own_prefix", "user", "group", "log"],
]);
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
    if (!/^\s*\+?\d+/.test(value) || Number.parseInt(value, 10) > MOST_UNIX_FDS) {
      return `${name} must be a whole number from 0 to ${MOST_UNIX_FDS}`;
    }
  }
  return null;
}

/** The rule, or the text of a warning when it is about somebody unknown and therefore never fits. */
function makeRule(element: XmlElement, context: PolicyContext, file: string): PolicyRule | string {
  const { attributes } = element;
  const { element: text, line } = problemAt(file, element, "");
  const common: Common = {
    context,
    allows: element.name === "allow",
    origin: { file, line, element: text },
  };
  for (const who of ["user", "group"] as const) {
    const value = attributes.get(who);
    if (value === undefined) continue;
    if (value === "*") return { ...common, subject: "connect", who, id: null };
    const id = who === "user" ? findKnownUser(value) : findKnownGroup(value);
    if (id === null) return `there is no ${who} called "${value}"`;
    return { ...common, subject: "connect", who, id };
  }
  const own = attributes.get("own");
  if (own !== undefined) return { ...common, subject: "own", name: exactly(own) };
  const prefix = attributes.get("own_prefix");
  if (prefix !== undefined) {
    return { ...common, subject: "own", name: { name: prefix, isPrefix: true } };
  }
  return [...attributes.keys()].some((name) => name.startsWith("send_"))
    ? makeSendRule(common, attributes)
    : makeReceiveRule(common, attributes);
}

type Common = Pick<PolicyRule, "context" | "allows" | "origin">;
type Attributes = XmlElement["attributes"];

function makeSendRule(common: Common, attributes: Attributes): SendRule {
  const prefix = attributes.get("send_destination_prefix");
  const broadcast = attributes.get("send_broadcast");
  return {
    ...common,
    ...messagePattern("send", common.allows, attributes),
    subject: "send",
    destination:
      prefix === undefined
        ? exactly(attributes.get("send_destination"))
        : { name: prefix, isPrefix: true },
    broadcast: broadcast === undefined ? null : broadcast === "true",
    logs: attributes.get("log") === "true",
  };
}

function makeReceiveRule(common: Common, attributes: Attributes): ReceiveRule {
  return {
    ...common,
    ...messagePattern("receive", common.allows, attributes),
    subject: "receive",
    sender: withoutWildcard(attributes.get("receive_sender")),
  };
}

function messagePattern(
  side: "send" | "receive",
  allows: boolean,
  attributes: Attributes,
): MessagePattern {
  const of = (name: string): string | null => withoutWildcard(attributes.get(`${side}_${name}`));
  const type = of("type");
  const requested = attributes.get(`${side}_requested_reply`);
  return {
    type: type === null ? null : messageTypes.indexOf(type) + 1,
    path: of("path"),
    interface: of("interface"),
    member: of("member"),
    errorName: of("error"),
    minUnixFds: Number.parseInt(attributes.get("min_fds") ?? "0", 10),
    maxUnixFds: Number.parseInt(attributes.get("max_fds") ?? String(MOST_UNIX_FDS), 10),
    // Rules that allow are about replies that were asked for, and rules that deny about others.
    requestedReply: requested === undefined ? allows : requested === "true",
    eavesdrop: attributes.get("eavesdrop") === "true",
  };
}

/** The name alone; null for any. */
function exactly(name: string | undefined): NamePattern | null {
  const wanted = withoutWildcard(name);
  return wanted === null ? null : { name: wanted, isPrefix: false };
}

function withoutWildcard(value: string | undefined): string | null {
  return value === undefined || value === "*" ? null : value;
}
