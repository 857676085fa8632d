/** Lengths of time on the command line. */

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1_000,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/** Milliseconds: `5`, `0.5`, `500ms`, `2min`, `1min 30s`, or Infinity for `infinity`. */
export function parseTimeSpan(text: string): number {
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  let total = 0;
  const rest = text.replaceAll(
    /\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|sec|s|min|m|h|)(?![a-z0-9.])/g,
    (_all, number: string, unit: string) => {
      total += Number(number) * (MILLISECONDS[unit] ?? 0);
      return "";
    },
  );
  if (rest !== "" || total === 0) {
    throw new Error(
      `${JSON.stringify(text)} is no length of time: expected such as 5, 0.5, 500ms, 2min or infinity`,
    );
  }
  return total;
}
