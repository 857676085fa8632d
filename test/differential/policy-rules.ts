/** Random policies: rules over a small vocabulary, so that most of them fit something. */

import type { Random } from "../fuzz/random.ts";
import { DRIVER, NAMES, RANDOM_WORLD } from "./policy-world.ts";

export const TYPES = ["method_call", "method_return", "error", "signal"];
const { interfaces, members, paths, errors, ownNames, driverMembers } = RANDOM_WORLD;

const DESTINATIONS = [...Object.values(NAMES), DRIVER, ":1.3", ":1.0"];
const PREFIXES = ["com.example", "com.example.sub", "com", "org.freedesktop", ":1", "com.exam"];

/** What tests rely on while they set up and look; it names an interface or a member of its own each time. */
export const SCAFFOLD = `<policy context="mandatory">
  ${["root", "daemon", "man", "games"].map((user) => `<allow user="${user}"/>`).join("")}
  <allow send_destination="${DRIVER}" send_interface="${DRIVER}" send_member="GetId"/>
  <allow send_destination="${DRIVER}" send_interface="${DRIVER}" send_member="AddMatch"/>
  <allow send_destination="${DRIVER}" send_interface="${DRIVER}" send_member="RequestName"/>
  <allow receive_sender="${DRIVER}" receive_type="method_return"/>
  <allow receive_sender="${DRIVER}" receive_type="error"/>
  <allow send_interface="scaffold.I" send_type="method_call"/>
  <allow receive_interface="scaffold.I" receive_type="method_call"/>
  <allow own_prefix="com.example"/>
</policy>`;

/** Which attributes have occurred together, as `one+other`. */
export type Pairs = Set<string>;

export interface RandomPolicy {
  readonly text: string;
  readonly ruleCount: number;
}

export function randomPolicy(random: Random, pairs: Pairs): RandomPolicy {
  const count = 4 + random.below(16);
  const policies: string[] = [`<policy context="default">${baseline(random)}</policy>`];
  for (let i = 0; i < count; i++) {
    policies.push(`<policy ${context(random)}>${rule(random, pairs)}</policy>`);
  }
  for (let i = random.below(6); i > 0; i--) {
    const where = random() < 0.7 ? "default" : "mandatory";
    policies.push(`<policy context="${where}">${connectRule(random)}</policy>`);
  }
  return { text: `${policies.join("\n")}\n${SCAFFOLD}`, ruleCount: count };
}

function baseline(random: Random): string {
  const some = (...texts: string[]): string => texts.filter(() => random() < 0.8).join("");
  switch (random.below(4)) {
    case 0:
      return '<allow user="*"/>';
    case 1:
      return '<allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>';
    case 2:
      return `<allow user="*"/>${some(
        '<allow send_destination="*"/>',
        '<allow receive_sender="*"/>',
        '<allow own_prefix="org"/>',
      )}`;
    default:
      return `<allow user="*"/>${some(
        ...TYPES.map((type) => `<allow send_type="${type}"/>`),
        ...TYPES.map((type) => `<allow receive_type="${type}"/>`),
        '<deny own="*"/>',
      )}`;
  }
}

function context(random: Random): string {
  const value = random();
  if (value < 0.45) return 'context="default"';
  if (value < 0.6) return 'context="mandatory"';
  if (value < 0.75) return `user="${random.pick(["root", "daemon", "6", "games"])}"`;
  if (value < 0.92) return `group="${random.pick(["adm", "7", "12", "60", "root"])}"`;
  return `at_console="${random.pick(["true", "false"])}"`;
}

function rule(random: Random, pairs: Pairs): string {
  const value = random();
  const verb = random() < 0.5 ? "allow" : "deny";
  if (value < 0.15) {
    const own =
      random() < 0.6
        ? `own="${random.pick([...ownNames, "*"])}"`
        : `own_prefix="${random.pick(["org.own", "org.own.A", "org", "net.own", "org.ow"])}"`;
    return `<${verb} ${own}/>`;
  }
  const side = value < 0.65 ? "send" : "receive";
  const attributes = messageAttributes(random, side);
  const names = [...attributes.keys()].sort();
  for (const one of names) for (const other of names) if (one < other) pairs.add(`${one}+${other}`);
  return `<${verb}${[...attributes].map(([name, text]) => ` ${name}="${text}"`).join("")}/>`;
}

/** About those users and groups that only try to connect. */
function connectRule(random: Random): string {
  const verb = random() < 0.4 ? "allow" : "deny";
  return random() < 0.5
    ? `<${verb} user="${random.pick(["lp", "8", "news", "uucp", "proxy", "*"])}"/>`
    : `<${verb} group="${random.pick(["lp", "mail", "9", "10", "www-data", "*"])}"/>`;
}

/** All that may be combined with each other is, by chance. */
function messageAttributes(random: Random, side: "send" | "receive"): Map<string, string> {
  const attributes = new Map<string, string>();
  const maybe = (share: number, name: string, values: readonly string[]): void => {
    if (random() < share) attributes.set(name, random.pick(values));
  };
  maybe(0.35, `${side}_type`, [...TYPES, "*"]);
  if (random() < 0.2) attributes.set(`${side}_error`, random.pick([...errors, "*"]));
  else {
    maybe(0.4, `${side}_interface`, [...interfaces, DRIVER, "*"]);
    if (attributes.has(`${side}_interface`)) {
      maybe(0.4, `${side}_member`, [...members, ...driverMembers, "*"]);
    }
  }
  maybe(0.25, `${side}_path`, [...paths, "*"]);
  if (attributes.has(`${side}_path`) && !attributes.has(`${side}_error`)) {
    maybe(0.4, `${side}_member`, members);
  }
  maybe(0.2, `${side}_requested_reply`, ["true", "false"]);
  maybe(0.2, "eavesdrop", ["true", "false"]);
  maybe(0.15, "min_fds", ["0", "1", "2"]);
  maybe(0.15, "max_fds", ["0", "1", "2"]);
  if (side === "send") {
    maybe(0.5, "send_destination", [...DESTINATIONS, "*"]);
    if (!attributes.has("send_destination")) maybe(0.4, "send_destination_prefix", PREFIXES);
    const isAnywhere = (attributes.get("send_destination") ?? "*") === "*";
    maybe(0.2, "send_broadcast", isAnywhere ? ["true", "false"] : ["false"]);
    maybe(0.1, "log", ["true", "false"]);
  } else {
    maybe(0.5, "receive_sender", [...DESTINATIONS, "*"]);
  }
  const isAboutSide = [...attributes.keys()].some((name) => name.startsWith(side));
  if (!isAboutSide) attributes.set(side === "send" ? "send_destination" : "receive_sender", "*");
  return attributes;
}
