// Tests of lib/metrics/page/page.ts: the page as a whole, without a browser. tests/e2e/status_page_test.ts has one.

import assert from "node:assert/strict";
import { hourOf } from "../../../lib/metrics/page/hour.ts";
import { PAGE_FIELDS, renderPage } from "../../../lib/metrics/page/page.ts";
import { roundUp } from "../../../lib/metrics/page/plot.ts";
import { STYLE } from "../../../lib/metrics/page/style.ts";
import type { Snapshot } from "../../../lib/metrics/snapshot.ts";
import { EMPTY, FULL, HOSTILE, HOSTILE_TEXTS, NOW, ONE } from "../snapshots.ts";

const WELL = { faults: [] };
const SICK = { faults: HOSTILE_TEXTS };

const PAGES: readonly [name: string, page: string][] = [
  ["empty", renderPage(EMPTY, WELL)],
  ["one", renderPage(ONE, WELL)],
  ["full", renderPage(FULL, WELL)],
  ["hostile", renderPage(HOSTILE, SICK)],
];

const VOID = new Set(["meta", "col", "wbr"]);

/** The names of all elements in their order. Fails if one is not closed, or has an attribute without double quotes. */
function elementsOf(page: string): string[] {
  const open: string[] = [];
  const found: string[] = [];
  const text = page.replace(`<style>${STYLE}</style>`, "<style></style>").replace("<!DOCTYPE html>", "");
  for (const [tag] of text.matchAll(/<[^>]*>?/g)) {
    const [, end, name = "", rest] =
      /^<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z][\w:-]*="[^"]*"|\s+[A-Za-z]+="[^"]*")*)\s*\/?>$/.exec(tag) ?? [];
    assert.ok(rest !== undefined, `not a tag: ${tag}`);
    assert.doesNotMatch(rest, /\s(?:on\w+|style|src|action)=/, tag);
    if (end) {
      assert.equal(open.pop(), name);
      continue;
    }
    found.push(name);
    if (!VOID.has(name) && !tag.endsWith("/>")) open.push(name);
  }
  assert.deepEqual(open, []);
  return found;
}

Deno.test("pages are well-formed, and strangers add no element", () => {
  const kinds = PAGES.map(([, page]) => new Set(elementsOf(page)));
  assert.deepEqual([...kinds[3]!].filter((name) => !kinds[2]!.has(name)), []);
  for (const name of ["script", "img", "iframe", "link", "form", "object"]) assert.ok(!kinds[3]!.has(name), name);
});

Deno.test("pages have one h1, a language, a title and a caption for each table", () => {
  for (const [name, page] of PAGES) {
    const elements = elementsOf(page);
    const count = (element: string) => elements.filter((one) => one === element).length;
    assert.equal(count("h1"), 1, name);
    assert.equal(count("main"), 1, name);
    assert.equal(count("caption"), count("table"), name);
    assert.match(page, /^<!DOCTYPE html>\s*<html lang="en">/);
    for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g)) assert.match(page, new RegExp(` id="${id}"`));
    // Each drawing has a name, or says nothing.
    for (const [tag] of page.matchAll(/<svg[^>]*>/g)) {
      assert.match(tag, /role="img"\s+aria-label="[^"]+"|aria-hidden="true"/);
    }
  }
});

