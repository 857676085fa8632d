/** Programs as targets: a whole daemon, attackers, and neighbours that must not notice. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Outcome } from "./child.ts";

const LOADER = pathToFileURL(join(import.meta.dirname, "loader.mjs")).href;

/** By target: `hostile` are peers of the neighbours' own user, `users` are other users. */
export const HOSTILE_PROGRAMS: Readonly<Record<string, string>> = {
  hostile: "hostile.mjs",
  users: "users.mjs",
};

export async function runHostile(target: string, seconds: number, seed: number): Promise<Outcome> {
  const started = performance.now();
  const program = join(import.meta.dirname, HOSTILE_PROGRAMS[target] ?? target);
  const args = ["--import", LOADER, program, "--seconds", String(seconds), "--seed", String(seed)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const attacks = /^attacks: (.*)$/m.exec(output)?.[1];
  // hostile.mjs printed an object of counts
  const counts = Object.values(JSON.parse(attacks ?? "{}")) as number[];
  return {
    target,
    inputs: counts.reduce((sum, count) => sum + count, 0),
    milliseconds: performance.now() - started,
    kept: [],
    keptCount: 0,
    blocks: 0,
    find: code === 0 ? null : { what: `it failed: see above; seed ${seed}`, input: null },
  };
}
