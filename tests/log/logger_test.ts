// Tests of lib/log/logger.ts: no text of a stranger can forge a line, end a field or reach a terminal.

import assert from "node:assert/strict";
import { formatField, formatFields, isWanted } from "../../lib/log/logger.ts";
import { escapeText } from "../../lib/text/quoting.ts";

Deno.test("escapeText escapes everything that could forge a line or move a cursor, and nothing else", () => {
  const rows: readonly [text: string, escaped: string][] = [
    ["plain text, (all) of it! ~", "plain text, (all) of it! ~"],
    ["\u00e4 \u4f60 \u{1f600}", "\u00e4 \u4f60 \u{1f600}"],
    ["a\r\nb", "a\\x0d\\x0ab"],
    ["\0", "\\x00"],
    ["\x1b[2J", "\\x1b[2J"],
    ["\x7f", "\\x7f"],
    // C1 controls, among them CSI and NEL.
    ["\x9b\x85", "\\x9b\\x85"],
    // Unicode's line ends, and what turns text round.
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["\u202e\u2066\u200f\ufeff", "\\u202e\\u2066\\u200f\\ufeff"],
    // The escape itself, so that none can be forged.
    ["\\x0a", "\\\\x0a"],
  ];
  for (const [text, escaped] of rows) assert.equal(escapeText(text), escaped);
});

Deno.test("formatField quotes a value that could look like more than one", () => {
  const rows: readonly [value: string | number, field: string][] = [
    ["word", "key=word"],
    [7, "key=7"],
    ["two words", 'key="two words"'],
    ["a=b", 'key="a=b"'],
    ["", 'key=""'],
    ['say "x"', 'key="say \\"x\\""'],
    ['end" verdict=pass x="', 'key="end\\" verdict=pass x=\\""'],
    ["trailing\\", "key=trailing\\\\"],
    ["\u00a0", 'key="\u00a0"'],
  ];
  for (const [value, field] of rows) assert.equal(formatField("key", value), field);
});

Deno.test("formatField cuts a value, and never inside an escape", () => {
  assert.equal(formatField("key", "x".repeat(601)), `key=${"x".repeat(600)}...`);
  assert.equal(formatField("key", "x".repeat(600)), `key=${"x".repeat(600)}`);
  assert.equal(formatField("key", "\n".repeat(5), 3), "key=\\x0a\\x0a\\x0a...");
});

Deno.test("formatField writes any text so that it can be read back", () => {
  const seed = 20261120;
  let state = seed;
  const random = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
  const letters = ["a", '"', "\\", " ", "=", "\n", "\r", "\0", "\u2028", "x"];
  for (let count = 0; count < 2000; count++) {
    const text = Array.from({ length: random(12) }, () => letters[random(letters.length)]).join("");
    const field = formatField("k", text);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(field, /[\x00-\x1f\u2028]/, `seed ${seed}`);
    const body = /^k="((?:[^"\\]|\\.)*)"$|^k=([^\s"=]+)$/.exec(field);
    assert.ok(body, `seed ${seed}: ${field}`);
    const undone = (body[1] ?? body[2]!).replace(
      /\\(?:x(..)|u(....)|(.))/g,
      (_, two, four, one) => one ?? String.fromCharCode(parseInt(two ?? four, 16)),
    );
    assert.equal(undone, text, `seed ${seed}`);
  }
});

Deno.test("formatFields leaves out unknown values", () => {
  assert.equal(formatFields({ a: 1, b: undefined, c: "x y" }), 'a=1 c="x y"');
});

Deno.test("isWanted: errors and warnings always, a level more for each -v", () => {
  const levels = ["error", "warning", "info", "debug"] as const;
  assert.deepEqual([0, 1, 2, 3].map((verbosity) => levels.filter((level) => isWanted(level, verbosity)).length), [
    2,
    3,
    4,
    4,
  ]);
});
