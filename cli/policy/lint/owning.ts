/** Names that too many may own, or nobody may. */

import type { OwnRule } from "../../../bus/index.ts";
import { DRIVER_NAME } from "../../../wire/protocol.ts";
import { type Finding, findingOf, rewritten } from "./finding.ts";
import { isRoot, type LintedPolicy, subjectOf } from "./linted-policy.ts";

/** Below these the names of many projects lie that have nothing to do with each other. */
const SHARED_PREFIXES = ["org.freedesktop", "com.github", "io.github", "org.gnome", "org.kde"];

export function lintOwning(policy: LintedPolicy): Finding[] {
  return [
    ...everythingOwned(policy),
    ...policy.ownRules.flatMap((rule) => [
      ...ownedByEverybody(policy, rule),
      ...tooManyNames(policy, rule),
    ]),
    ...ownedBySeveral(policy),
    ...servicesWithoutOwner(policy),
    ...namesWithoutOwner(policy),
    ...ownersWithoutCaller(policy),
  ];
}

function everythingOwned(policy: LintedPolicy): Finding[] {
  const { isAllowed, decidedBy } = policy.owns(null);
  if (policy.isSessionBus || !isAllowed || decidedBy === null) return [];
  return [
    findingOf(
      decidedBy,
      "error",
      "everything-owned",
      "everybody may own every name, and pass for any service",
      `<deny own="*"/> in its place, and for each service <policy user="USER"><allow own="NAME"/></policy>`,
    ),
  ];
}

function ownedByEverybody(policy: LintedPolicy, rule: OwnRule): Finding[] {
  const { allows, name, context } = rule;
  const isForAll = context.kind === "default" || context.kind === "mandatory";
  if (policy.isSessionBus || !allows || name === null || !isForAll) return [];
  if (policy.owns(null).isAllowed || policy.owns(name.name).decidedBy !== rule) return [];
  return [
    findingOf(
      rule,
      "warning",
      "owned-by-everybody",
      `everybody may take ${name.name} before the service does, and pass for it`,
      `<policy user="USER">${rewritten(rule, {})}</policy>, with the user that the service runs as`,
    ),
  ];
}

function tooManyNames(policy: LintedPolicy, rule: OwnRule): Finding[] {
  const { allows, name, context } = rule;
  if (policy.isSessionBus || !allows || isRoot(context)) return [];
  if (context.kind === "default" && name === null) return [];
  if (name !== null && !name.isPrefix) return [];
  const isWide = name === null || !name.name.includes(".") || SHARED_PREFIXES.includes(name.name);
  if (!isWide || policy.owns(name?.name ?? null, context).decidedBy !== rule) return [];
  const names = name === null ? "every name" : `every name that begins with ${name.name}`;
  return [
    findingOf(
      rule,
      "warning",
      "own-too-wide",
      `${subjectOf(context)} may own ${names}, and pass for services of others`,
      rewritten(rule, { own: policy.serviceOf(rule) ?? "NAME" }, ["own", "own_prefix"]),
    ),
  ];
}

function ownedBySeveral(policy: LintedPolicy): Finding[] {
  const first = new Map<string, OwnRule>();
  return policy.ownRules.flatMap((rule) => {
    const { allows, name, context, origin } = rule;
    if (!allows || name === null || name.isPrefix) return [];
    const before = first.get(name.name);
    if (before === undefined) first.set(name.name, rule);
    if (before === undefined || before.origin.file === origin.file) return [];
    const isSame = JSON.stringify(before.context) === JSON.stringify(context);
    const place = `${before.origin.file}:${before.origin.line}`;
    return [
      findingOf(
        rule,
        isSame ? "note" : "warning",
        "owned-twice",
        isSame
          ? `${place} says the same about ${name.name}`
          : `${subjectOf(before.context)} may own ${name.name}, too, by ${place}`,
        isSame ? null : "one file for each name: take the rule out of the other one",
      ),
    ];
  });
}

function servicesWithoutOwner(policy: LintedPolicy): Finding[] {
  return policy.subject.services
    .filter(({ name }) => !policy.maySomebodyOwn(name))
    .map(({ name, file, user }) => ({
      level: "error",
      code: "service-without-owner",
      origin: { file, line: 0, element: `Name=${name}` },
      text: "nobody may own this name: the service is started in vain",
      advice: `<policy user="${user ?? "USER"}"><allow own="${name}"/></policy>`,
    }));
}

/** Such as by a slip of the pen. */
function namesWithoutOwner(policy: LintedPolicy): Finding[] {
  const told = new Set([DRIVER_NAME as string]);
  return policy.sendRules.flatMap((rule) => {
    const { allows, destination } = rule;
    if (!allows || destination === null || destination.isPrefix) return [];
    const { name } = destination;
    if (name.startsWith(":") || told.has(name) || policy.maySomebodyOwn(name)) return [];
    told.add(name);
    return [
      findingOf(
        rule,
        "note",
        "name-without-owner",
        `nobody may own ${name}: unless another package is missing, this allows nothing`,
      ),
    ];
  });
}

function ownersWithoutCaller(policy: LintedPolicy): Finding[] {
  if (policy.isOpen) return [];
  const told = new Set<string>();
  return policy.ownRules.flatMap((rule) => {
    if (!rule.allows || rule.name === null || rule.name.isPrefix || told.has(rule.name.name))
      return [];
    const { name } = rule.name;
    told.add(name);
    const isAddressed = policy.sendRules.some(
      ({ allows, destination }) =>
        allows &&
        destination !== null &&
        (destination.name === name ||
          (destination.isPrefix && name.startsWith(`${destination.name}.`))),
    );
    if (isAddressed) return [];
    return [
      findingOf(
        rule,
        "note",
        "owner-without-caller",
        `no rule lets anybody call ${name}`,
        `<policy context="default"><allow send_destination="${name}"/></policy>`,
      ),
    ];
  });
}
