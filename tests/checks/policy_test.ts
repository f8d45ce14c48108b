// Tests of lib/checks/policy.ts: -r decides about `unsure`, and changes no other verdict.

import assert from "node:assert/strict";
import { policyOf } from "../../lib/checks/policy.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { newSpool } from "../fakes/spool.ts";

const { spool } = newSpool(new FakeRuntime().files);

type Outcome = readonly [kind: string, reply: string] | undefined;

const NOT_CHECKED = ["defer", "451 4.3.0 Message could not be checked, try again later"] as const;
const NOT_HANDLED = ["refused", "451 4.3.0 Message could not be handled, try again later"] as const;
const NO_SPACE = ["refused", "452 4.3.1 Insufficient system storage"] as const;

const ROWS: readonly [verdict: Verdict, outcome: Outcome, withR?: Outcome][] = [
  [{ kind: "accept", why: "clean" }, undefined],
  [{ kind: "replace", why: "rewritten", content: spool }, undefined],
  [{ kind: "reject", why: "spam", reply: formatReply("554 5.7.1 No") }, ["reject", "554 5.7.1 No"]],
  [{ kind: "defer", why: "greylisted", reply: formatReply("451 4.7.1 Later") }, ["defer", "451 4.7.1 Later"]],
  [{ kind: "discard", why: "unwanted", reply: formatReply("250 2.0.0 Ok") }, ["discard", "250 2.0.0 Ok"]],
  // Nothing of what only the log should hear is in the reply, and it is never a 5xx.
  [{ kind: "unsure", cause: "failed", why: "clamd is silent" }, undefined, NOT_CHECKED],
  [{ kind: "unsure", cause: "late", why: "clamd is slow" }, undefined, NOT_CHECKED],
  // Whatever -r says.
  [{ kind: "unsure", cause: "no means", why: "no process", isFull: false }, NOT_HANDLED],
  [{ kind: "unsure", cause: "no means", why: "no room", isFull: true }, NO_SPACE],
  [{ kind: "spoilt", why: "changed" }, NOT_HANDLED],
  [{ kind: "spoilt", why: "changed", failure: "died" }, NOT_HANDLED],
];

Deno.test("policyOf: an opinion stays as it is, a failure passes without -r, and a lack of means is always a 4xx", () => {
  for (const [verdict, outcome, withR = outcome] of ROWS) {
    for (const rejectUnsure of [false, true]) {
      const settled = policyOf({ rejectUnsure })({ check: "clamd", verdict, time: 1 });
      const found = settled && [settled.kind, textOf(settled.reply.bytes).trimEnd()];
      assert.deepEqual(found, rejectUnsure ? withR : outcome, `${verdict.why}, -r ${rejectUnsure}`);
      if (settled) assert.equal(settled.why, verdict.why);
    }
  }
});
