// Tests of lib/log/json.ts: a line is one object, its values keep their types, and no text can break the line.

import assert from "node:assert/strict";
import { formatJson, shortenJson, withHead } from "../../lib/log/json.ts";
import { bytesOf } from "../../lib/text/octets.ts";

const EVIL = 'x\r\n"}\\{"level":"error"\x00\x1b[2J\x7f\x9b\u2028\u2029\u202e\ufeff\u00e9\u{1f600}';

/** An octet that could break a line, or that a terminal obeys. */
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff]/;

Deno.test("formatJson writes the id, the words, the free text and the fields", () => {
  const rows = [
    [{ words: "shutting down" }, { event: "shutting down" }],
    [{ id: "7f", name: "message", words: "message", fields: { size: 7, verdict: "pass", check: undefined } }, {
      session: "7f",
      event: "message",
      size: 7,
      verdict: "pass",
    }],
    // The plain line has no words of its own here.
    [{ id: "7f", name: "notice", words: "", text: "a=1 b" }, { session: "7f", event: "notice", text: "a=1 b" }],
    [{ name: "usage", words: "", fields: { usage: "no" } }, { event: "usage", usage: "no" }],
    // A bug outside of a session.
    [{ id: "-", name: "bug", words: "bug", fields: { error: "x" } }, { event: "bug", error: "x" }],
    // A text of digits stays a text, and a number a number.
    [{ words: "w", fields: { message: "550", code: 550, time_s: 1.5 } }, {
      event: "w",
      message: "550",
      code: 550,
      time_s: 1.5,
    }],
  ] as const;
  for (const [entry, value] of rows) {
    assert.deepEqual(JSON.parse(formatJson(entry)), value);
    assert.deepEqual(Object.keys(JSON.parse(formatJson(entry))), Object.keys(value));
  }
});

Deno.test("formatJson keeps hostile text as it was, on one line that is safe to show", () => {
  const line = formatJson({ words: "w", text: EVIL, fields: { a: EVIL } });
  assert.doesNotMatch(line, UNSAFE);
  assert.deepEqual(JSON.parse(line), { event: "w", text: EVIL, a: EVIL });
});

Deno.test("formatJson cuts a value where the plain line does, and leaves no half character", () => {
  const cut = (text: string, limit?: number) => JSON.parse(formatJson({ words: "w", fields: { a: text }, limit })).a;
  assert.equal(cut("x".repeat(600)), "x".repeat(600));
  assert.equal(cut("x".repeat(601)), `${"x".repeat(600)}...`);
  assert.equal(cut("xxxx", 3), "xxx...");
  assert.equal(cut("xx\u{1f600}", 3), "xx\ufffd...");
  assert.equal(JSON.parse(formatJson({ words: "w", text: "\ud800" })).text, "\ufffd");
});

Deno.test("withHead puts the head in front", () => {
  const head = { time: "2026-01-02T03:04:05.678Z", level: "info", pid: 4711 } as const;
  assert.equal(
    withHead(head, formatJson({ words: "w", fields: { size: 7 } })),
    '{"time":"2026-01-02T03:04:05.678Z","level":"info","pid":4711,"event":"w","size":7}',
  );
});

Deno.test("shortenJson leaves a line that fits, and cuts the longest texts of another one", () => {
  const short = formatJson({ words: "w", fields: { a: EVIL } });
  assert.equal(shortenJson(short, bytesOf(short).length), short);
  for (const text of ["x", "\n", "\u2028", "\u00e9", "\u{1f600}", '"']) {
    const fields = { verdict: "pass", a: text.repeat(300), b: text.repeat(200), size: 7 };
    const line = formatJson({ id: "7f", words: "message", fields });
    for (const limit of [200, 201, 202, 203, 500, 1000]) {
      const octets = bytesOf(shortenJson(line, limit));
      assert.ok(octets.length <= limit, `${octets.length} of ${limit}`);
      // It does not throw most of the line away.
      assert.ok(octets.length === bytesOf(line).length || octets.length > limit - 40, `${octets.length} of ${limit}`);
      const { session, event, verdict, size, a } = JSON.parse(new TextDecoder().decode(octets));
      assert.deepEqual({ session, event, verdict, size }, {
        session: "7f",
        event: "message",
        verdict: "pass",
        size: 7,
      });
      if (octets.length < bytesOf(line).length) assert.ok(/^.*(?:\.\.\.)$/s.test(a), a);
    }
  }
});

Deno.test("shortenJson gives up, and does not hang, if numbers alone are too long", () => {
  const line = formatJson({ words: "w", fields: { a: 1, b: "text" } });
  assert.ok(shortenJson(line, 5).length < line.length);
});
