// How the page of the benchmarks writes numbers: pure functions.

import { spreadOf, type Values } from "./compare.ts";

/** Three significant digits at most, and no exponent: 0.0312, 2.07, 31.4, 1,460. A ratio to 0 is a question mark. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || size === 0) return value.toFixed(2);
  return value.toFixed(Math.min(4, 2 - Math.floor(Math.log10(size))));
}

/** The median, and the least and the greatest value: `1.42 (1.39 to 1.51)`. One value stands alone. */
export function formatSpread(values: Values): string {
  const { middle, low, high } = spreadOf(values);
  if (values.length === 1) return formatNumber(middle);
  return `${formatNumber(middle)} (${formatNumber(low)} to ${formatNumber(high)})`;
}

/** Octets in units of 1000, for round sizes: 5 kB, 100 MB. */
export function formatSize(octets: number): string {
  if (octets >= 1e6) return `${octets / 1e6} MB`;
  return octets >= 1e3 ? `${octets / 1e3} kB` : `${octets} B`;
}
