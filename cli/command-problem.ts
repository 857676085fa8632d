/** What kept a command from being done, for whoever typed it. */

import { ExitStatus } from "./exit-status.ts";

type ProblemStatus =
  | typeof ExitStatus.Failure
  | typeof ExitStatus.Usage
  | typeof ExitStatus.Unreachable;

/** Thrown anywhere in a command; `tellProblem` prints it. */
export class CommandProblem extends Error {
  override readonly name = "CommandProblem";
  readonly status: ProblemStatus;
  /** What to do about it, or null. */
  readonly hint: string | null;

  constructor(text: string, status: ProblemStatus, hint: string | null = null) {
    super(text);
    this.status = status;
    this.hint = hint;
  }
}

/** The command line makes no sense. */
export function misuse(text: string, hint: string | null = null): CommandProblem {
  return new CommandProblem(text, ExitStatus.Usage, hint);
}

/** What was asked for could not be done. */
export function failure(text: string, hint: string | null = null): CommandProblem {
  return new CommandProblem(text, ExitStatus.Failure, hint);
}
