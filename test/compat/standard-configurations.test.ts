/** The configurations built in for machines without dbus-daemon's own. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";
import type { Configuration } from "../../compat/dbus-daemon/configuration.ts";
import { builtInConfiguration } from "../../compat/dbus-daemon/standard-configurations.ts";
import { testWithProgram } from "./programs.ts";

for (const kind of ["session", "system"] as const) {
  testWithProgram(
    `/usr/share/dbus-1/${kind}.conf`,
    `the built-in ${kind} configuration means what the installed one means`,
    () => {
      const folder = mkdtempSync(join(tmpdir(), "onehop-builtin-"));
      const path = join(folder, `${kind}.conf`);
      writeFileSync(path, builtInConfiguration[kind]);
      const builtIn = loadConfiguration({ kind: "file", path }).configuration;
      const installed = loadConfiguration({ kind }).configuration;
      const meaningOf = (configuration: Configuration | null): object => ({
        ...configuration,
        policyRules: configuration?.policyRules.map(({ origin: _, ...rule }) => rule),
        warnings: [],
      });
      rmSync(folder, { recursive: true });
      expect(builtIn).not.toBeNull();
      expect(meaningOf(builtIn)).toEqual(meaningOf(installed));
    },
  );
}
