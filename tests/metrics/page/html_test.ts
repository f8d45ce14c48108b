// Tests of lib/metrics/page/html.ts: text stays text.

import assert from "node:assert/strict";
import { foreign, html, Markup } from "../../../lib/metrics/page/html.ts";
import { HOSTILE_TEXTS } from "../snapshots.ts";

const ROWS: readonly [text: string, shown: string, limit?: number][] = [
  ["", ""],
  ["jane@example.com", "jane@example.com"],
  ["a & b", "a &amp; b"],
  [`<b class="x" id='y'>`, "&lt;b class=&quot;x&quot; id=&#39;y&#39;&gt;"],
  // It is escaped once, so that it is shown as it came.
  ["&lt;", "&amp;lt;"],
  // Letters of other scripts stay.
  ["Grüße, Ελλάδα, 日本語, ไทย", "Grüße, Ελλάδα, 日本語, ไทย"],
  ["\u{1f600}", "\u{1f600}"],
  // As in the log.
  ["a\\b", "a\\\\b"],
  ["\x00\t\r\n\x1b[1m\x7f\x9b", "\\x00\\x09\\x0d\\x0a\\x1b[1m\\x7f\\x9b"],
  // The direction of text, also when it is only hinted at.
  ["\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e", "\\u200e\\u200f\\u061c\\u202a\\u202b\\u202c\\u202d\\u202e"],
  ["\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"],
  ["\u2028\u2029", "\\u2028\\u2029"],
  // Nothing is invisible.
  ["\u00ad\u200b\u200c\u200d\u2060\ufeff", "\\xad\\u200b\\u200c\\u200d\\u2060\\ufeff"],
  ["\u115f\u1160\u2800\u3164\uffa0", "\\u115f\\u1160\\u2800\\u3164\\uffa0"],
  ["\u{e0041}\u{e0001}\ue000\uffff", "\\u{e0041}\\u{e0001}\\ue000\\uffff"],
  // Half a pair has no UTF-8.
  ["\ud800x\udc00", "\\ud800x\\udc00"],
  // Marks do not climb over the lines above.
  ["e\u0301\u0301\u0301x", "e\u0301\u0301\u0301x"],
  ["e\u0301\u0301\u0301\u0301\u0302x", "e\u0301\u0301\u0301\\u0301\\u0302x"],
  // The limit.
  ["abcdef", "abcdef", 6],
  ["abcdefg", "abcdef…", 6],
  ["\u{1f600}\u{1f600}\u{1f600}", "\u{1f600}\u{1f600}…", 5],
  // An escape counts as it is shown, and is not cut.
  ["\u202e\u202e\u202e", "\\u202e\\u202e…", 15],
  ["<<<<", "&lt;&lt;&lt;…", 3],
];

Deno.test("foreign text is escaped, apart, and not longer than its limit", () => {
  for (const [text, shown, limit = 1000] of ROWS) {
    assert.equal(foreign(text, limit).text, `<bdi dir="ltr">${shown}</bdi>`, JSON.stringify(text));
  }
});

Deno.test("a template escapes each text, also as an attribute and in a list", () => {
  for (const [text, shown, limit] of ROWS) {
    if (limit !== undefined) continue;
    assert.equal(
      html`<i title="${text}">${text}${[text, [text]]}</i>`.text,
      `<i title="${shown}">${shown.repeat(3)}</i>`,
    );
  }
});

Deno.test("a template leaves markup and numbers, and leaves out what is undefined", () => {
  assert.equal(html`${html`<b>${1}</b>`}${undefined}${new Markup("<hr>")}\\${-0.5}`.text, "<b>1</b><hr>\\-0.5");
});

Deno.test("foreign text has a bound in octets whatever it holds", () => {
  for (const text of [...HOSTILE_TEXTS, "\u202e".repeat(100_000), "'".repeat(100_000), "\u0301".repeat(100_000)]) {
    const { length } = new TextEncoder().encode(foreign(text, 100).text);
    // Each of 100 characters has at most 6 octets, as in `&quot;`.
    assert.ok(length <= 650, `${length} octets of ${JSON.stringify(text.slice(0, 20))}`);
  }
});
