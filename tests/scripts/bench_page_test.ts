// What the benchmarks make of their findings: numbers, tables, pictures, the page; and how they read their command line.

import assert from "node:assert/strict";
import { BuildError } from "../../scripts/build.ts";
import { filesOf, readResults } from "../../scripts/bench/bench.ts";
import { type CommandLine, parseCommandLine } from "../../scripts/bench/command_line.ts";
import { type Bars, type Claim, type Findings, isReached, type Lines, rounded } from "../../scripts/bench/findings.ts";
import { formatNumber, formatSize, formatSpread } from "../../scripts/bench/numbers.ts";
import { formatPage } from "../../scripts/bench/page.ts";
import { formatPicture } from "../../scripts/bench/picture.ts";
import { formatClaims, formatRows, formatTable } from "../../scripts/bench/table.ts";

const NUMBERS: [value: number, text: string][] = [
  [0, "0.00"],
  [1 / 0, "?"],
  [0 / 0, "?"],
  [0.001234, "0.0012"],
  [0.03123, "0.0312"],
  [0.5, "0.500"],
  [1.444, "1.44"],
  [-2.5, "-2.50"],
  [31.44, "31.4"],
  [999.4, "999"],
  [1460, "1,460"],
  [1234567, "1,234,567"],
];

for (const [value, text] of NUMBERS) {
  Deno.test(`the number ${value} is written ${text}`, () => assert.equal(formatNumber(value), text));
}

const SIZES: [octets: number, text: string][] = [[100, "100 B"], [1000, "1 kB"], [5000, "5 kB"], [1e8, "100 MB"]];

for (const [octets, text] of SIZES) {
  Deno.test(`the size ${octets} is written ${text}`, () => assert.equal(formatSize(octets), text));
}

Deno.test("a spread has the median first, and one value has none", () => {
  assert.equal(formatSpread([1.5, 1, 3]), "1.50 (1.00 to 3.00)");
  assert.equal(formatSpread([1.5]), "1.50");
});

const CLAIM: Claim = { what: "a | b", values: [1, 2, 3], unit: "times", wanted: { atMost: 2 } };

const REACHED: [claim: Partial<Claim>, reached: boolean | undefined][] = [
  [{ wanted: { atMost: 2 } }, true],
  [{ wanted: { atMost: 1.99 } }, false],
  [{ wanted: { atLeast: 2 } }, true],
  [{ wanted: { atLeast: 2.01 } }, false],
];

for (const [claim, reached] of REACHED) {
  Deno.test(`a median of 2 where ${JSON.stringify(claim.wanted)} is wanted`, () =>
    assert.equal(isReached({ ...CLAIM, ...claim }), reached));
}

Deno.test("a claim says what was measured, what is wanted, and whether that is so", () => {
  const free: Claim = { what: "free", values: [7], unit: "ms" };
  const missed: Claim = { ...CLAIM, what: "missed", wanted: { atLeast: 9 }, bound: "the runtime alone" };
  assert.equal(isReached(free), undefined);
  assert.equal(formatClaims([]), "");
  assert.equal(formatClaims([free]), "| Claim | Measured |\n|---|---|\n| free | 7.00 ms |");
  assert.equal(
    formatClaims([CLAIM, missed, free]),
    [
      "| Claim | Measured | Wanted | Reached | Bound |",
      "|---|---|---|---|---|",
      "| a \\| b | 2.00 (1.00 to 3.00) times | ≤ 2 | yes |  |",
      "| missed | 2.00 (1.00 to 3.00) times | ≥ 9 | **no** | the runtime alone |",
      "| free | 7.00 ms |  |  |  |",
    ].join("\n"),
  );
});

const BARS: Bars = {
  kind: "bars",
  id: "some-bars",
  title: "Bars & <more>",
  about: "What was done.",
  unit: "ms of CPU",
  better: "less",
  claims: [CLAIM],
  bars: [
    { name: "postprox", values: [10, 20, 30], isOurs: true },
    { name: 'the "other"', values: [80, 80, 80], isOurs: false },
  ],
};

const LINES: Lines = {
  kind: "lines",
  id: "some-lines",
  title: "Lines",
  about: "What was done.",
  unit: "ms",
  better: "less",
  claims: [],
  x: { title: "size", isSize: true },
  lines: [
    { name: "one", points: [{ x: 1e6, values: [100] }, { x: 1e3, values: [1, 2, 3] }] },
    { name: "two", points: [{ x: 1e3, values: [0] }, { x: 1e6, values: [7] }] },
  ],
};

Deno.test("a table has a row for each bar, or for each place of lines, in order", () => {
  assert.equal(
    formatTable(BARS),
    [
      "|  | ms of CPU, median | least | greatest |",
      "|---|---|---|---|",
      "| postprox | 20.0 | 10.0 | 30.0 |",
      '| the "other" | 80.0 | 80.0 | 80.0 |',
    ].join("\n"),
  );
  assert.equal(
    formatTable(LINES),
    [
      "| size | one | two |",
      "|---|---|---|",
      "| 1 kB | 2.00 (1.00 to 3.00) | 0.00 |",
      "| 1 MB | 100 | 7.00 |",
      "",
      "In ms.",
    ].join("\n"),
  );
  assert.equal(formatRows(["a", "b"], [["1|2", ""]]), "| a | b |\n|---|---|\n| 1\\|2 |  |");
});

