// The table of the time that checks and downstream take. Pure.

import { countOf, type Quantile, quantileOf } from "../quantile.ts";
import { BUCKET_BOUNDS, type Histogram, type Snapshot } from "../snapshot.ts";
import { formatCount, formatSeconds } from "./figures.ts";
import { foreign, html, type Markup } from "./html.ts";

// There are about 20 names. More would be a fault elsewhere, and must not make the page long.
const ROWS_SHOWN = 30;
const NAME_LIMIT = 60;

// The bar goes from a millisecond to the highest bound, and each power of ten has the same width.
const LEAST = 0.001;
const WIDTH = 200;

interface Row {
  readonly name: string;
  readonly histogram: Histogram | undefined;
  /** Undefined for downstream. */
  readonly errors: number | undefined;
}

export function checksTable({ checkSeconds, checkErrors, downstreamSeconds }: Snapshot): Markup {
  const names = [...new Set([...Object.keys(checkSeconds), ...Object.keys(checkErrors)])].slice(0, ROWS_SHOWN);
  const rows: Row[] = names.map((name) => ({ name, histogram: checkSeconds[name], errors: checkErrors[name] ?? 0 }));
  rows.push({ name: "downstream", histogram: downstreamSeconds, errors: undefined });
  return html`
    <table class="checks">
      <caption>
        <h2>Time per message</h2>
        <p>50 % and 95 % took no longer; since start</p>
      </caption>
      <thead>
        <tr>
          <th scope="col">Check</th>
          <th scope="col" class="n count">Messages</th>
          <th scope="col" class="n">50 %</th>
          <th scope="col" class="n">95 %</th>
          <th scope="col" class="n">Errors</th>
        </tr>
      </thead>
      <tbody>
    ${rows.map(rowOf)}</tbody>
    </table>
  `;
}

function rowOf({ name, histogram, errors }: Row): Markup {
  const half = histogram && quantileOf(histogram, 0.5);
  const most = histogram && quantileOf(histogram, 0.95);
  return html`
    <tr>
      <th scope="row">${foreign(name, NAME_LIMIT)}${bar(half, most)}</th>
      <td class="n count">${formatCount(histogram ? countOf(histogram) : 0)}</td>
      <td class="n">${time(half)}</td>
      <td class="n">${time(most)}</td>
      <td class="n${errors ? " alarm" : " zero"}">${errors === undefined ? "–" : formatCount(errors)}</td>
    </tr>
  `;
}

function time(quantile: Quantile | undefined): string {
  if (!quantile) return "–";
  return `${quantile.isMore ? "> " : ""}${formatSeconds(quantile.seconds)}`;
}

function bar(half: Quantile | undefined, most: Quantile | undefined): Markup | undefined {
  if (!half || !most) return undefined;
  const from = placeOf(half.seconds);
  const width = Math.max(3, placeOf(most.seconds) - from);
  return html`
    <svg class="span" aria-hidden="true" viewBox="0 0 ${WIDTH} 6" preserveAspectRatio="none">
      <rect class="rail" width="${WIDTH}" height="6" />
      <rect class="range" x="${Math.min(from, WIDTH - 3)}" width="${width}" height="6" />
    </svg>
  `;
}

function placeOf(seconds: number): number {
  const place = Math.log(Math.max(LEAST, seconds) / LEAST) / Math.log(BUCKET_BOUNDS.at(-1)! / LEAST);
  return Math.round(place * WIDTH);
}
