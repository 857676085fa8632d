/** Which words of the command line are onehop's, and which belong to somebody else. */

export interface CommandLine {
  /** What yargs may read. */
  readonly ours: readonly string[];
  /** A program and its words, or arguments that begin with dashes: to the letter. */
  readonly theirs: readonly string[];
}

/** Options of `run` whose value may be the next word. */
const VALUE_OPTIONS_OF_RUN: ReadonlySet<string> = new Set(["--config-file", "--dbus-daemon"]);

/**
 * What follows the first `--` is theirs. `run` is as dbus-run-session(1): there the first word that is no option names
 * the program, and all that follows is its own, further `--` included.
 */
export function splitCommandLine(words: readonly string[]): CommandLine {
  const end = words[0] === "run" ? programIndex(words) : words.indexOf("--");
  if (end === -1) return { ours: words, theirs: [] };
  const from = words[end] === "--" ? end + 1 : end;
  return { ours: words.slice(0, end), theirs: words.slice(from) };
}

/** Where `--` is, or the program of `run`; -1 if neither is there. */
function programIndex(words: readonly string[]): number {
  for (let index = 1; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--" || !word.startsWith("-")) return index;
    if (VALUE_OPTIONS_OF_RUN.has(word)) index++;
  }
  return -1;
}