/** The elements of a picture by their names, and the texts that people see. */
function read(svg: string): { names: Set<string>; texts: string[]; attributes: (name: string) => string[] } {
  // Well-formed: each tag is closed, in order, and nothing else has a "<" or an "&".
  const open: string[] = [];
  const names = new Set<string>();
  for (const [_, closes, name = "", rest = ""] of svg.matchAll(/<(\/?)([a-z]+)((?:\s[a-zA-Z:-]+="[^"<]*")*)\s*\/?>/g)) {
    names.add(name);
    if (closes) assert.equal(open.pop(), name);
    else if (!new RegExp(`<${name}${rest.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*/>`).test(svg)) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg.replaceAll(/<\/?[a-z]+(?:\s[a-zA-Z:-]+="[^"<]*")*\s*\/?>/g, ""), /<|&(?!amp;|lt;|gt;|quot;)/);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text!);
  return {
    names,
    texts,
    attributes: (name) => [...svg.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map(([, v]) => v!),
  };
}

Deno.test("a picture of bars has a bar for each way, as long as its median, with names and values", () => {
  const svg = formatPicture(BARS);
  const { texts } = read(svg);
  assert.ok(texts.includes("Bars &amp; &lt;more&gt;"), texts.join("\n"));
  for (const text of ["postprox", "20.0", "the &quot;other&quot;", "80.0"]) assert.ok(texts.includes(text), text);
  const widths = [...svg.matchAll(/<rect class="(?:ours|other)"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
    Number(width)
  );
  assert.equal(widths.length, 2);
  assert.ok(Math.abs(widths[1]! / widths[0]! - 4) < 0.01, widths.join());
  // Only values that differ have a spread.
  assert.equal(svg.match(/class="spread"/g)!.length, 1);
});

Deno.test("a picture of lines has a mark for each point that has a place, and ticks", () => {
  const svg = formatPicture(LINES);
  const { texts } = read(svg);
  for (const text of ["one", "two", "size", "1 kB", "1 MB", "100"]) assert.ok(texts.includes(text), text);
  // Each line has one mark more, for its name. Nothing has a place for 0.
  assert.equal(svg.match(/<path class="mark"/g)!.length, 3 + 2);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
});

Deno.test("a picture of many lines has all their names inside it, and no two lines look alike", () => {
  const lines = Array.from({ length: 6 }, (_, at) => ({ ...LINES.lines[0]!, name: `a line with the number ${at}` }));
  const svg = formatPicture({ ...LINES, lines });
  const places = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)">a line/g)].map(([, x, y]) => `${x} ${y}`);
  assert.equal(new Set(places).size, 6);
  for (const place of places) assert.ok(Number(place.split(" ")[0]) < 800 - 170, place);
  const shapes = [...svg.matchAll(/class="mark" d="M[\d.]+ [\d.]+(m[^"]+)"/g)].map(([, shape]) => shape);
  assert.equal(new Set(shapes).size, 6);
});

Deno.test("a difference below 0 has no bar", () => {
  const svg = formatPicture({ ...BARS, bars: [{ name: "a", values: [-3, -2, 1], isOurs: true }, BARS.bars[1]!] });
  assert.deepEqual([...svg.matchAll(/(?:width|x)="-[^"]*"/g)], []);
  assert.match(svg, /width="0" height="18"/);
});

for (const part of [BARS, LINES]) {
  Deno.test(`a picture of ${part.kind} tells a screen reader its values, and is readable in light and dark`, () => {
    const svg = formatPicture(part);
    const { names, attributes } = read(svg);
    assert.deepEqual([...names].filter((name) => /script|image|a$|foreign/.test(name)), []);
    assert.deepEqual(attributes("role"), ["img"]);
    assert.deepEqual(attributes("aria-labelledby"), [`${part.id}-title ${part.id}-text`]);
    assert.deepEqual(attributes("id"), [`${part.id}-title`, `${part.id}-text`]);
    assert.match(
      svg,
      part.kind === "bars" ? /<desc[^>]*>[^<]*postprox: 20.0, from 10.0 to 30.0/ : /one: 2.00 at 1 kB, 100 at 1 MB/,
    );
    const [light = "", dark = ""] = svg.split("prefers-color-scheme: dark");
    for (const kind of [".ground", "text", ".axis", ".other", ".ours"]) {
      assert.ok(light.includes(`${kind} {`) && dark.includes(`${kind} {`), kind);
    }
    assert.doesNotMatch(svg, /\.\./);
    // Nothing comes from elsewhere.
    assert.doesNotMatch(svg.replace('xmlns="http://www.w3.org/2000/svg"', ""), /https?:|href|url\(|@import/);
  });
}

const FINDINGS: Findings = {
  date: "2026-11-29",
  seconds: 61,
  load: 0.4,
  machine: {
    processor: "A processor",
    cores: 2,
    memory: "4 GiB",
    kernel: "Linux 6.18",
    kind: "a virtual machine",
    system: "Debian 12",
    versions: { Deno: "2.9.6" },
  },
  parts: [BARS],
};

Deno.test("the page has the groups in their order, all claims, the machines and the versions", () => {
  const other = { ...FINDINGS, date: "2026-11-30", load: 2.5, parts: [LINES] };
  const titles = [{ name: "b", title: "Group B" }, { name: "a", title: "Group A" }, { name: "c", title: "Group C" }];
  const page = formatPage({ a: FINDINGS, b: other, gone: FINDINGS, c: { ...FINDINGS, parts: [] } }, titles);
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  assert.deepEqual(headings, ["All claims", "The machine", "To repeat it", "Group B", "Group A"]);
  assert.equal(page.match(/^\| a \\\| b \|/gm)!.length, 2);
  assert.ok(page.includes("![Bars & <more>](benchmarks/some-bars.svg)"));
  assert.ok(
    page.includes(
      "A processor, 2 cores, 4 GiB of memory, a virtual machine; Linux 6.18, Debian 12. Measured on 2026-11-29",
    ),
  );
  assert.ok(page.includes("2026-11-30, in 3 minutes. The load average before a group began was 0.4 to 2.5."), page);
  assert.ok(page.includes("| Deno | 2.9.6 |"));
  assert.ok(!page.includes("Measured there:"));
});

Deno.test("the page says what was measured on which machine", () => {
  const elsewhere = { ...FINDINGS, machine: { ...FINDINGS.machine, processor: "Another processor" } };
  const titles = [{ name: "a", title: "Group A" }, { name: "b", title: "Group B" }, { name: "c", title: "Group C" }];
  const page = formatPage({ a: FINDINGS, b: elsewhere, c: FINDINGS }, titles);
  assert.match(page, /^A processor, .* Measured there: Group A; Group C\.$/m);
  assert.match(page, /^Another processor, .* Measured there: Group B\.$/m);
});

Deno.test("values are kept with four digits", () => {
  const part = {
    ...BARS,
    bars: [{ name: "a", values: [1.23456, 123456], isOurs: true }],
    claims: [{ ...CLAIM, values: [0.123456] }],
  };
  const { bars, claims } = rounded(part) as Bars;
  assert.deepEqual([bars[0]!.values, claims[0]!.values], [[1.235, 123500], [0.1235]]);
  assert.deepEqual((rounded(LINES) as Lines).lines, LINES.lines);
});

Deno.test("the page and its pictures are what the kept results make", () => {
  for (const [path, text] of filesOf(readResults())) {
    assert.ok(Deno.readTextFileSync(path) === text, `${path} is not of these results: deno task bench --page`);
  }
});

const GROUPS = ["spawn", "latency"];
const PLAIN: CommandLine = {
  isShort: false,
  makesPage: false,
  isRewrite: false,
  groups: GROUPS,
  listening: [],
  spawned: [],
};

const COMMAND_LINES: [args: string[], read: Partial<CommandLine>][] = [
  [[], {}],
  [["--short"], { isShort: true }],
  [["--page", "--only=latency"], { makesPage: true, groups: ["latency"] }],
  [["--rewrite"], { isRewrite: true }],
  [["mine=listen:10025"], { listening: [{ name: "mine", port: 10025 }] }],
  [["an old one=spawn:/bin/x  -c a=b "], { spawned: [{ name: "an old one", argv: ["/bin/x", "-c", "a=b"] }] }],
];

for (const [args, read] of COMMAND_LINES) {
  Deno.test(`the command line ${JSON.stringify(args)}`, () =>
    assert.deepEqual(parseCommandLine(args, GROUPS), { ...PLAIN, ...read }));
}

const WRONG: [args: string[], says: RegExp][] = [
  [["--only=spawn,lists"], /no group "lists": there are spawn, latency$/],
  [["--only="], /no group ""/],
  [["--pages"], /unknown argument --pages: there are --short/],
  [["spawn"], /unknown argument spawn/],
  [["mine=listen:x"], /"x" is no port/],
  [["mine=listen:70000"], /"70000" is no port/],
  [["mine=spawn:"], /unknown argument/],
  [["=listen:25"], /unknown argument/],
  [["--short", "--page"], /whole run/],
  [["--rewrite", "--only=spawn"], /measures nothing/],
  [["--page", "mine=listen:25"], /everybody can repeat/],
];

for (const [args, says] of WRONG) {
  Deno.test(`the wrong command line ${JSON.stringify(args)}`, () =>
    assert.throws(
      () => parseCommandLine(args, GROUPS),
      (error) => error instanceof BuildError && says.test(error.message),
    ));
}
