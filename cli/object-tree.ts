/** The objects of a bus name, found by introspection from the root on; bounded, since a service can invent them forever. */

import type { Client } from "../client/index.ts";
import type { NodeDescription } from "../introspection/model.ts";
import { isObjectPath } from "../wire/object-path.ts";
import { introspectObject } from "./introspect-object.ts";

export interface TreeLimits {
  readonly objects: number;
  /** Elements of a path. */
  readonly depth: number;
  /** For the whole tree. */
  readonly timeoutMs: number;
  /** Where to begin; default: the root. */
  readonly from?: string;
  /** May the bus start the owner of the name? Default true. */
  readonly autoStart?: boolean;
}

export interface ObjectTree {
  readonly name: string;
  /** Of the objects that could be introspected, in the order of their characters. */
  readonly paths: readonly string[];
  readonly failures: readonly { readonly path: string; readonly reason: string }[];
  /** What was not looked at, in words. */
  readonly cuts: readonly string[];
}

const CALLS_AT_ONCE = 16;

export async function discoverObjects(
  client: Client,
  name: string,
  limits: TreeLimits,
): Promise<ObjectTree> {
  const paths: string[] = [];
  const failures: { path: string; reason: string }[] = [];
  const cuts: string[] = [];
  const { from = "/", autoStart = true } = limits;
  const known = new Set([from]);
  const waiting = [from];
  const deadlineMs = performance.now() + limits.timeoutMs;
  let isOver = false;
  let tooDeep = 0;
  let tooMany = false;

  const look = async (path: string): Promise<void> => {
    try {
      const timeoutMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
      const node = await introspectObject(client, name, path, { timeoutMs, autoStart });
      paths.push(path);
      for (const child of childPaths(path, node)) add(child);
    } catch (error) {
      isOver ||= hasTimedOut(error);
      if (isOver) waiting.unshift(path);
      else failures.push({ path, reason: reasonOf(error) });
    }
  };
  const add = (path: string): void => {
    if (known.has(path)) return;
    if (path.split("/").length - 1 > limits.depth) {
      tooDeep++;
    } else if (known.size >= limits.objects) {
      tooMany = true;
    } else {
      known.add(path);
      waiting.push(path);
    }
  };

  while (waiting.length > 0 && !isOver) {
    await Promise.all(waiting.splice(0, CALLS_AT_ONCE).map(look));
  }
  if (waiting.length > 0) {
    cuts.push(
      `no answer within ${limits.timeoutMs} ms for ${counted(waiting.length)}, such as ${waiting[0]}`,
    );
  }
  if (tooMany) cuts.push(`there are more than ${counted(limits.objects)}: the rest is left out`);
  if (tooDeep > 0) cuts.push(`${counted(tooDeep)} more than ${limits.depth} levels deep left out`);
  return { name, paths: paths.sort(), failures, cuts };
}

/** All that the description of an object has below it, however deep; some services write absolute paths. */
function childPaths(path: string, node: NodeDescription): string[] {
  return node.children.flatMap((child) => {
    const name = child.name ?? "";
    const childPath = name.startsWith("/") ? name : `${path === "/" ? "" : path}/${name}`;
    return isObjectPath(childPath) ? [childPath, ...childPaths(childPath, child)] : [];
  });
}

function counted(count: number): string {
  return count === 1 ? "1 object" : `${count} objects`;
}

/** No call may take longer than what is left for the whole tree. */
function hasTimedOut(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ONEHOP_TIMEOUT";
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "text" in error && typeof error.text === "string" ? error.text : error.message;
}
