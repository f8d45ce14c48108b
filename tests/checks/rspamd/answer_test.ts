// Tests of lib/checks/rspamd/answer.ts: replies whole and one octet at a time, small ones and large ones.

import assert from "node:assert/strict";
import { type Answer, AnswerReader } from "../../../lib/checks/rspamd/answer.ts";
import { ServerFailure } from "../../../lib/wire/server_conn.ts";
import { bytesOf } from "../../../lib/text/octets.ts";

const NOTHING: Answer = {
  action: "no action",
  score: undefined,
  requiredScore: undefined,
  symbols: [],
  smtpMessage: undefined,
  subject: undefined,
  removed: [],
  added: [],
  dkimSignatures: [],
};

const ROWS: readonly { json: unknown; answer: Partial<Answer> }[] = [
  { json: { action: "no action" }, answer: {} },
  ...(["reject", "soft reject", "add header", "rewrite subject", "greylist", "discard", "quarantine"] as const)
    .map((action) => ({ json: { action }, answer: { action } })),
  {
    json: {
      is_skipped: false,
      action: "reject",
      score: 15.25,
      required_score: 15,
      symbols: {
        LOW: { name: "LOW", score: -0.1, metric_score: -0.1, options: ["x"] },
        GTUBE: { name: "GTUBE", score: 15.35 },
        NONE: {},
        ODD: 7,
      },
      messages: { smtp_message: "Gtube pattern" },
      urls: ["example.org"],
    },
    answer: {
      action: "reject",
      score: 15.25,
      requiredScore: 15,
      symbols: [
        { name: "GTUBE", score: 15.35 },
        { name: "NONE", score: 0 },
        { name: "ODD", score: 0 },
        { name: "LOW", score: -0.1 },
      ],
      smtpMessage: "Gtube pattern",
    },
  },
  {
    json: { action: "rewrite subject", subject: "*** SPAM ***" },
    answer: { action: "rewrite subject", subject: "*** SPAM ***" },
  },

  // Fields to add, in all forms.
  {
    json: {
      action: "add header",
      milter: {
        add_headers: {
          "X-A": "a",
          "X-B": { value: "b", order: 0 },
          "X-C": { value: "c", index: -2 },
          "X-D": [{ value: "d", order: 1 }, { value: "e" }, "f"],
          "X-E": "g\r\n\th",
        },
      },
    },
    answer: {
      action: "add header",
      added: [
        { name: "X-A", value: "a", order: undefined },
        { name: "X-B", value: "b", order: 0 },
        { name: "X-C", value: "c", order: -2 },
        { name: "X-D", value: "d", order: 1 },
        { name: "X-D", value: "e", order: undefined },
        { name: "X-D", value: "f", order: undefined },
        { name: "X-E", value: "g\r\n\th", order: undefined },
      ],
    },
  },
  // Fields to remove.
  {
    json: { action: "no action", milter: { remove_headers: { "X-A": 0, "X-B": 2, "X-C": -1, "X-D": [1, 2, "3"] } } },
    answer: {
      removed: [
        { name: "X-A", which: 0 },
        { name: "X-B", which: 2 },
        { name: "X-C", which: -1 },
        { name: "X-D", which: 1 },
        { name: "X-D", which: 2 },
      ],
    },
  },
  { json: { action: "no action", "dkim-signature": "v=1; a" }, answer: { dkimSignatures: ["v=1; a"] } },
  {
    json: { action: "no action", "dkim-signature": ["v=1; a", 1, "v=1; b"] },
    answer: { dkimSignatures: ["v=1; a", "v=1; b"] },
  },

  // Values of a wrong type are left out.
  {
    json: {
      action: "no action",
      score: "high",
      required_score: null,
      symbols: ["A"],
      messages: ["text"],
      subject: 5,
      milter: {
        add_headers: { "X-A": 1, "X-B": null, "X-C": { order: 1 }, "X-D": [[]] },
        remove_headers: { "X-A": "1", "X-B": 1.5 },
      },
    },
    answer: {},
  },
  { json: { action: "no action", milter: { add_headers: ["X"], remove_headers: 7 } }, answer: {} },
  { json: { action: "no action", milter: [1] }, answer: {} },
  { json: { action: "no action", messages: { smtp_message: ["a"] } }, answer: {} },
];

