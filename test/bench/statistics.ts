/** One round: both sides right after each other, so that a busy machine is as busy for both. */
export interface Pair {
  readonly ours: number;
  readonly peer: number;
}

/** @throws {RangeError} Of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take a median: at least one value is wanted");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** The medians of both sides, and that of the ratios within each round, which is what counts. */
export function summary(pairs: readonly Pair[]): { ours: number; peer: number; ratio: number } {
  return {
    ours: median(pairs.map(({ ours }) => ours)),
    peer: median(pairs.map(({ peer }) => peer)),
    ratio: median(pairs.map(({ ours, peer }) => ours / peer)),
  };
}
