/** The exit statuses of onehop's own making; `onehop run` otherwise passes on that of its command. */

export const ExitStatus = {
  Success: 0,
  /** What was asked for could not be done: the bus could not start, a call was answered with an error. */
  Failure: 1,
  /** `explain`: the message does not match the rule, or no message of the capture does. */
  NoMatch: 1,
  /** `policy why`: it is denied, or some of what the question leaves open is. */
  Denied: 1,
  /** `policy lint`: there are errors or warnings. */
  Findings: 1,
  /** The command line makes no sense, or what it names cannot be read. */
  Usage: 2,
  /** The bus to talk to cannot be reached. */
  Unreachable: 3,
  /** `run`: the command was not run: the command line makes no sense, or the bus could not start. As dbus-run-session. */
  NoRun: 127,
  /** `run`: the command was found and cannot be executed. */
  NotExecutable: 126,
  /** `run`: there is no such command. */
  NotFound: 127,
  /** `run`: added to the number of the signal that ended the command. */
  Signalled: 128,
} as const;

/** For the help of commands that talk to a bus. */
export const EXIT_STATUSES: string = [
  "Exit status:",
  `  ${ExitStatus.Success}  it was done`,
  `  ${ExitStatus.Failure}  it was not: an error reply, no reply in time, the connection was lost`,
  `  ${ExitStatus.Usage}  the command line makes no sense, an argument does not fit its type`,
  `  ${ExitStatus.Unreachable}  the bus cannot be reached`,
].join("\n");
