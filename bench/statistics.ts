/** Medians and percentiles, by nearest rank: no figure is reported that was not measured. */

export interface Percentiles {
  p50: number;
  p99: number;
  count: number;
}

export function percentiles(samples: number[]): Percentiles | null {
  const sorted = samples.toSorted((a, b) => a - b);
  const p50 = rank(sorted, 0.5);
  const p99 = rank(sorted, 0.99);
  return p50 === undefined || p99 === undefined ? null : { p50, p99, count: sorted.length };
}

/** NaN when nothing was measured. */
export function median(values: number[]): number {
  return (
    rank(
      values.toSorted((a, b) => a - b),
      0.5,
    ) ?? Number.NaN
  );
}

function rank(sorted: number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
