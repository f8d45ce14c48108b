// What a histogram says about the durations in it. Pure.

import { BUCKET_BOUNDS, type Histogram } from "./snapshot.ts";

export function countOf({ buckets }: Histogram): number {
  return buckets.reduce((sum, count) => sum + count, 0);
}

export interface Quantile {
  readonly seconds: number;
  /** It is in the bucket without a bound: it is more than `seconds`. */
  readonly isMore: boolean;
}

/**
 * The duration that the part `part` of all durations (0.95: 95 %) does not exceed. Undefined if there are none. It is an
 * estimate as Prometheus makes it: the durations in a bucket count as spread evenly.
 */
export function quantileOf(histogram: Histogram, part: number): Quantile | undefined {
  const rank = countOf(histogram) * part;
  if (rank === 0) return undefined;
  let below = 0;
  for (const [at, bound] of BUCKET_BOUNDS.entries()) {
    const count = histogram.buckets[at] ?? 0;
    if (count > 0 && below + count >= rank) {
      const from = BUCKET_BOUNDS[at - 1] ?? 0;
      return { seconds: from + (bound - from) * ((rank - below) / count), isMore: false };
    }
    below += count;
  }
  return { seconds: BUCKET_BOUNDS.at(-1)!, isMore: true };
}
