/** A folder of configuration files, and what loading the first of them comes to. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type LoadResult, loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";
import { type Configuration, describeProblem } from "../../compat/dbus-daemon/configuration.ts";
import type { SecurityModules } from "../../compat/dbus-daemon/security-elements.ts";

/** Whatever this machine has. */
const noSecurity: SecurityModules = {
  selinux: "absent",
  selinuxRoot: "/none",
  hasAppArmor: false,
};

export class ConfigurationFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "onehop-configuration-"));

  /** Writes files, given as path and bytes, contents of <busconfig>, or a document. */
  write(files: Readonly<Record<string, string | Uint8Array>>): void {
    for (const [name, contents] of Object.entries(files)) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      const isWhole =
        typeof contents !== "string" ||
        contents.startsWith("<busconfig") ||
        /^<[?!]/.test(contents);
      writeFileSync(path, isWhole ? contents : `<busconfig>${contents}</busconfig>`);
    }
  }

  /** Loads `a.conf` after writing it, with a <listen> of its own, and the others. */
  load(
    contents: string | Uint8Array,
    others: Readonly<Record<string, string | Uint8Array>> = {},
    security: Partial<SecurityModules> = {},
    environment: Readonly<Record<string, string>> = {},
  ): LoadResult {
    this.write({ "a.conf": contents, ...others });
    const surroundings = { environment, security: { ...noSecurity, ...security } };
    return loadConfiguration({ kind: "file", path: join(this.path, "a.conf") }, surroundings);
  }

  /** What is wrong, without the folder's own path, or `null`. */
  problemOf({ problem }: LoadResult): string | null {
    return problem === null ? null : this.#without(describeProblem(problem));
  }

  warningsOf(result: LoadResult): string[] {
    const { warnings } = configurationOf(result);
    return warnings
      .map((warning) => this.#without(describeProblem(warning)))
      .filter((text) => !text.includes("no <policy> allows"));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #without(text: string): string {
    return text.replaceAll(`${this.path}/`, "");
  }
}

export function configurationOf({ configuration, problem }: LoadResult): Configuration {
  if (configuration === null) throw new Error(describeProblem(problem));
  return configuration;
}
