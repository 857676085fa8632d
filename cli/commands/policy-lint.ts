/** `onehop policy lint`: what a configuration does not protect, and what of it cannot work. */

import type { Argv } from "yargs";
import { providedServices } from "../../bus/index.ts";
import { ExitStatus } from "../exit-status.ts";
import { type JsonMode, jsonModeOf } from "../json-mode.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { lintPolicy } from "../policy/lint/lint.ts";
import {
  addPolicySourceOptions,
  type PolicySourceOptions,
  readPolicySource,
} from "../policy/policy-source.ts";
import { paintFor } from "../print/colour.ts";
import { findingsJson, formatFindings } from "../print/findings.ts";
import { formatJson } from "../print/json.ts";
import { tellingProblems } from "../with-bus.ts";

interface LintOptions extends PolicySourceOptions {
  readonly json: JsonMode;
}

export const policyLintCommand: LoadedCommand<LintOptions> = {
  builder: addOptions,
  handler: lint,
};

function addOptions(yargs: Argv): Argv<LintOptions> {
  const own = yargs.usage(
    `onehop policy lint [options]\n\nRead a configuration, with everything that it includes, and say what it does not protect, and what of it cannot work`,
  );
  return addPolicySourceOptions(own)
    .option("json", {
      alias: "j",
      describe: "Print JSON: =short on one line, =pretty, alone pretty on a terminal",
      type: "string",
      default: "off",
      coerce: (mode: string) => jsonModeOf(mode),
    })
    .epilogue(
      [
        "Exit status:",
        `  ${ExitStatus.Success}  there is nothing to report, or only notes`,
        `  ${ExitStatus.Findings}  there are errors or warnings`,
        `  ${ExitStatus.Usage}  the command line makes no sense, or no daemon would start with the configuration`,
      ].join("\n"),
    );
}

async function lint(given: LintOptions): Promise<void> {
  await tellingProblems(async () => {
    const { path, configuration } = readPolicySource(given);
    // Service files that are wrong are for the bus to tell, when it starts.
    const services = providedServices(configuration.serviceDirectories, () => {});
    const findings = lintPolicy({ path, configuration, services });
    const { length } = configuration.policyRules;
    process.stdout.write(
      given.json === "off"
        ? formatFindings(findings, length, paintFor(process.stdout))
        : formatJson(findingsJson(findings, length), given.json),
    );
    const isClean = findings.every(({ level }) => level === "note");
    process.exitCode = isClean ? ExitStatus.Success : ExitStatus.Findings;
  });
}
