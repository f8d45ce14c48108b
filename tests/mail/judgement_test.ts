// Tests of lib/mail/judgement.ts: which failure is worth a line in the log.

import assert from "node:assert/strict";
import { failureIn } from "../../lib/mail/judgement.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";

const ACCEPT: Verdict = { kind: "accept", why: "clean" };
const REJECT: Verdict = { kind: "reject", why: "spam", reply: formatReply("550 No") };
const FAILED: Verdict = { kind: "unsure", cause: "failed", why: "failed" };
const LATE: Verdict = { kind: "unsure", cause: "late", why: "late" };
const NO_MEANS: Verdict = { kind: "unsure", cause: "no means", why: "no means", isFull: false };
const SPOILT: Verdict = { kind: "spoilt", why: "changed" };
const FAILED_AND_SPOILT: Verdict = { kind: "spoilt", why: "changed", failure: "died" };

const ROWS: readonly [verdicts: readonly Verdict[], failure: string | undefined][] = [
  [[], undefined],
  [[ACCEPT], undefined],
  [[ACCEPT, FAILED], "failed"],
  [[LATE, FAILED, ACCEPT], "late"],
  // Nobody needs to know that a check failed where another one refuses.
  [[FAILED, REJECT], undefined],
  // The log gets the reason that decided.
  [[FAILED, NO_MEANS], "no means"],
  [[ACCEPT, SPOILT], undefined],
  [[FAILED, SPOILT], "failed"],
  [[FAILED_AND_SPOILT], "died"],
  [[LATE, FAILED_AND_SPOILT], "late"],
];

Deno.test("failureIn finds why a message was not checked", () => {
  for (const [verdicts, failure] of ROWS) {
    const findings = verdicts.map((verdict) => ({ check: "clamd", verdict, time: 1 }));
    assert.equal(failureIn(findings), failure, verdicts.map(({ why }) => why).join());
  }
});
