/** Medians over rounds, and ratios between buses with their spread. */

/** A ratio of two series of rounds: the median of the ratios of each round, and their extremes. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
}

/** The middle value; the mean of the two middle ones of an even number; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? 0;
  const lower = sorted[(sorted.length - 1) >> 1] ?? 0;
  return (lower + upper) / 2;
}

/**
 * How `subject` compares to `reference`, round by round: what disturbs the machine for longer than
 * a round disturbs both, and so leaves the ratio alone. Rounds in which either was not measured
 * (null) are left out; the ratio is null when none is left.
 */
export function ratioOf(
  subject: readonly (number | null)[],
  reference: readonly (number | null)[],
): Ratio | null {
  const ratios = subject.flatMap((value, round) => {
    const other = reference[round] ?? null;
    return value === null || other === null || other === 0 ? [] : [value / other];
  });
  const middle = median(ratios);
  if (middle === null) return null;
  return { median: middle, least: Math.min(...ratios), greatest: Math.max(...ratios) };
}
