// Tests of lib/commands/check/report.ts: the bar, the table for many messages, and the exit status of one.

import assert from "node:assert/strict";
import { formatBar, statusOf, Totals } from "../../../lib/commands/check/report.ts";
import type { Judgement } from "../../../lib/mail/judgement.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { formatReply } from "../../../lib/smtp/reply.ts";

Deno.test("the bar has its width, whatever was read", () => {
  const rows: readonly [done: number, all: number, bar: string][] = [
    [0, 200, "[----------] 0 %, 3 checked"],
    [199, 200, "[##########] 99 %, 3 checked"],
    [100, 200, "[#####-----] 50 %, 3 checked"],
    [200, 200, "[##########] 100 %, 3 checked"],
    // A file that grew meanwhile.
    [300, 200, "[##########] 100 %, 3 checked"],
    // Standard input.
    [300, 0, "3 checked"],
  ];
  for (const [done, all, bar] of rows) assert.equal(formatBar({ done, all, messages: 3, width: 10 }), bar);
});

const reply = formatReply("550 5.7.1 no");
const ACCEPT: Verdict = { kind: "accept", why: "clean" };
const REJECT: Verdict = { kind: "reject", why: "bad", reply };
const UNSURE: Verdict = { kind: "unsure", cause: "failed", why: "silent" };

/** What `verdicts`, of the checks a, b …, come to. The times of the checks are 1.04 ms, 2.04 ms … */
function judgement(...verdicts: readonly Verdict[]): Judgement {
  const findings = verdicts.map((verdict, at) => ({ check: "abc"[at]!, verdict, time: at + 1.04 }));
  const isRefused = verdicts.includes(REJECT);
  const decision = isRefused ? { kind: "reject", why: "bad", reply } : { kind: "pass", why: "clean" };
  return { decision, findings, time: 1 } as unknown as Judgement;
}

Deno.test("the status of a message: 2 if a check could not decide, else 1 if it is refused", () => {
  assert.equal(statusOf(judgement(ACCEPT)), 0);
  assert.equal(statusOf(judgement(ACCEPT, REJECT)), 1);
  assert.equal(statusOf(judgement(UNSURE, ACCEPT)), 2);
  assert.equal(statusOf(judgement(UNSURE, REJECT)), 2);
});

Deno.test("the table counts verdicts, and has the median and the longest time of each check", () => {
  const totals = new Totals();
  assert.deepEqual(totals.format(), ["0 messages: none"]);
  totals.add(judgement(ACCEPT));
  assert.deepEqual(totals.format().slice(0, 1), ["1 message: 1 pass"]);
  totals.add(judgement(ACCEPT, REJECT));
  totals.add({ ...judgement(UNSURE, ACCEPT), findings: [{ check: "a", verdict: UNSURE, time: 1234.5 }] });
  assert.deepEqual(totals.format(), [
    "3 messages: 2 pass, 1 reject",
    "CHECK  ASKED  CAUGHT  UNSURE  MEDIAN  LONGEST",
    "a          3       0       1    1 ms  1235 ms",
    "b          1       1       0    2 ms     2 ms",
  ]);
});
