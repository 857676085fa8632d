/** Splits `Exec=` into words as a shell would, without anything that a shell would expand. */

/** Why a command line cannot be split, in dbus-daemon's words. */
export interface CommandLineProblem {
  readonly problem: string;
}

/**
 * Quotes, backslashes and comments as in POSIX's shell command language. Two things are dbus-daemon's own: an
 * unquoted newline ends a word even if there is none, which gives an empty one, and so do blanks at the end of
 * the line; and a `#` begins a comment in the middle of a word, too.
 */
export function parseCommandLine(text: string): readonly string[] | CommandLineProblem {
  const words: string[] = [];
  let word = "";
  /** A word that has quotes is one even if there is nothing between them. */
  let hasWord = false;
  const end = (): void => {
    words.push(word);
    word = "";
    hasWord = false;
  };
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at++);
    if (character === "\\") {
      if (at === text.length) return UNCLOSED;
      const next = text.charAt(at++);
      if (next === "\n") continue;
      word += next;
      hasWord = true;
    } else if (character === "'" || character === '"') {
      const closed = quoted(text, at, character);
      if (closed === null) return UNCLOSED;
      word += closed.content;
      at = closed.end;
      hasWord = true;
    } else if (character === "#") {
      const newline = text.indexOf("\n", at);
      // A comment of no characters still waits for its end.
      if (newline < 0 && at === text.length) return UNCLOSED;
      at = newline < 0 ? text.length : newline + 1;
    } else if (character === "\n") {
      end();
    } else if (character === " " || character === "\t") {
      if (hasWord) end();
    } else {
      word += character;
      hasWord = true;
    }
  }
  end();
  return words;
}

const UNCLOSED: CommandLineProblem = { problem: "Unclosed quotes in command line" };

/** What is inside the quotes that were opened before `from`, and where to go on; null if they are not closed. */
function quoted(
  text: string,
  from: number,
  quote: string,
): { content: string; end: number } | null {
  let content = "";
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === quote) return { content, end: at + 1 };
    if (character === "\\" && quote === '"' && at + 1 < text.length) {
      const next = text.charAt(++at);
      content += '"\\`$\n'.includes(next) ? next : `\\${next}`;
    } else {
      content += character;
    }
  }
  return null;
}
