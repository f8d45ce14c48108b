// The tables of the benchmarks, in Markdown: pure functions.

import { type Bars, type Claim, isReached, type Lines, type Part, type Wanted } from "./findings.ts";
import { formatNumber, formatSize, formatSpread } from "./numbers.ts";
import { spreadOf } from "./compare.ts";

/** The table of a part: a row for each way, or for each place on the horizontal axis. */
export function formatTable(part: Part): string {
  return part.kind === "bars" ? tableOfBars(part) : tableOfLines(part);
}

/** The table of some claims, with what is wanted and the bound where there are such. Empty without claims. */
export function formatClaims(claims: readonly Claim[]): string {
  if (claims.length === 0) return "";
  const hasWanted = claims.some(({ wanted }) => wanted);
  const hasBound = claims.some(({ bound }) => bound);
  const title = ["Claim", "Measured", ...hasWanted ? ["Wanted", "Reached"] : [], ...hasBound ? ["Bound"] : []];
  const rows = claims.map((claim) => [
    claim.what,
    `${formatSpread(claim.values)} ${claim.unit}`,
    ...hasWanted ? [claim.wanted ? formatWanted(claim.wanted) : "", formatReached(claim)] : [],
    ...hasBound ? [claim.bound ?? ""] : [],
  ]);
  return formatRows(title, rows);
}

/** A table. A `|` in a cell is no border. */
export function formatRows(title: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(title), `|${"---|".repeat(title.length)}`, ...rows.map(line)].join("\n");
}

function tableOfBars({ bars, unit }: Bars): string {
  return formatRows(
    ["", `${unit}, median`, "least", "greatest"],
    bars.map(({ name, values }) => {
      const { middle, low, high } = spreadOf(values);
      return [name, ...[middle, low, high].map(formatNumber)];
    }),
  );
}

function tableOfLines({ lines, x, unit }: Lines): string {
  const places = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const rows = places.map((place) => [
    x.isSize ? formatSize(place) : place.toLocaleString("en"),
    ...lines.map(({ points }) => {
      const point = points.find(({ x }) => x === place);
      return point ? formatSpread(point.values) : "";
    }),
  ]);
  return `${formatRows([x.title, ...lines.map(({ name }) => name)], rows)}\n\nIn ${unit}.`;
}

function formatWanted(wanted: Wanted): string {
  return "atMost" in wanted ? `≤ ${wanted.atMost}` : `≥ ${wanted.atLeast}`;
}

function formatReached(claim: Claim): string {
  const reached = isReached(claim);
  return reached === undefined ? "" : reached ? "yes" : "**no**";
}
