// Tests of lib/mail/judgement.ts: which failure is worth a line in the log.

import assert from "node:assert/strict";
import { type Decision, failureIn, NOT_CHECKED, NOT_HANDLED } from "../../lib/mail/judgement.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { messageOf } from "../../lib/mail/message.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { MAIL, newSpool } from "../fakes/spool.ts";
import { formatReply } from "../../lib/smtp/reply.ts";

const ACCEPT: Verdict = { kind: "accept", why: "clean" };
const REJECT: Verdict = { kind: "reject", why: "spam", reply: formatReply("550 No") };
const FAILED: Verdict = { kind: "unsure", cause: "failed", why: "failed" };
const LATE: Verdict = { kind: "unsure", cause: "late", why: "late" };
const NO_MEANS: Verdict = { kind: "unsure", cause: "no means", why: "no means", isFull: false };
const SPOILT: Verdict = { kind: "spoilt", why: "changed" };
const FAILED_AND_SPOILT: Verdict = { kind: "spoilt", why: "changed", failure: "died" };

const PASS: Decision = {
  kind: "pass",
  why: "clean",
  message: messageOf(MAIL, newSpool(new FakeRuntime().files).spool),
};
const REFUSED: Decision = { kind: "refused", why: "lost", reply: NOT_HANDLED };
const NOT_NOW: Decision = { kind: "defer", why: "failed", reply: NOT_CHECKED };
const DEFERRED: Decision = { kind: "defer", why: "spam", reply: formatReply("451 4.7.1 No") };
const REJECTED: Decision = { kind: "reject", why: "spam", reply: formatReply("550 No") };

const ROWS: readonly [verdicts: readonly Verdict[], failure: string | undefined, decision?: Decision][] = [
  [[], undefined],
  [[ACCEPT], undefined],
  [[ACCEPT, FAILED], "failed"],
  [[ACCEPT, FAILED], "failed", NOT_NOW],
  [[LATE, FAILED, ACCEPT], "late"],
  // Nobody needs to know that a check failed where another one refuses.
  [[FAILED, REJECT], undefined, REJECTED],
  [[FAILED, REJECT], undefined, DEFERRED],
  // But the message still passes.
  [[FAILED, REJECT], "failed"],
  [[FAILED, REJECT], "failed", NOT_NOW],
  // The log gets the reason that decided.
  [[FAILED, NO_MEANS], "no means", REFUSED],
  [[ACCEPT, SPOILT], undefined, REFUSED],
  [[FAILED, SPOILT], "failed", REFUSED],
  [[FAILED_AND_SPOILT], "died", REFUSED],
  [[LATE, FAILED_AND_SPOILT], "late", REFUSED],
];

Deno.test("failureIn finds why a message was not checked", () => {
  for (const [verdicts, failure, decision = PASS] of ROWS) {
    const findings = verdicts.map((verdict, at) => ({ check: `check${at}`, verdict, time: 1 }));
    const found = failureIn({ decision, findings });
    assert.equal(found?.why, failure, verdicts.map(({ why }) => why).join());
    if (found) assert.ok(findings.some(({ check, verdict }) => check === found.check && "why" in verdict));
  }
});
