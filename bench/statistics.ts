/** Medians over rounds, and ratios between buses with their spread. */

/** A ratio of two series of rounds: the median of the ratios of each round, and their extremes. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** Holds the true median with at least 95 % confidence; null for fewer than six rounds, which cannot tell. */
  readonly interval: Interval | null;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const CONFIDENCE = 0.95;

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
  const [least, greatest] = [Math.min(...ratios), Math.max(...ratios)];
  return { median: middle, least, greatest, interval: intervalOfMedian(ratios) };
}

/**
 * A confidence interval of the median from order statistics, whatever the distribution: of n values each lies
 * below the true median with probability 1/2, so the k-th least and the k-th greatest hold it between them with
 * probability 1 − 2 P(B(n, 1/2) < k). The narrowest such interval of at least 95 %.
 */
export function intervalOfMedian(values: readonly number[]): Interval | null {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  let cut = 0;
  // P(B = 0) and P(B < 1) to begin with.
  let exactly = 0.5 ** count;
  let below = exactly;
  while (1 - 2 * below >= CONFIDENCE) {
    cut++;
    exactly *= (count - cut + 1) / cut;
    below += exactly;
  }
  const low = sorted[cut - 1];
  const high = sorted[count - cut];
  return low === undefined || high === undefined ? null : { low, high };
}
