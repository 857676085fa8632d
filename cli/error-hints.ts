/** What to do about an error reply, as far as the bus and the object can tell. */

import type { Client, DBusError } from "../client/index.ts";
import {
  type InterfaceDescription,
  type NodeDescription,
  signatureOf,
} from "../introspection/model.ts";
import { DBusErrorName } from "../wire/error-names.ts";
import { listActivatableNames, listNames } from "./driver-calls.ts";
import { findInterface, introspectObject } from "./introspect-object.ts";
import { oneLine } from "./print/table.ts";
import { similarTo } from "./similar.ts";

/** Nobody waits long for a hint. */
const HINT_TIMEOUT_MS = 2_000;
const LISTED = 12;

/** Lines of text, or null. Never throws. */
export async function hintFor(client: Client, error: DBusError): Promise<string | null> {
  const { call, errorName } = error;
  const { destination, path, member } = call ?? {};
  if (call === null || destination == null || path == null || member == null) return null;
  const options = { timeoutMs: HINT_TIMEOUT_MS };
  try {
    switch (errorName) {
      case DBusErrorName.ServiceUnknown:
        return await namesHint(client, destination);
      case DBusErrorName.UnknownMethod:
      case DBusErrorName.UnknownInterface:
      case DBusErrorName.InvalidArgs:
      case DBusErrorName.UnknownObject:
      case DBusErrorName.UnknownProperty: {
        const node = await introspectObject(client, destination, path, options);
        return objectHint(node, path, call.interface, member);
      }
      default:
        return null;
    }
  } catch {
    // Then there is no hint: the error itself has been told.
    return null;
  }
}

/** Names that are almost this one. */
export async function namesHint(client: Client, name: string): Promise<string> {
  const options = { timeoutMs: HINT_TIMEOUT_MS };
  const names = await Promise.all([
    listNames(client, options),
    listActivatableNames(client, options),
  ]);
  const similar = similarTo(name, new Set(names.flat()));
  return similar.length === 0
    ? "names that there are: onehop list"
    : `similar names on the bus: ${similar.join(", ")}`;
}

/** What there is at the object instead of what was asked for. */
export function objectHint(
  node: NodeDescription,
  path: string,
  interfaceName: string | null,
  member: string,
): string | null {
  const found = findInterface(node, interfaceName);
  if (found === null) {
    const names = node.interfaces.map(({ name }) => name);
    if (names.length > 0) return `interfaces of ${path}: ${listed(names)}`;
    const children = node.children.flatMap(({ name }) => name ?? []);
    return children.length === 0 ? null : `objects below ${path}: ${listed(children)}`;
  }
  const method = found.methods.find(({ name }) => name === member);
  if (method !== undefined) return `the method is ${describeMethod(method)}`;
  const methods = found.methods.map(describeMethod);
  return methods.length === 0 ? null : `methods of ${found.name}: ${listed(methods)}`;
}

/** `RequestName(s name, u flags) → u`. */
function describeMethod({
  name,
  inputs,
  outputs,
}: InterfaceDescription["methods"][number]): string {
  const args = inputs.map((input) =>
    input.name === null ? input.signature : `${input.signature} ${oneLine(input.name, 32)}`,
  );
  const result = outputs.length === 0 ? "" : ` → ${signatureOf(outputs)}`;
  return `${name}(${args.join(", ")})${result}`;
}

function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED ? `, and ${texts.length - LISTED} more` : "";
  return texts.slice(0, LISTED).join(", ") + more;
}
