/** What an object has, with the values of its properties, in busctl's order. */

import type { Client } from "../client/index.ts";
import {
  type Annotation,
  annotationOf,
  type InterfaceDescription,
  type NodeDescription,
  signatureOf,
} from "../introspection/model.ts";
import type { Variant } from "../wire/variant.ts";

export interface Member {
  readonly interface: string;
  readonly type: "interface" | "method" | "property" | "signal";
  /** Of an interface its own. */
  readonly name: string;
  /** Types of what goes in, of a property its own; null: there are none. */
  readonly signature: string | null;
  /** Types of what a method returns. */
  readonly result: string | null;
  /** null: nobody said. */
  readonly value: Variant | null;
  readonly flags: readonly string[];
}

export interface ObjectMembers {
  readonly members: readonly Member[];
  /** Why an interface's properties have no values. */
  readonly failures: readonly { readonly interface: string; readonly reason: string }[];
}

/** `only`: just the members of this interface. */
export async function membersOf(
  client: Client,
  name: string,
  path: string,
  node: NodeDescription,
  only: string | null,
): Promise<ObjectMembers> {
  const failures: { interface: string; reason: string }[] = [];
  const described = node.interfaces
    .filter((each) => only === null || each.name === only)
    .sort((one, other) => compare(one.name, other.name));
  const members: Member[] = [];
  for (const each of described) {
    const values = await valuesOf(client, name, path, each).catch((error: Error) => {
      const reason = "text" in error && typeof error.text === "string" ? error.text : error.message;
      failures.push({ interface: each.name, reason: reason.trim() });
      return new Map<string, Variant>();
    });
    const own = interfaceMembers(each, values);
    members.push(...(only === null ? own : own.slice(1)));
  }
  return { members, failures };
}

async function valuesOf(
  client: Client,
  destination: string,
  path: string,
  { name, properties }: InterfaceDescription,
): Promise<ReadonlyMap<string, Variant>> {
  if (!properties.some(({ access }) => access !== "write")) return new Map();
  const { signature, body } = await client.call({
    destination,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "GetAll",
    signature: "s",
    body: [name],
  });
  if (signature !== "a{sv}") throw new Error(`GetAll was answered with ${signature || "nothing"}`);
  return body[0] as Map<string, Variant>; // just checked
}

/** The interface itself first. */
function interfaceMembers(
  description: InterfaceDescription,
  values: ReadonlyMap<string, Variant>,
): Member[] {
  const { name: interfaceName, methods, properties, signals } = description;
  const common = { interface: interfaceName, result: null, value: null };
  return [
    {
      ...common,
      type: "interface",
      name: interfaceName,
      signature: null,
      flags: deprecated(description),
    },
    ...byName(methods).map((method): Member => {
      const isSilent = annotationOf(method, "org.freedesktop.DBus.Method.NoReply") === "true";
      return {
        ...common,
        type: "method",
        name: method.name,
        signature: signatureOf(method.inputs) || null,
        result: signatureOf(method.outputs) || null,
        flags: [...deprecated(method), ...(isSilent ? ["no-reply"] : [])],
      };
    }),
    ...byName(properties).map((property): Member => {
      const value = values.get(property.name);
      return {
        ...common,
        type: "property",
        name: property.name,
        signature: property.signature,
        value: value?.signature === property.signature ? value : null,
        flags: [
          ...deprecated(property),
          ...changeFlags(property, description),
          ...(property.access === "read" ? [] : ["writable"]),
        ],
      };
    }),
    ...byName(signals).map(
      (signal): Member => ({
        ...common,
        type: "signal",
        name: signal.name,
        signature: signatureOf(signal.args) || null,
        flags: deprecated(signal),
      }),
    ),
  ];
}

type Annotated = { readonly annotations: readonly Annotation[] };

function deprecated(described: Annotated): string[] {
  return annotationOf(described, "org.freedesktop.DBus.Deprecated") === "true"
    ? ["deprecated"]
    : [];
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format */
function changeFlags(property: Annotated, description: Annotated): string[] {
  const key = "org.freedesktop.DBus.Property.EmitsChangedSignal";
  switch (annotationOf(property, key) ?? annotationOf(description, key)) {
    case "const":
      return ["const"];
    case "invalidates":
      return ["emits-invalidation"];
    case "false":
      return [];
    default:
      return ["emits-change"];
  }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...items].sort((one, other) => compare(one.name, other.name));
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
