/** What a word of a command line could become, as far as the bus and the objects on it tell in time. */

import type { Client } from "../../client/index.ts";
import { type InterfaceDescription, signatureOf } from "../../introspection/model.ts";
import { isBusName } from "../../wire/names.ts";
import { isObjectPath } from "../../wire/object-path.ts";
import { listActivatableNames, listNames } from "../driver-calls.ts";
import { findInterface, introspectObject } from "../introspect-object.ts";
import { discoverObjects } from "../object-tree.ts";

/** What a positional word of a command is. */
export type WordKind =
  | "subject"
  | "name"
  | "path"
  | "interface"
  | "method"
  | "property"
  | "methodSignature"
  | "propertySignature";

/** The kinds of the words of each command; the last one of `tree` and `get-property` goes on. */
export const WORD_KINDS: Readonly<Record<string, readonly WordKind[]>> = {
  call: ["name", "path", "interface", "method", "methodSignature"],
  "get-property": ["name", "path", "interface", "property"],
  "set-property": ["name", "path", "interface", "property", "propertySignature"],
  introspect: ["name", "path", "interface"],
  tree: ["name"],
  status: ["name"],
  monitor: ["name"],
  "policy why": ["subject", "name", "path", "interface", "method"],
};

/** How many objects are looked at for a path. */
const OBJECTS = 2_000;

/**
 * All that could stand there, whatever has been typed of it; `before` are the words before it. Nobody is started
 * for it.
 */
export async function candidatesFor(
  client: Client,
  kind: WordKind,
  [name = "", path = "", interfaceName = "", member = ""]: readonly string[],
  current: string,
  timeoutMs: number,
): Promise<readonly string[]> {
  const options = { timeoutMs, autoStart: false };
  if (kind === "subject") return listNames(client, options);
  if (kind === "name") {
    const [owned, activatable] = await Promise.all([
      listNames(client, options),
      listActivatableNames(client, options),
    ]);
    const isWanted = (each: string): boolean => current.startsWith(":") || !each.startsWith(":");
    return [...new Set([...owned, ...activatable])].filter(isWanted);
  }
  if (!isBusName(name)) return [];
  if (kind === "path") {
    const from = current.slice(0, current.lastIndexOf("/")) || "/";
    if (!isObjectPath(from)) return [];
    const limits = { objects: OBJECTS, depth: 64, from, ...options };
    return (await discoverObjects(client, name, limits)).paths;
  }
  if (!isObjectPath(path)) return [];
  const node = await introspectObject(client, name, path, options);
  if (kind === "interface") return node.interfaces.map((each) => each.name);
  const found = findInterface(node, interfaceName);
  return found === null ? [] : membersFor(kind, found, member);
}

function membersFor(
  kind: Exclude<WordKind, "subject" | "name" | "path" | "interface">,
  { methods, properties }: InterfaceDescription,
  member: string,
): readonly string[] {
  switch (kind) {
    case "method":
      return methods.map(({ name }) => name);
    case "property":
      return properties.map(({ name }) => name);
    case "methodSignature":
      return methods
        .filter(({ name }) => name === member)
        .map(({ inputs }) => signatureOf(inputs))
        .filter((signature) => signature !== "");
    case "propertySignature":
      return properties.filter(({ name }) => name === member).map(({ signature }) => signature);
  }
}