const BAD: readonly { text: string; why: RegExp }[] = [
  { text: "", why: /no JSON object/ },
  { text: "no json", why: /no JSON object/ },
  { text: "[]", why: /no JSON object/ },
  { text: "null", why: /no JSON object/ },
  { text: '"reject"', why: /no JSON object/ },
  { text: '{"action":"reject"', why: /no JSON object/ },
  { text: '{"action":"reject"}}', why: /no JSON object/ },
  { text: "{}", why: /not known: none/ },
  { text: '{"action":null}', why: /not known: none/ },
  { text: '{"action":"Reject"}', why: /not known: Reject/ },
  { text: '{"action":"toString"}', why: /not known: toString/ },
  { text: `{"action":"${"x".repeat(90)}"}`, why: /not known: x{80}$/ },
];

// Makes an answer too large to be read as a whole.
const MANY_URLS = { urls: Array.from({ length: 20_000 }, (_, n) => `"\\{[host${n}.example.org`) };

for (const { name, cut } of [{ name: "whole", cut: Infinity }, { name: "one octet at a time", cut: 1 }]) {
  Deno.test(`an answer of rspamd, ${name}`, () => {
    for (const { json, answer } of ROWS) {
      assert.deepEqual(read(JSON.stringify(json), cut), { ...NOTHING, ...answer }, JSON.stringify(json));
    }
  });

  Deno.test(`no answer of rspamd, ${name}`, () => {
    for (const { text, why } of BAD) assertBad(text, cut, why);
  });
}

Deno.test("an answer of rspamd that names many URLs says the same", () => {
  for (const { json, answer } of ROWS) {
    const large = JSON.stringify({ ...MANY_URLS, ...json as object });
    assert.deepEqual(read(large, 4096), { ...NOTHING, ...answer }, JSON.stringify(json));
  }
  for (const { text, why } of BAD) {
    // The same text after many octets of white space.
    assertBad(" ".repeat(300_000) + text, 4096, why);
  }
});

Deno.test("an answer of rspamd without all changes that it wants is of no use", () => {
  const long = "x".repeat(300_000);
  assertBad(
    JSON.stringify({ action: "no action", milter: { add_headers: { "X-A": long } } }),
    4096,
    /262144 octets of milter/,
  );
  assertBad(JSON.stringify({ action: "no action", subject: long }), 4096, /65536 octets of subject/);
  assertBad(JSON.stringify({ action: "no action", "dkim-signature": long }), 4096, /octets of dkim-signature/);
  assertBad(JSON.stringify({ action: long }), 4096, /not known/);
  // Symbols are for the log alone.
  const symbols = Object.fromEntries(
    Array.from({ length: 9000 }, (_, n) => [`SYMBOL_${n}_WITH_A_LONG_NAME`, { score: 1 }]),
  );
  assert.deepEqual(read(JSON.stringify({ action: "reject", symbols, score: 7 }), 4096), {
    ...NOTHING,
    action: "reject",
    score: 7,
  });
});

Deno.test("an answer of rspamd has at most a thousand changes of each kind", () => {
  const names = Array.from({ length: 3000 }, (_, n) => `X-${n}`);
  const answer = read(
    JSON.stringify({
      action: "no action",
      milter: {
        add_headers: Object.fromEntries(names.map((name) => [name, "v"])),
        remove_headers: Object.fromEntries(names.map((name) => [name, 1])),
      },
    }),
    4096,
  );
  assert.equal(answer.added.length, 1000);
  assert.equal(answer.removed.length, 1000);
});

Deno.test("brackets without end are no answer of rspamd", () => {
  assertBad("[".repeat(200_000), 4096, /no JSON object/);
  assertBad('{"milter":' + "[".repeat(200_000), 4096, /no JSON object/);
  assertBad('{"milter":' + "[".repeat(120_000) + "]".repeat(120_000) + "}", 4096, /not known|no JSON object/);
});

function read(text: string, cut: number): Answer {
  const reader = new AnswerReader();
  const octets = bytesOf(text);
  for (let at = 0; at < octets.length; at += cut) reader.push(octets.subarray(at, at + cut));
  return reader.end();
}

function assertBad(text: string, cut: number, why: RegExp): void {
  assert.throws(() => read(text, cut), (error) => {
    assert.ok(error instanceof ServerFailure, `${text.slice(0, 80)}: ${error}`);
    assert.match(error.message, why, text.slice(0, 80));
    return true;
  }, text.slice(0, 80));
}
