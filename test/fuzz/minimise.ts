/** Makes an input that fails as small as it can be and still fail. */

import { type Find, failureOf } from "./failure.ts";
import { linesOf } from "./mutate-lines.ts";
import type { Target } from "./target.ts";

/** A find is worth so long, no longer. */
const PATIENCE_MS = 5000;

/** The smallest failing input found, and how it fails; `what` if it does not fail alone. */
export async function minimised(
  make: () => Promise<Target>,
  input: Uint8Array,
  what: string,
): Promise<Find> {
  const end = performance.now() + PATIENCE_MS;
  let smallest: Find = { what, input };
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    const failure = await failureOf(make, candidate);
    if (failure !== null) smallest = { what: failure, input: candidate };
    return failure !== null;
  };
  if (!(await attempt(input))) {
    return { what: `${what}\n(not with this input alone)`, input };
  }
  const lines = await withoutPieces(linesOf(input), end, (rest) =>
    attempt(Buffer.from(rest.join("\n"), "latin1")),
  );
  const bytes = Buffer.from(lines.join("\n"), "latin1");
  await withoutPieces([...bytes], end, (rest) => attempt(Uint8Array.from(rest)));
  return smallest;
}

/** `list` without all pieces that `stillFails` can do without: halves first, then ever smaller ones. */
async function withoutPieces<T>(
  list: readonly T[],
  end: number,
  stillFails: (rest: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let rest = list;
  for (let size = list.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < rest.length && performance.now() < end; ) {
      const shorter = [...rest.slice(0, at), ...rest.slice(at + size)];
      if (await stillFails(shorter)) rest = shorter;
      else at += size;
    }
  }
  return rest;
}
