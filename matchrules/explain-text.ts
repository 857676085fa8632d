/** Verdicts in words. */

import { DRIVER_NAME } from "../wire/protocol.ts";
import type { KeyVerdict } from "./explain.ts";
import type { NearMiss } from "./near-miss.ts";

const NAMES_SHOWN = 4;

/** Who owns a name: a unique name, `null` for nobody, `undefined` if that is not known. */
export type OwnerOf = (name: string) => string | null | undefined;

/** Why a key is not met, and what may have been meant; "" if it is met. */
export function verdictText(decided: KeyVerdict, ownerOf: OwnerOf = () => undefined): string {
  const { key, verdict } = decided;
  switch (verdict.kind) {
    case "met":
      return "";
    case "absent":
      return `the message has no ${key === "path_namespace" ? "path" : key}`;
    case "different":
      return withHint(`another ${fieldName(key)}`, hint(decided, verdict.nearMiss));
    case "outside":
      return withHint("not below it", hint(decided, verdict.nearMiss));
    case "unrelated":
      return withHint(
        "neither ends with a slash and is above the other",
        hint(decided, verdict.nearMiss),
      );
    case "noArgument":
      return `the message has ${countText(verdict.count)}`;
    case "wrongType":
      return wrongTypeText(key, verdict.signature);
    case "otherSender":
      return otherSenderText(decided, verdict.owned, ownerOf);
    case "otherDestination":
      return "the message is for a connection without that name";
    case "broadcast":
      return "the message has no destination";
    case "unicast":
      return "the message is for one connection: of the others, only those with eavesdrop='true' get it";
    case "never":
      return "a rule with destination and without eavesdrop='true' matches nothing";
  }
}

function fieldName(key: string): string {
  return key.startsWith("arg") ? "text" : key;
}

function withHint(text: string, hint: string | null): string {
  return hint === null ? text : `${text}: ${hint}`;
}

function hint({ key, wanted }: KeyVerdict, nearMiss: NearMiss | null): string | null {
  switch (nearMiss) {
    case null:
      return null;
    case "case":
      return "upper and lower case differ";
    case "whiteSpace":
      return "white space differs";
    case "trailingSlash":
      return "only the slash at the end differs";
    case "boundary":
      return `a namespace ends at a ${key === "path_namespace" ? "slash" : "dot"}`;
    case "below":
      return belowHint(key, wanted);
    case "above":
      return "it is above that, not below";
  }
}

/** What would have matched. */
function belowHint(key: string, wanted: string): string {
  const below = "it is below that";
  if (key === "path") return `${below}, which path_namespace would match`;
  if (key.endsWith("path")) return `${below}, which ${key}='${wanted}/' would match`;
  if (wanted.includes("/"))
    return `${below}, which ${key}path='${wanted.replace(/\/?$/, "/")}' would match`;
  return key === "arg0" ? `${below}, which arg0namespace would match` : below;
}

function countText(count: number): string {
  if (count === 0) return "no arguments";
  return count === 1 ? "only 1 argument" : `only ${count} arguments`;
}

function wrongTypeText(key: string, signature: string): string {
  const index = /\d+/.exec(key)?.[0] ?? "";
  const type = signature === "o" ? "an object path (o)" : `of type ${signature}`;
  if (key.endsWith("path")) return `argument ${index} is ${type}, not a string or object path`;
  const also = signature === "o" && key === `arg${index}` ? `: ${key}path compares both` : "";
  return `argument ${index} is ${type}, not a string${also}`;
}

function otherSenderText(
  { wanted, saw }: KeyVerdict,
  owned: readonly string[],
  ownerOf: OwnerOf,
): string {
  if (saw === null) return "the message does not say who sent it";
  if (saw === DRIVER_NAME) return "the bus itself sent it";
  const names = owned.length === 0 ? "" : `; the sender owns ${listText(owned)}`;
  if (wanted.startsWith(":")) return `another connection${names}`;
  const owner = ownerOf(wanted);
  if (owner === undefined) return `the sender is not known to own ${wanted}${names}`;
  return `${wanted} is owned by ${owner ?? "nobody"}${names}`;
}

function listText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
