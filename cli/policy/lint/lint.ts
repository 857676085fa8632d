/** Everything that there is to say about a policy, in the order of the files. */

import { lintContexts } from "./contexts.ts";
import type { Finding } from "./finding.ts";
import { LintedPolicy, type LintSubject } from "./linted-policy.ts";
import { lintWhatNeverDecides } from "./never-decides.ts";
import { lintWhatNeverFits } from "./never-fits.ts";
import { lintOwning } from "./owning.ts";
import { lintReceiving } from "./receiving.ts";
import { lintSending } from "./sending.ts";

const LINTS = [
  lintContexts,
  lintWhatNeverFits,
  lintWhatNeverDecides,
  lintOwning,
  lintSending,
  lintReceiving,
];

/** Files in the order in which their first rule is read, lines ascending. */
export function lintPolicy(subject: LintSubject): readonly Finding[] {
  const policy = new LintedPolicy(subject);
  const findings = LINTS.flatMap((lint) => lint(policy));
  const files = [...new Set(policy.rules.map(({ origin }) => origin.file))];
  const order = ({ origin }: Finding): number => {
    const at = files.indexOf(origin.file);
    return at < 0 ? files.length : at;
  };
  return findings.sort(
    (one, other) => order(one) - order(other) || one.origin.line - other.origin.line,
  );
}
