// Tests of lib/checks/command_result.ts: the table of exit statuses, and that nobody but --allow-discard makes a 2xx.

import assert from "node:assert/strict";
import { textOf } from "../../lib/smtp/bytes.ts";
import { verdictOfCommand } from "../../lib/checks/command_result.ts";
import type { ProgramEnd } from "../../lib/checks/process.ts";
import type { Verdict } from "../../lib/verdict.ts";

interface Row {
  readonly end: ProgramEnd;
  readonly line?: string;
  readonly kind: Verdict["kind"];
  readonly reply?: string;
  /** Under --allow-discard, where that differs. */
  readonly allowed?: { readonly kind: Verdict["kind"]; readonly reply: string };
}

const ROWS: readonly Row[] = [
  { end: { exit: 0 }, kind: "accept" },
  { end: { exit: 0 }, line: "550 words that do not count", kind: "accept" },
  // Refusals: a code of its own, or 554 before the text.
  { end: { exit: 1 }, kind: "reject", reply: "554 5.7.1 Content rejected" },
  { end: { exit: 1 }, line: "550 5.7.1 Spam", kind: "reject", reply: "550 5.7.1 Spam" },
  { end: { exit: 1 }, line: "451 4.7.1 Later", kind: "defer", reply: "451 4.7.1 Later" },
  { end: { exit: 1 }, line: "421 4.7.0 Go", kind: "defer", reply: "421 4.7.0 Go" },
  { end: { exit: 1 }, line: "Spam", kind: "reject", reply: "554 Spam" },
  // No code: 554 goes before it.
  { end: { exit: 1 }, line: "550", kind: "reject", reply: "554 550" },
  { end: { exit: 1 }, line: "550-more", kind: "reject", reply: "554 550-more" },
  { end: { exit: 1 }, line: "5500 x", kind: "reject", reply: "554 5500 x" },
  { end: { exit: 1 }, line: " 550 x", kind: "reject", reply: "554  550 x" },
  { end: { exit: 1 }, line: "654 x", kind: "reject", reply: "554 654 x" },
  { end: { exit: 1 }, line: "354 x", kind: "reject", reply: "554 354 x" },
  // A 2xx is heard only where that was asked for.
  {
    end: { exit: 1 },
    line: "250 2.0.0 Ok",
    kind: "reject",
    reply: "554 250 2.0.0 Ok",
    allowed: { kind: "discard", reply: "250 2.0.0 Ok" },
  },
  // Nothing can add a second line or leave ASCII.
  { end: { exit: 1 }, line: "550 a\rb\nc\0d\x7f", kind: "reject", reply: "550 a b c d " },
  { end: { exit: 1 }, line: "550 sch\u00f6n", kind: "reject", reply: "550 sch?n" },
  // Failures are no opinion, whatever standard error says.
  { end: { exit: 2 }, line: "550 5.7.1 Spam", kind: "unsure" },
  { end: { exit: 75 }, kind: "unsure" },
  { end: { exit: 99 }, kind: "unsure" },
  { end: { exit: 126 }, kind: "unsure" },
  { end: { exit: 127 }, line: "sh: filter: not found", kind: "unsure" },
  { end: { exit: 255 }, kind: "unsure" },
  { end: { signal: "SIGKILL" }, line: "550 5.7.1 Spam", kind: "unsure" },
  { end: { timedOut: 30_000 }, kind: "unsure" },
  { end: { notStarted: "no sh" }, kind: "unsure" },
];

Deno.test("verdictOfCommand gives each end its verdict, and a refusal its reply", () => {
  for (const allowDiscard of [false, true]) {
    for (const { end, line = "", ...row } of ROWS) {
      const verdict = verdictOfCommand(end, line, { allowDiscard });
      const expected = allowDiscard && row.allowed ? row.allowed : row;
      const name = `${JSON.stringify(end)} ${JSON.stringify(line)} ${allowDiscard}`;
      assert.equal(verdict.kind, expected.kind, name);
      const said = "reply" in verdict ? textOf(verdict.reply.bytes) : undefined;
      assert.equal(said, expected.reply && `${expected.reply}\r\n`, name);
      if ("reply" in verdict) assert.equal(verdict.reply.code, Number(said!.slice(0, 3)), name);
    }
  }
});

Deno.test("verdictOfCommand makes a reply of at most 512 octets", () => {
  for (const line of ["x".repeat(2000), `550 ${"x".repeat(2000)}`, "\u00f6".repeat(2000)]) {
    const verdict = verdictOfCommand({ exit: 1 }, line, { allowDiscard: false });
    assert.ok("reply" in verdict);
    assert.equal(verdict.reply.bytes.length, 512);
    assert.ok(textOf(verdict.reply.bytes).endsWith("\r\n"));
  }
});

Deno.test("verdictOfCommand tells the log why: status, signal, time, and what the filter said", () => {
  const rows: readonly [end: ProgramEnd, words: RegExp][] = [
    [{ exit: 75 }, /75.*disk/],
    [{ signal: "SIGSEGV" }, /SIGSEGV.*disk/],
    [{ timedOut: 1500 }, /1\.5 s/],
    [{ notStarted: "no such file" }, /no such file/],
    [{ exit: 1 }, /disk/],
  ];
  for (const [end, words] of rows) {
    assert.match(verdictOfCommand(end, "disk on fire", { allowDiscard: false }).why, words);
  }
});
