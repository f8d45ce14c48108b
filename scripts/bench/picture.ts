// The pictures of the benchmarks: pure functions from findings to SVG.
//
// A picture has its own background. It is light or dark as the reader's system is. All that colours say, words or shapes
// say too. A title and a description tell it to a screen reader. Bars begin at 0. An axis of lines is logarithmic if its values
// differ much, or begins at 0.

import { spreadOf } from "./compare.ts";
import type { Bars, Lines, Part } from "./findings.ts";
import { formatNumber, formatSize } from "./numbers.ts";

const WIDTH = 800;
const MARGIN = 16;

const STYLE = `
  .ground { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
  .quiet { fill: #59636e; font-size: 12px } .axis { stroke: #d1d9e0 } .spread { stroke: #1f2328; stroke-width: 1.5 }
  .other { fill: #afb8c1 } .ours { fill: #4493f8 }
  .line { fill: none; stroke-width: 2 } .s0 { --c: #0969da } .s1 { --c: #bc4c00 } .s2 { --c: #1a7f37 } .s3 { --c: #8250df }
  .s4 { --c: #0b7285 } .s5 { --c: #bf3989 }
  .line { stroke: var(--c) } .mark { fill: var(--c) }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .axis { stroke: #3d444d } .spread { stroke: #e6edf3 }
    .other { fill: #656c76 } .ours { fill: #1f6feb } .s0 { --c: #58a6ff } .s1 { --c: #f0883e } .s2 { --c: #3fb950 } .s3 { --c: #bc8cff }
    .s4 { --c: #39c5cf } .s5 { --c: #f778ba }
  }
`;

/** The picture of a part: a whole SVG document. */
export function formatPicture(part: Part): string {
  return part.kind === "bars" ? pictureOfBars(part) : pictureOfLines(part);
}

// --- bars

/** Of the room that a letter takes, at most on average. */
const LETTER = 7.2;
const VALUES = 90;
const ROW = 30;

function pictureOfBars(part: Bars): string {
  const rows = part.bars.map((bar) => ({ ...bar, ...spreadOf(bar.values) }));
  const most = Math.max(...rows.map(({ high }) => high)) || 1;
  const start = Math.ceil(MARGIN + 12 + LETTER * Math.max(...rows.map(({ name }) => name.length)));
  // A difference may be less than 0 by chance. Then it has no bar.
  const scale = (value: number) => Math.max(0, value) * (WIDTH - start - VALUES - MARGIN) / most;
  const top = 58;
  const shapes = rows.flatMap(({ name, isOurs, middle, low, high }, at) => {
    const y = top + at * ROW;
    const centre = y + 9;
    const [from, to] = [start + scale(low), start + scale(high)];
    return [
      text(start - 8, y + 13, name, { anchor: "end" }),
      `<rect class="${isOurs ? "ours" : "other"}" x="${start}" y="${y}" width="${fixed(scale(middle))}" height="18"/>`,
      ...high > low
        ? [
          `<path class="spread" d="M${fixed(from)} ${centre}H${fixed(to)}M${fixed(from)} ${centre - 4}v8M${fixed(to)} ${
            centre - 4
          }v8"/>`,
        ]
        : [],
      text(Math.max(to, start) + 8, y + 13, formatNumber(middle)),
    ];
  });
  const bottom = top + rows.length * ROW;
  shapes.push(`<path class="axis" d="M${start} ${top - 6}V${bottom - 4}"/>`);
  const said = rows.map(({ name, middle, low, high }) =>
    `${name}: ${formatNumber(middle)}, from ${formatNumber(low)} to ${formatNumber(high)}`
  );
  const legend = `${unitOf(part)} Bar: median of the rounds. Line: least to greatest.`;
  return document(part, { height: bottom + MARGIN - 4, legend, said, shapes });
}

// --- lines

const LEFT = 76;
const PLOT = 300;

interface Scale {
  readonly isLogarithmic: boolean;
  readonly place: (value: number) => number;
}

