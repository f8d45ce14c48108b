// Tests of lib/metrics/quantile.ts: what a histogram says about durations.

import assert from "node:assert/strict";
import { countOf, quantileOf } from "../../lib/metrics/quantile.ts";
import { BUCKET_BOUNDS, type Histogram } from "../../lib/metrics/snapshot.ts";

/** A histogram with these counts, by the index of the bucket. */
function histogram(counts: Readonly<Record<number, number>>): Histogram {
  return { buckets: [...BUCKET_BOUNDS, Infinity].map((_, at) => counts[at] ?? 0), sum: 0 };
}

const LAST = BUCKET_BOUNDS.length;

const ROWS: readonly [
  counts: Readonly<Record<number, number>>,
  part: number,
  seconds: number | undefined,
  isMore?: boolean,
][] = [
  [{}, 0.5, undefined],
  // The buckets end at 5, 10, 25 and 50 ms.
  [{ 0: 10 }, 0.5, 0.0025],
  [{ 0: 10 }, 1, 0.005],
  [{ 1: 1 }, 0.5, 0.0075],
  [{ 0: 50, 1: 50 }, 0.5, 0.005],
  [{ 0: 50, 1: 50 }, 0.95, 0.0095],
  // Empty buckets between them.
  [{ 0: 90, 3: 10 }, 0.9, 0.005],
  [{ 0: 90, 3: 10 }, 0.95, 0.0375],
  [{ [LAST - 1]: 4 }, 1, 300],
  // Nobody knows how long these took.
  [{ [LAST]: 1 }, 0.5, 300, true],
  [{ 0: 94, [LAST]: 6 }, 0.95, 300, true],
];

Deno.test("a quantile lies in its bucket, as Prometheus estimates it", () => {
  for (const [counts, part, seconds, isMore = false] of ROWS) {
    const found = quantileOf(histogram(counts), part);
    assert.equal(found === undefined, seconds === undefined, JSON.stringify(counts));
    if (!found || seconds === undefined) continue;
    assert.ok(Math.abs(found.seconds - seconds) < 1e-9, `${JSON.stringify(counts)} ${part}: ${found.seconds}`);
    assert.equal(found.isMore, isMore);
  }
});

Deno.test("the count of a histogram has the bucket without a bound too", () => {
  assert.equal(countOf(histogram({ 0: 1, 5: 2, [LAST]: 4 })), 7);
});
