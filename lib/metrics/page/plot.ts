// Plots of the last hour: bars for each minute, as inline SVG. Pure.
//
// The drawing stretches with the page. Its labels are HTML beside it, so that they stay legible on a narrow screen. The
// colours are classes of the style sheet. Each minute has its figures as a title, which a pointer shows.

import { formatCount } from "./figures.ts";
import { type Content, html, Markup } from "./html.ts";
import type { Slot } from "./hour.ts";

/** The bars of one kind. */
export interface Series {
  /** The class that colours it. */
  readonly colour: string;
  readonly of: (slot: Slot) => number;
}

export interface PlotWords {
  readonly id: string;
  readonly title: string;
  /** What it shows, with its most important figures, for people who do not see it. */
  readonly summary: string;
  /** The figures of a minute. */
  readonly figures: (slot: Slot) => string;
  /** A time of day. */
  readonly clock: (time: number) => string;
}

// Units of the drawing, which have no fixed size on a screen.
const STEP = 10;
const BAR = 8;
const HEIGHT = 100;
const QUARTERS = 4;

/** A figure with one plot. The bars of a minute stand on each other, in the order of `series`. */
export function plot(slots: readonly Slot[], series: readonly Series[], words: PlotWords): Markup {
  const { id, title, summary, clock } = words;
  const width = slots.length * STEP;
  const top = roundUp(Math.max(...slots.map((slot) => series.reduce((sum, { of }) => sum + of(slot), 0))));
  const labels = [...stepsOf(slots)].map((slot) => html`<span>${clock(slot.time)}</span>`);
  return html`
    <figure class="plot">
      <figcaption>
        <h2 id="${id}">${title}</h2>
        <p>${summary}</p>
      </figcaption>
      <div class="frame">
        <div class="up" aria-hidden="true"><span>${formatCount(top)}</span><span>${formatCount(
          top / 2,
        )}</span><span>0</span></div>
        <svg role="img" aria-label="${title}: ${summary}" viewBox="0 0 ${width} ${HEIGHT}"
          preserveAspectRatio="none">
    ${before(slots)}<path class="grid" d="M0 .5H${width}M0 ${HEIGHT / 2}H${width}${Array.from(
      { length: QUARTERS },
      (_, at) => `M${at * width / QUARTERS} 0V${HEIGHT}`,
    ).join("")}"/>
    ${bars(slots, series, top)}
    ${slots.map((slot, at) => hit(at, [clock(slot.time), slot.isBefore ? "not running" : words.figures(slot)]))}
        </svg>
        <div class="along" aria-hidden="true">${labels}<b>now</b></div>
      </div>
    </figure>
  `;
}

function* stepsOf(slots: readonly Slot[]): Generator<Slot> {
  for (let at = 0; at < slots.length; at += slots.length / QUARTERS) yield slots[at]!;
}

// The time before the start looks different from a time without mail.
function before(slots: readonly Slot[]): Content {
  const count = slots.filter(({ isBefore }) => isBefore).length;
  return count > 0 && html`
        <rect class="before" width="${count * STEP}" height="${HEIGHT}" />
      ` || undefined;
}

// A path for each kind. The last minute is not over, so it has paths of its own, which are paler.
function bars(slots: readonly Slot[], series: readonly Series[], top: number): Markup[] {
  const heights = slots.map(() => 0);
  return series.map(({ colour, of }) => {
    const shapes = slots.map((slot, at) => {
      const value = of(slot);
      if (value <= 0) return "";
      const from = heights[at]!;
      heights[at] = from + value / top * HEIGHT;
      const left = at * STEP + (STEP - BAR) / 2;
      return `M${left} ${short(HEIGHT - from)}h${BAR}V${short(HEIGHT - heights[at]!)}h-${BAR}z`;
    });
    const last = shapes.pop();
    return html`
      <path class="${colour}" d="${shapes.join("")}" />
      <path class="${colour} now" d="${last}" />
    `;
  });
}

function hit(at: number, figures: readonly string[]): Markup {
  const text = figures.join(": ");
  return html`
    <rect class="hit" x="${at * STEP}" width="${STEP}" height="${HEIGHT}">
      <title>${text}</title>
    </rect>
  `;
}

function short(value: number): string {
  return String(Number(value.toFixed(2)));
}

/** The least even number of one digit and zeros that is not below `value`. */
export function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 4, 6, 8, 10].map((digit) => digit * unit).find((round) => round >= value && round % 2 === 0)!;
}
