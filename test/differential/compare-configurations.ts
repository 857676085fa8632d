/** Writes configurations to a folder and asks dbus-daemon and this bus what they make of them. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Random } from "../fuzz/random.ts";
import { type ConfigurationCase, configurationCases } from "./configuration-cases.ts";
import { type Verdict, verdictOfDbusDaemon, verdictOfOnehop } from "./configuration-verdicts.ts";
import { knownDifferences } from "./known-configuration-differences.ts";

export interface Comparison {
  /** Of those that both agree on. */
  readonly accepted: number;
  readonly refused: number;
  /** How often each wanted difference showed. */
  readonly known: ReadonlyMap<string, number>;
  /** Each in a few lines. */
  readonly failures: readonly string[];
}

export async function compareConfigurations(random: Random, count: number): Promise<Comparison> {
  const failures: string[] = [];
  const known = new Map<string, number>();
  let accepted = 0;
  let refused = 0;
  for (const given of configurationCases(random, count)) {
    const [dbusDaemon, onehop] = await inFolder(given.files, async (folder) => [
      await verdictOfDbusDaemon(folder),
      await verdictOfOnehop(folder),
    ]);
    if (isEqual(dbusDaemon, onehop)) {
      if (onehop.addresses > 0) accepted++;
      else refused++;
      continue;
    }
    const reason = await wantedDifference(given, dbusDaemon);
    if (reason === null) failures.push(describe(given, dbusDaemon, onehop));
    else known.set(reason, (known.get(reason) ?? 0) + 1);
  }
  return { accepted, refused, known, failures };
}

/** The reason of the known difference that explains dbus-daemon's verdict, or `null`. */
async function wantedDifference(
  { files }: ConfigurationCase,
  dbusDaemon: Verdict,
): Promise<string | null> {
  for (const { reason, altered } of knownDifferences) {
    const others = altered(files);
    if (others === null) continue;
    if (isEqual(await inFolder(others, verdictOfOnehop), dbusDaemon)) return reason;
  }
  return null;
}

async function inFolder<Result>(
  files: ConfigurationCase["files"],
  judge: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "onehop-differential-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), at(folder, content));
    }
    return await judge(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** With the folder's path where `@D@` is written, in whatever encoding. */
function at(folder: string, content: string | Uint8Array): string | Uint8Array {
  if (typeof content === "string") return content.replaceAll("@D@", folder);
  let bytes = Buffer.from(content);
  for (const encode of [
    (text: string): Buffer => Buffer.from(text),
    (text: string): Buffer => Buffer.from(text, "utf16le"),
    (text: string): Buffer => Buffer.from(text, "utf16le").swap16(),
  ]) {
    const wanted = encode("@D@");
    for (let found = bytes.indexOf(wanted); found !== -1; found = bytes.indexOf(wanted)) {
      const after = bytes.subarray(found + wanted.length);
      bytes = Buffer.concat([bytes.subarray(0, found), encode(folder), after]);
    }
  }
  return bytes;
}

function isEqual(one: Verdict, other: Verdict): boolean {
  return (
    one.addresses === other.addresses &&
    one.connects === other.connects &&
    one.names.join() === other.names.join()
  );
}

function describe(given: ConfigurationCase, dbusDaemon: Verdict, onehop: Verdict): string {
  const line = ({ addresses, connects, names, told }: Verdict): string =>
    `${addresses} addresses, ${connects ? "lets in" : "keeps out"}, [${names}] ${told.trim()}`;
  return [
    given.description,
    `  dbus-daemon: ${line(dbusDaemon)}`,
    `  onehop:      ${line(onehop)}`,
  ].join("\n");
}
