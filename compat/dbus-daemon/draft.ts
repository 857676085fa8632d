/** What has been read of a configuration so far. */

import type { Limits, PolicyRule, ServiceDirectory } from "../../bus/index.ts";
import type { Mechanism } from "../../transport/mechanism.ts";
import type { Problem } from "./configuration.ts";
import type { Mention } from "./mention.ts";

/** Everything that the files have said, the last thing last. */
export interface Draft {
  type: string | null;
  user: string | null;
  pidFile: string | null;
  forks: boolean;
  keepsUmask: boolean;
  usesSyslog: boolean;
  allowsAnonymous: boolean;
  transientServiceDirectory: string | null;
  limits: Partial<Record<keyof Limits, number>>;
  readonly unenforcedLimits: string[];
  readonly listen: string[];
  readonly authentication: Mechanism[];
  readonly serviceDirectories: ServiceDirectory[];
  serviceHelper: string | null;
  readonly watchedDirectories: string[];
  readonly policyRules: PolicyRule[];
  readonly selinuxAssociations: Mention[];
  readonly unknownMechanisms: Mention[];
  readonly warnings: Problem[];
}

export function emptyDraft(): Draft {
  return {
    type: null,
    user: null,
    pidFile: null,
    forks: false,
    keepsUmask: false,
    usesSyslog: false,
    allowsAnonymous: false,
    transientServiceDirectory: null,
    limits: {},
    unenforcedLimits: [],
    listen: [],
    authentication: [],
    serviceDirectories: [],
    serviceHelper: null,
    watchedDirectories: [],
    policyRules: [],
    selinuxAssociations: [],
    unknownMechanisms: [],
    warnings: [],
  };
}

// They only grow.
const lists = [
  "unenforcedLimits",
  "listen",
  "authentication",
  "watchedDirectories",
  "policyRules",
  "selinuxAssociations",
  "unknownMechanisms",
  "warnings",
] as const;

/**
 * Remembers a draft before a file that may be dropped as a whole; the function that is returned gives it back
 * as it was, once. What the lists have is not copied: there may be hundreds of files with thousands of rules.
 */
export function remember(draft: Draft): () => Draft {
  const lengths = lists.map((list) => draft[list].length);
  const before = {
    ...draft,
    limits: { ...draft.limits },
    serviceDirectories: [...draft.serviceDirectories],
  };
  return () => {
    for (const [index, list] of lists.entries()) draft[list].length = lengths[index] ?? 0;
    return before;
  };
}