Deno.test("pages have a bound, and only characters that can be seen", () => {
  for (const [name, page] of PAGES) {
    assert.ok(new TextEncoder().encode(page).length < 200_000, `${name}: ${page.length}`);
    assert.match(page, /^(?:[^\p{C}]|\n)*$/u, name);
    assert.doesNotMatch(page, /NaN|undefined|Infinity|\[object/, name);
  }
  const flood = { ...HOSTILE, refusals: Array.from({ length: 5_000 }, () => HOSTILE.refusals[0]!) };
  assert.ok(renderPage(flood, SICK).length < 200_000);
});

const SHOWN: readonly [name: string, snapshot: Snapshot, words: readonly string[]][] = [
  ["empty", EMPTY, ["Healthy", "Nothing was refused yet.", "0 of 0, last hour", "one process does all", "2 s ago"]],
  ["one", ONE, ["1.0 <small>/min</small>", "1 since 03:07, peak 1", "38 ms", "03:07: 1 pass", "03:06: not running"]],
  ["full", FULL, [
    "Worth a look",
    `${hourOf(FULL).refused.toLocaleString("en")} of ${hourOf(FULL).total.toLocaleString("en")}, last hour`,
    "5 <small>of 8</small>",
    "4 <small>of 4</small>",
    "2 restarts since start",
    "1.33 M since start, 91.2 GB",
    "Win.Test.EICAR_HDB-1",
    "&lt;&gt;",
    "not known",
    "postprox 1.1.0 on Deno 2.9.6",
    "11 d 7 h ago",
    "since start; the log names them",
  ]],
];

Deno.test("pages show the figures of the snapshot", () => {
  for (const [name, snapshot, words] of SHOWN) {
    const page = renderPage(snapshot, WELL).replace(/\s+/g, " ");
    for (const word of words) assert.ok(page.includes(word), `${name}: ${word}`);
  }
});

Deno.test("the page loads itself again, and shows the time of its place", () => {
  const page = renderPage(EMPTY, WELL, { utcOffset: 60, reload: 7 });
  assert.match(page, /<meta http-equiv="refresh" content="7">/);
  assert.match(page, /<time datetime="2026-11-29T04:07:42\+01:00">2026-11-29 04:07:42<\/time> UTC\+01:00/);
  assert.match(renderPage(EMPTY, WELL), /content="15">/);
});

Deno.test("the page says which host it is of", () => {
  const page = renderPage(EMPTY, WELL, { host: "mx1.example.org" });
  assert.match(page, /<title>Healthy – postprox on mx1\.example\.org<\/title>/);
  assert.match(page, /<h1>postprox on mx1\.example\.org<\/h1>/);
  assert.match(renderPage(EMPTY, WELL, { host: "" }), /<h1>postprox<\/h1>/);
});

Deno.test("faults are the state, and are in the title", () => {
  const page = renderPage(EMPTY, { faults: ["clamd does not answer."] });
  assert.match(page, /<title>Not healthy – postprox<\/title>/);
  assert.match(page, /class="state bad"/);
  assert.match(page, /clamd does not answer\./);
});

Deno.test("the policy allows the style sheet and nothing else", () => {
  const policy = PAGE_FIELDS["Content-Security-Policy"]!;
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; /);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.ok(renderPage(EMPTY, WELL).includes(`<style>${STYLE}</style>`));
});

Deno.test("the bars of a minute stand on each other, and the last minute is apart", () => {
  const minute = Math.floor(NOW / 60_000);
  const page = renderPage({
    ...EMPTY,
    startTime: 0,
    minutes: [
      { minute: minute - 59, messages: { pass: 5, reject: 3 }, sessions: 0, sessionsOpen: 0 },
      { minute, messages: { reject: 2 }, sessions: 0, sessionsOpen: 0 },
    ],
  }, WELL).replace(/\s+/g, " ");
  // Eight is the top, so a message has 12.5 units.
  assert.ok(page.includes(`<path class="pass" d="M1 100h8V37.5h-8z" />`));
  assert.ok(page.includes(`<path class="reject" d="M1 37.5h8V0h-8z" />`));
  assert.ok(page.includes(`<path class="reject now" d="M591 100h8V75h-8z" />`));
  assert.ok(!page.includes(`class="before"`));
});

Deno.test("the top of a plot is an even number that is easy to read", () => {
  const tops = [0, 1, 2, 3, 8, 9, 10, 11, 21, 99, 101, 4_001, 1_000_000].map(roundUp);
  assert.deepEqual(tops, [2, 2, 2, 4, 8, 10, 10, 20, 40, 100, 200, 6_000, 1_000_000]);
});
