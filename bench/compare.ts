/** Another commit of this repository, built in a temporary worktree, to be measured beside this tree. */

import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Children, Finished } from "./children.ts";
import { ROOT } from "./machine.ts";

const LIMIT_MS = 600_000;

/** A checkout that can be built and thrown away. */
export interface Worktree {
  readonly directory: string;
  remove(): Promise<void>;
}

/**
 * Checks `reference` out beside this tree and builds it with the packages of this tree, which is
 * said on standard error where the two want different ones.
 *
 * @returns the worktree, or what went wrong
 */
export async function buildWorktree(
  reference: string,
  children: Children,
  interruption: AbortSignal,
): Promise<Worktree | string> {
  const parent = mkdtempSync(join(tmpdir(), "onehop-bench-"));
  const directory = join(parent, "tree");
  const remove = async (): Promise<void> => {
    await children.run(["git", "worktree", "remove", "--force", directory], LIMIT_MS, ROOT);
    rmSync(parent, { recursive: true, force: true });
  };
  const added = await children.run(
    ["git", "worktree", "add", "--quiet", "--detach", directory, reference],
    LIMIT_MS,
    ROOT,
  );
  if (added.code !== 0) {
    await remove();
    return `cannot check out ${reference}: ${textOf(added)}`;
  }

  if (fileIn(directory, "package-lock.json") !== fileIn(ROOT, "package-lock.json"))
    console.error(`bench: ${reference} locks other packages; it is built with those of this tree`);
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  for (const script of buildScripts(directory)) {
    const built = await children.run(["npm", "run", "--silent", script], LIMIT_MS, directory);
    if (interruption.aborted) break;
    // A type error somewhere does not keep the bus from being built; what is missing shows later.
    if (built.code !== 0)
      console.error(`bench: 'npm run ${script}' reports errors in ${reference}: ${textOf(built)}`);
  }
  return { directory, remove };
}

/** The scripts that build that tree, as far as it has them. */
function buildScripts(directory: string): readonly string[] {
  const manifest: unknown = JSON.parse(fileIn(directory, "package.json"));
  const scripts: unknown = Object(manifest).scripts;
  return ["build:native", "build"].filter((script) => Object(scripts)[script] !== undefined);
}

function fileIn(directory: string, name: string): string {
  return readFileSync(join(directory, name), "utf8");
}

function textOf(finished: Finished): string {
  return `${finished.stdout}${finished.stderr}`.trim();
}
