/** What an object says of itself, asked over a bus. */

import type { CallOptions, Client } from "../client/index.ts";
import type { InterfaceDescription, NodeDescription } from "../introspection/model.ts";
import { parseIntrospection } from "../introspection/parse.ts";
import { failure } from "./command-problem.ts";

export interface IntrospectOptions extends CallOptions {
  /** May the bus start the owner of the name? Default true. */
  readonly autoStart?: boolean;
}

/** @throws DBusError if it is refused, or does not come in time */
export async function introspectionXml(
  client: Client,
  destination: string,
  path: string,
  options: IntrospectOptions = {},
): Promise<string> {
  const call = {
    destination,
    path,
    interface: "org.freedesktop.DBus.Introspectable",
    member: "Introspect",
    autoStart: options.autoStart ?? true,
  };
  const { signature, body } = await client.call(call, options);
  if (signature === "s") return String(body[0]);
  throw failure(
    `${destination} answered Introspect with ${signature || "nothing"} instead of a text`,
  );
}

/**
 * The same, read; what is wrong in it is left out.
 *
 * @throws as `introspectionXml`; CommandProblem if nothing of it can be read
 */
export async function introspectObject(
  client: Client,
  destination: string,
  path: string,
  options: IntrospectOptions = {},
): Promise<NodeDescription> {
  return readIntrospection(
    await introspectionXml(client, destination, path, options),
    destination,
    path,
  );
}

/** What came from an object, read. @throws CommandProblem if nothing of it can be read */
export function readIntrospection(xml: string, destination: string, path: string): NodeDescription {
  try {
    return parseIntrospection(xml, { onProblem: () => {} });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ONEHOP_INTROSPECTION") {
      throw failure(`${destination} at ${path}: ${error.message}`);
    }
    throw error;
  }
}

export function findInterface(
  node: NodeDescription,
  interfaceName: string | null,
): InterfaceDescription | null {
  return node.interfaces.find(({ name }) => name === interfaceName) ?? null;
}
