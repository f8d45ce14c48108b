// Tests of lib/quarantine/record.ts.

import assert from "node:assert/strict";
import { formatRecord, parseRecord, type QuarantineRecord, RecordError } from "../../lib/quarantine/record.ts";

const ID = "20261128T225227123-0123456789abcdef";

const RECORD: QuarantineRecord = {
  id: ID,
  time: "2026-11-28T22:52:27.123Z",
  session: "4f2a",
  outcome: "reject",
  check: "clamd",
  reason: "clamd found X",
  reply: "550 5.7.1 virus found: X",
  client: "192.0.2.7",
  client_name: null,
  helo: "mx.example.org",
  sender: "a@example.org",
  recipients: ["b@example.com"],
  size: 4711,
};

const text = (record: object) => [...formatRecord(record as QuarantineRecord)].join("");

Deno.test("a record that was formatted is parsed as it was", () => {
  const many = Array.from({ length: 250 }, (_, at) => `r${at}@example.com`);
  const attempt = { time: RECORD.time, server: "127.0.0.1:25", recipients: many };
  const rows: Partial<QuarantineRecord>[] = [
    {},
    { client: null, helo: null, client_name: "mx" },
    { sender: null },
    { sender: "<>" },
    { recipients: many },
    { attempt },
    { attempt: { ...attempt, recipients: ["x@example.com"] }, recipients: many.slice(0, 100) },
    { reason: 'a "quote", a \\, a \n line, \x1b[31m, \x9b, \u202e, \u2028, \ud800, \u{1f600}', helo: "\x00\x7f" },
    { sender: '"a b\x1b"@example.org', recipients: ["jos\u00e9@example.org", ""] },
    { size: 0 },
  ];
  for (const row of rows) assert.deepEqual(parseRecord(text({ ...RECORD, ...row }), ID), { ...RECORD, ...row });
});

Deno.test("a record has a fact on each line, and nothing in it reaches a terminal as a command", () => {
  const hostile = Array.from({ length: 0x2070 }, (_, code) => String.fromCharCode(code)).join("");
  const shown = text({ ...RECORD, reason: hostile, recipients: ["a", "b"] });
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(shown));
  assert.equal(JSON.parse(shown).reason, hostile);
  assert.equal(shown.split("\n").length, 19);
});

Deno.test("what is no record, or not that of this message, is refused and says why", () => {
  const other = ID.replace("0", "1");
  const rows: readonly [text: string, why: RegExp][] = [
    ["", /no JSON/],
    ["{", /no JSON/],
    [text(RECORD).slice(0, -3), /no JSON/],
    ["null", /no JSON object/],
    ["[]", /no JSON object/],
    ["7", /no JSON object/],
    ["{}", /id of another message, or none/],
    [text({ ...RECORD, id: other }), /id of another message/],
    [text({ ...RECORD, id: "../x" }), /id of another message/],
    [text({ ...RECORD, time: "yesterday" }), /time/],
    [text({ ...RECORD, time: 7 }), /time/],
    [text({ ...RECORD, check: null }), /no check/],
    [text({ ...RECORD, helo: 7 }), /no helo/],
    [text({ ...RECORD, size: -1 }), /size/],
    [text({ ...RECORD, size: 1.5 }), /size/],
    [text({ ...RECORD, size: "1" }), /size/],
    [text({ ...RECORD, recipients: [] }), /no recipients/],
    [text({ ...RECORD, recipients: [7] }), /recipient/],
    [text({ ...RECORD, recipients: ["a@b>\r\nDATA\r\n"] }), /recipient/],
    [text({ ...RECORD, recipients: ["a@b", "\n"] }), /recipient/],
    [text({ ...RECORD, sender: "a\rb" }), /sender/],
    [text({ ...RECORD, sender: "a\0b" }), /sender/],
    [text({ ...RECORD, sender: 7 }), /sender/],
    [text({ ...RECORD, attempt: { time: "x", server: "y", recipients: ["z"] } }), /time/],
    [text({ ...RECORD, attempt: { time: RECORD.time, server: "y", recipients: ["\n"] } }), /recipient/],
  ];
  for (const [content, why] of rows) {
    assert.throws(
      () => parseRecord(content, ID),
      (error: Error) => error instanceof RecordError && why.test(error.message),
      content,
    );
  }
});
