/** What a bus configuration file says, as values. */

import type { Limits, PolicyRule, ServiceDirectory } from "../../bus/index.ts";
import type { Mechanism } from "../../transport/mechanism.ts";

/** Something wrong or not obeyed in a configuration; `line` counts from 1 and is 0 when it is the whole file. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** The element as it is written, for example `<deny own="*">`; empty when there is none to name. */
  readonly element: string;
  readonly text: string;
  /** The elements that led to the file, the innermost first. */
  readonly includedFrom: readonly Place[];
}

export interface Place {
  readonly file: string;
  readonly line: number;
}

/** `file:line: <element>: text (included from file:line)`, the form in which every problem is told. */
export function describeProblem({ file, line, element, text, includedFrom }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}`;
  const chain = includedFrom.map((include) => `included from ${include.file}:${include.line}`);
  const told = chain.length === 0 ? text : `${text} (${chain.join(", ")})`;
  return element === "" ? `${place}: ${told}` : `${place}: ${element}: ${told}`;
}

/** A configuration with everything included merged in; lists are in the order of the files. */
export interface Configuration {
  readonly type: string | null;
  readonly user: string | null;
  readonly forks: boolean;
  readonly keepsUmask: boolean;
  readonly usesSyslog: boolean;
  readonly pidFile: string | null;
  readonly listen: readonly string[];
  /** SASL mechanisms; empty means every one that the bus has. */
  readonly authentication: readonly Mechanism[];
  readonly allowsAnonymous: boolean;
  readonly limits: Partial<Limits>;
  /** Names of limits that are set and that this bus does not enforce. */
  readonly unenforcedLimits: readonly string[];
  /** Absolute or as written relative to the file; without repetitions. */
  readonly serviceDirectories: readonly ServiceDirectory[];
  /** The program of a system bus that starts services as other users, if there is one. */
  readonly serviceHelper: string | null;
  /** `$XDG_RUNTIME_DIR/dbus-1/services` if the configuration asks for it; to be created. */
  readonly transientServiceDirectory: string | null;
  /** In the order of the files; their contexts say in which order they are applied. */
  readonly policyRules: readonly PolicyRule[];
  /** What to watch for files that come, go or change: every `<includedir>`. */
  readonly watchedDirectories: readonly string[];
  /** What is understood and not obeyed, or looks like a mistake. */
  readonly warnings: readonly Problem[];
}

/** The elements that dbus-daemon, too, looks at only when it starts. */
const startElements: Readonly<Record<string, (configuration: Configuration) => unknown>> = {
  type: ({ type }) => type,
  user: ({ user }) => user,
  fork: ({ forks }) => forks,
  keep_umask: ({ keepsUmask }) => keepsUmask,
  syslog: ({ usesSyslog }) => usesSyslog,
  pidfile: ({ pidFile }) => pidFile,
  listen: ({ listen }) => listen.join(),
  auth: ({ authentication }) => authentication.join(),
  allow_anonymous: ({ allowsAnonymous }) => allowsAnonymous,
};

/** The elements in which `next` differs and that a reload does not change, such as `<listen>`. */
export function changedForNextStart(before: Configuration, next: Configuration): string[] {
  return Object.entries(startElements)
    .filter(([, valueIn]) => valueIn(before) !== valueIn(next))
    .map(([element]) => `<${element}>`);
}

/** One line about limits that are set and not enforced, or `null`. */
export function describeUnenforcedLimits({ unenforcedLimits }: Configuration): string | null {
  if (unenforcedLimits.length === 0) return null;
  return `limits that are not enforced yet: ${unenforcedLimits.join(", ")}`;
}
