/** `--json`, `--json=short`, `--json=pretty` and `-j`, as busctl has them. */

/** Readable text, or JSON on one line, or JSON with a line for each value. */
export type JsonMode = "off" | "short" | "pretty";

/** What was asked for; alone the option means JSON that suits whoever reads it. */
export function jsonModeOf(value: string, isTerminal: boolean = process.stdout.isTTY): JsonMode {
  switch (value) {
    case "":
    case "true":
      return isTerminal ? "pretty" : "short";
    case "off":
    case "short":
    case "pretty":
      return value;
    default:
      throw new Error(`--json=${value}: expected short, pretty or off`);
  }
}

/**
 * The same words with a value for each `--json` and `-j` that has none: yargs would take the next word for it,
 * such as the name of a bus.
 */
export function withJsonValues(words: readonly string[]): string[] {
  return words.map((word) => (word === "--json" || word === "-j" ? "--json=true" : word));
}