function pictureOfLines(part: Lines): string {
  const lines = part.lines.map(({ name, points }) => ({
    name,
    // A logarithmic axis has no place for 0, which is less than the clock can tell.
    points: points.map(({ x, values }) => ({ x, ...spreadOf(values) })).filter(({ low }) => low > 0).sort((a, b) =>
      a.x - b.x
    ),
  }));
  const all = lines.flatMap(({ points }) => points);
  const names = placeNames(lines.map(({ name }) => name));
  const top = names.at(-1)!.y + 14;
  const bottom = top + PLOT;
  const places = [...new Set(all.map(({ x }) => x))];
  const across = scaleOf(places, MARGIN + LEFT, WIDTH - MARGIN);
  const heights = all.flatMap(({ low, high }) => [low, high]);
  const up = scaleOf(heights, bottom, top);
  const showX = part.x.isSize ? formatSize : (value: number) => value.toLocaleString("en");
  const shapes = [
    ...places.flatMap((tick) => [
      `<path class="axis" d="M${fixed(across.place(tick))} ${top}V${bottom}"/>`,
      text(across.place(tick), bottom + 18, showX(tick), { anchor: "middle", kind: "quiet" }),
    ]),
    ...ticksOf(heights, up).flatMap((tick) => [
      `<path class="axis" d="M${MARGIN + LEFT} ${fixed(up.place(tick))}H${WIDTH - MARGIN}"/>`,
      text(MARGIN + LEFT - 8, up.place(tick) + 4, plainNumber(tick), { anchor: "end", kind: "quiet" }),
    ]),
    text((WIDTH + LEFT) / 2, bottom + 38, part.x.title, { anchor: "middle" }),
  ];
  for (const [at, { name, points }] of lines.entries()) {
    const marks = points.map(({ x, middle }) => [across.place(x), up.place(middle)] as const);
    const path = marks.map(([x, y], step) => `${step === 0 ? "M" : "L"}${fixed(x)} ${fixed(y)}`).join("");
    const series = `s${at % SHAPES.length}`;
    const label = names[at]!;
    const spreads = points.filter(({ low, high }) => high > low).map(({ x, low, high }) =>
      `M${fixed(across.place(x))} ${fixed(up.place(low))}V${fixed(up.place(high))}`
    ).join("");
    shapes.push(
      `<g class="${series}"><path class="line" d="${path}"/>${spreads && `<path class="line" d="${spreads}"/>`}${
        marks.map(([x, y]) => mark(at, x, y)).join("")
      }${mark(at, label.x, label.y - 4)}</g>`,
      text(label.x + 12, label.y, name),
    );
  }
  const said = lines.map(({ name, points }) =>
    `${name}: ${points.map(({ x, middle }) => `${formatNumber(middle)} at ${showX(x)}`).join(", ")}`
  );
  const logarithmic = { 0: "", 1: " One axis is logarithmic.", 2: " Both axes are logarithmic." }[
    [across, up].filter(({ isLogarithmic }) => isLogarithmic).length
  ];
  const legend = `${unitOf(part)} Point: median of the rounds.${logarithmic}`;
  return document(part, { height: bottom + 38 + MARGIN, legend, said, shapes });
}

/** Values of which one is so many times another one are on a logarithmic axis. */
const WIDE = 20;

/** A scale of positive values from one edge to the other, with some room at both. */
function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLogarithmic = high / low > WIDE;
  const size = isLogarithmic ? Math.log10 : (value: number) => value;
  const least = isLogarithmic ? size(low) : 0;
  const room = 0.06 * (size(high) - least);
  const start = isLogarithmic ? least - room : 0;
  return { isLogarithmic, place: (value) => from + (size(value) - start) / (size(high) + room - start) * (to - from) };
}

/** Round values for the lines of a scale: powers of ten, or about five steps from 0. */
function ticksOf(values: readonly number[], { isLogarithmic }: Scale): number[] {
  const high = Math.max(...values);
  if (isLogarithmic) {
    const powers = [Math.ceil(Math.log10(Math.min(...values))), Math.floor(Math.log10(high))] as const;
    return Array.from({ length: powers[1] - powers[0] + 1 }, (_, at) => Number(`1e${powers[0] + at}`));
  }
  const power = 10 ** Math.floor(Math.log10(high / 4));
  const step = [1, 2, 5, 10].map((some) => some * power).find((some) => high / some <= 6)!;
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

/** Where the names of the lines stand, in as many rows as they need. */
function placeNames(names: readonly string[]): { x: number; y: number }[] {
  let [x, y] = [MARGIN + 8, 74];
  return names.map((name) => {
    const width = 36 + LETTER * name.length;
    if (x + width > WIDTH && x > MARGIN + 8) [x, y] = [MARGIN + 8, y + 22];
    const place = { x, y };
    x += width;
    return place;
  });
}

/** A circle, a square, a triangle, a diamond, a cross, and a triangle on its head. */
const SHAPES = [
  "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
  "m-4 -4h8v8h-8z",
  "m0 -5l5 9h-10z",
  "m0 -6l6 6l-6 6l-6 -6z",
  "m-5 -3l2 -2l3 3l3 -3l2 2l-3 3l3 3l-2 2l-3 -3l-3 3l-2 -2l3 -3z",
  "m0 5l5 -9h-10z",
];

function mark(series: number, x: number, y: number): string {
  return `<path class="mark" d="M${fixed(x)} ${fixed(y)}${SHAPES[series % SHAPES.length]}"/>`;
}

// --- both

interface Body {
  readonly height: number;
  /** How to read it: a line below the title. */
  readonly legend: string;
  /** The values in words. */
  readonly said: readonly string[];
  readonly shapes: readonly string[];
}

function document({ id, title }: Part, { height, legend, said, shapes }: Body): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${escaped(title)}</title>
<desc id="${id}-text">${escaped(`${legend} ${said.join(". ")}.`)}</desc>
<style>${STYLE}</style>
<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>
${text(MARGIN, 26, title, { kind: "title" })}
${text(MARGIN, 45, legend, { kind: "quiet" })}
${shapes.join("\n")}
</svg>
`;
}

function unitOf({ unit, better }: Part): string {
  return `Unit: ${unit}. ${better === "less" ? "Less" : "More"} is better.`;
}

function text(
  x: number,
  y: number,
  words: string,
  { anchor, kind }: { anchor?: "end" | "middle"; kind?: "quiet" | "title" } = {},
): string {
  const anchored = anchor ? ` text-anchor="${anchor}"` : "";
  return `<text${kind ? ` class="${kind}"` : ""} x="${fixed(x)}" y="${fixed(y)}"${anchored}>${escaped(words)}</text>`;
}

function plainNumber(value: number): string {
  return value >= 1000 ? value.toLocaleString("en") : String(value);
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
