/** What a method takes, as its object describes it. */

import type { Client } from "../client/index.ts";
import { signatureOf } from "../introspection/model.ts";
import { misuse } from "./command-problem.ts";
import { objectHint } from "./error-hints.ts";
import { findInterface, introspectObject } from "./introspect-object.ts";

/** @throws CommandProblem if it does not say; DBusError if it does not answer */
export async function methodSignature(
  client: Client,
  destination: string,
  path: string,
  interfaceName: string,
  member: string,
): Promise<string> {
  const node = await introspectObject(client, destination, path);
  const method = findInterface(node, interfaceName)?.methods.find(({ name }) => name === member);
  if (method !== undefined) return signatureOf(method.inputs);
  throw misuse(
    `${path} of ${destination} does not describe a method ${interfaceName}.${member}: give its signature before --args`,
    objectHint(node, path, interfaceName, member),
  );
}
