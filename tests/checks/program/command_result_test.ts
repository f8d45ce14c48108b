// Tests of lib/checks/program/command_result.ts: the table of exit statuses, and that only --allow-discard allows a
// 2xx.

import assert from "node:assert/strict";
import { textOf } from "../../../lib/text/octets.ts";
import { type ExitMeaning, type ExitOptions, verdictOfCommand } from "../../../lib/checks/program/command_result.ts";
import type { ProgramEnd } from "../../../lib/checks/program/process.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";

const USUAL: ExitOptions = { allowDiscard: false, strictExit: false, exitStatus: new Map() };

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
  // Failures are no opinion, with any text on standard error.
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
      const verdict = verdictOfCommand(end, line, { ...USUAL, allowDiscard });
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
    const verdict = verdictOfCommand({ exit: 1 }, line, USUAL);
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
    assert.match(verdictOfCommand(end, "disk on fire", USUAL).why, words);
  }
});

function replyOf(verdict: Verdict): string | undefined {
  return "reply" in verdict ? textOf(verdict.reply.bytes).trimEnd() : undefined;
}

Deno.test("verdictOfCommand under strictExit takes exit 1 for a failure unless its line begins with a code", () => {
  const rows: readonly [line: string, kind: Verdict["kind"], reply?: string][] = [
    ["550 5.7.1 Spam", "reject", "550 5.7.1 Spam"],
    ["451 4.7.1 Later", "defer", "451 4.7.1 Later"],
    ["421 Go", "defer", "421 Go"],
    // The output of accidents: nothing, a traceback's last line, a shell's and cp's complaints.
    ["", "unsure"],
    ["ValueError: 550 is no code", "unsure"],
    ["cp: error writing '/x': No space left on device", "unsure"],
    ["550", "unsure"],
    ["550-5.7.1 Spam", "unsure"],
    ["550\tSpam", "unsure"],
    ["5500 Spam", "unsure"],
    [" 550 Spam", "unsure"],
    ["650 Spam", "unsure"],
    ["354 Spam", "unsure"],
    ["250 Ok", "unsure"],
  ];
  const strict = { ...USUAL, strictExit: true };
  for (const [line, kind, reply] of rows) {
    const verdict = verdictOfCommand({ exit: 1 }, line, strict);
    assert.equal(verdict.kind, kind, line);
    assert.equal(replyOf(verdict), reply, line);
    if (kind === "unsure" && line !== "") assert.ok(verdict.why.endsWith(`failed with exit status 1: ${line}`));
  }
  const allowing = verdictOfCommand({ exit: 1 }, "250 Ok", { ...strict, allowDiscard: true });
  assert.deepEqual([allowing.kind, replyOf(allowing)], ["discard", "250 Ok"]);
  // Nothing else changes.
  for (const { end, line = "", kind } of ROWS.filter(({ end }) => !("exit" in end && end.exit === 1))) {
    assert.equal(verdictOfCommand(end, line, strict).kind, kind);
  }
});

Deno.test("verdictOfCommand gives a status the meaning that was set for it", () => {
  const rows: readonly [meaning: ExitMeaning, line: string, kind: Verdict["kind"], reply?: string][] = [
    // As for exit 1.
    ["reject", "", "reject", "554 5.7.1 Content rejected"],
    ["reject", "550 5.7.1 Spam", "reject", "550 5.7.1 Spam"],
    ["reject", "451 Later", "defer", "451 Later"],
    ["reject", "Spam", "reject", "554 Spam"],
    ["reject", "250 Ok", "reject", "554 250 Ok"],
    // Nothing that is permanent, in neither of its codes.
    ["tempfail", "", "defer", "451 4.7.1 Content not accepted now, try again later"],
    ["tempfail", "450 4.2.0 Greylisted", "defer", "450 4.2.0 Greylisted"],
    ["tempfail", "421 4.7.0 Go", "defer", "421 4.7.0 Go"],
    ["tempfail", "Later", "defer", "451 Later"],
    ["tempfail", "4.2.0 Later", "defer", "451 4.2.0 Later"],
    ["tempfail", "550 5.7.1 Spam", "defer", "451 4.7.1 Spam"],
    ["tempfail", "550 Spam", "defer", "451 Spam"],
    ["tempfail", "5.7.1 Spam", "defer", "451 4.7.1 Spam"],
    ["tempfail", "250 2.0.0 Ok", "defer", "451 4.0.0 Ok"],
    ["tempfail", "550 ", "defer", "451 4.7.1 Content not accepted now, try again later"],
    ["tempfail", "550 5.7 days", "defer", "451 5.7 days"],
    ["tempfail", "5.7.1.2 is an address", "defer", "451 5.7.1.2 is an address"],
    ["tempfail", "354 go", "defer", "451 354 go"],
    ["discard", "", "discard", "250 2.0.0 Ok: discarded"],
    ["discard", "250 2.6.0 Fine", "discard", "250 2.6.0 Fine"],
    ["discard", "550 5.7.1 Spam", "discard", "250 2.0.0 Ok: discarded"],
    ["discard", "Spam", "discard", "250 2.0.0 Ok: discarded"],
    ["pass", "550 5.7.1 Spam", "accept"],
    ["fail", "550 5.7.1 Spam", "unsure"],
  ];
  for (const exit of [1, 2, 126, 255]) {
    for (const strictExit of [false, true]) {
      for (const [meaning, line, kind, reply] of rows) {
        const options = { ...USUAL, strictExit, exitStatus: new Map([[exit, meaning]]) };
        const verdict = verdictOfCommand({ exit }, line, options);
        assert.equal(verdict.kind, kind, `${exit} ${meaning} ${line}`);
        assert.equal(replyOf(verdict), reply, `${exit} ${meaning} ${line}`);
        // Other statuses are what they were, and so is what has none.
        assert.equal(verdictOfCommand({ exit: 99 }, line, options).kind, "unsure");
        assert.equal(verdictOfCommand({ exit: 0 }, line, options).kind, "accept");
        assert.equal(verdictOfCommand({ signal: "SIGKILL" }, line, options).kind, "unsure");
        assert.equal(verdictOfCommand({ timedOut: 1 }, line, options).kind, "unsure");
      }
    }
  }
});

Deno.test("verdictOfCommand makes one legal line of the text that comes with a status with a meaning", () => {
  for (const meaning of ["reject", "tempfail", "discard"] as const) {
    for (const line of ["550 a\rb\nc\0d\u00e9", `250 ${"x".repeat(2000)}`, "450 a\x1b", "\r\n550 x"]) {
      const verdict = verdictOfCommand({ exit: 9 }, line, { ...USUAL, exitStatus: new Map([[9, meaning]]) });
      assert.match(
        textOf("reply" in verdict ? verdict.reply.bytes : new Uint8Array(0)),
        /^[245][0-9]{2} [ -~]{1,506}\r\n$/,
      );
    }
  }
});
