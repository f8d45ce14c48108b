// Tests of lib/checks/chain.ts: the first refusal ends it, "could not tell" is never lost, changes compose, and who is asked
// at all.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import type { Check } from "../../lib/checks/check.ts";
import { policyOf } from "../../lib/checks/policy.ts";
import type { Decision, Judgement } from "../../lib/mail/judgement.ts";
import { messageOf } from "../../lib/mail/message.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { MAIL, newSpool } from "../fakes/spool.ts";

const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
const MESSAGE = messageOf(MAIL, spool);

const CONTENT = { ...MESSAGE, size: 1 };
const OTHER = { ...MESSAGE, size: 2 };

const VERDICTS = {
  accept: { kind: "accept", why: "clean" },
  replace: { kind: "replace", why: "changed", content: CONTENT },
  other: { kind: "replace", why: "changed again", content: OTHER },
  reject: { kind: "reject", why: "bad", reply: formatReply("550 No") },
  defer: { kind: "defer", why: "later", reply: formatReply("450 Later") },
  discard: { kind: "discard", why: "gone", reply: formatReply("250 Ok") },
  failed: { kind: "unsure", cause: "failed", why: "silent" },
  late: { kind: "unsure", cause: "late", why: "slow" },
  noMeans: { kind: "unsure", cause: "no means", why: "no process", isFull: false },
  spoilt: { kind: "spoilt", why: "lost" },
} as const satisfies Record<string, Verdict>;

type Name = keyof typeof VERDICTS;

const OPTIONS = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };

function member(name: Name, askedFor?: string): Check {
  return { name, needsFile: false, judge: async () => VERDICTS[name], ...(askedFor ? { askedFor } : {}) };
}

async function judged(
  members: readonly Check[],
  { rejectUnsure = false, asked, clock = new FakeClock() }: {
    rejectUnsure?: boolean;
    asked?: readonly string[] | undefined;
    clock?: FakeClock;
  } = {},
): Promise<Judgement> {
  const judge = chain(clock, members, policyOf({ rejectUnsure }));
  return await judge.judge(MESSAGE, { ...OPTIONS, asked: asked && new Set(asked) });
}

/** `-r` is the decision under -r, where that is another one; `size` that of the message that passes. */
const ROWS: readonly {
  checks: readonly Name[];
  decision: Decision["kind"];
  why: string;
  "-r"?: Decision["kind"];
  asked?: number;
  size?: number;
}[] = [
  { checks: [], decision: "unchecked", why: "no check was asked for" },
  { checks: ["accept"], decision: "pass", why: "clean" },
  { checks: ["accept", "accept"], decision: "pass", why: "clean" },
  // The first that refuses ends it.
  { checks: ["reject", "defer"], decision: "reject", why: "bad", asked: 1 },
  { checks: ["defer", "reject"], decision: "defer", why: "later", asked: 1 },
  { checks: ["discard", "reject"], decision: "discard", why: "gone", asked: 1 },
  { checks: ["accept", "reject", "accept"], decision: "reject", why: "bad", asked: 2 },
  // Who could not tell does not stop the others, and is heard when nobody refuses.
  { checks: ["failed"], decision: "unchecked", why: "silent", "-r": "defer" },
  { checks: ["failed", "late"], decision: "unchecked", why: "silent", "-r": "defer" },
  { checks: ["late", "accept"], decision: "pass", why: "slow", "-r": "defer" },
  { checks: ["accept", "failed"], decision: "pass", why: "silent", "-r": "defer" },
  { checks: ["failed", "reject"], decision: "reject", why: "bad" },
  { checks: ["replace", "late", "reject"], decision: "reject", why: "bad" },
  // Without means nobody can tell, and a message that is lost is not looked at any more.
  { checks: ["accept", "noMeans", "reject"], decision: "refused", why: "no process", asked: 2 },
  { checks: ["failed", "noMeans", "reject"], decision: "refused", why: "no process", asked: 2 },
  { checks: ["failed", "spoilt", "accept"], decision: "refused", why: "lost", asked: 2 },
  { checks: ["replace", "spoilt"], decision: "refused", why: "lost" },
  // A replacement counts when nothing behind it refuses, and the last one passes.
  { checks: ["replace", "reject"], decision: "reject", why: "bad" },
  { checks: ["accept", "replace"], decision: "replace", why: "changed", size: 1 },
  { checks: ["replace", "accept"], decision: "replace", why: "changed", size: 1 },
  { checks: ["replace", "other"], decision: "replace", why: "changed again", size: 2 },
  { checks: ["replace", "failed"], decision: "replace", why: "silent", "-r": "defer", size: 1 },
  { checks: ["failed", "replace", "accept"], decision: "replace", why: "silent", "-r": "defer", size: 1 },
];

Deno.test("chain asks until one refuses, and says what each found", async () => {
  for (const { checks, decision, why, asked = checks.length, size = 0, ...row } of ROWS) {
    for (const rejectUnsure of [false, true]) {
      const name = `${checks}, -r ${rejectUnsure}`;
      const judgement = await judged(checks.map((name) => member(name)), { rejectUnsure });
      assert.equal(judgement.decision.kind, rejectUnsure ? row["-r"] ?? decision : decision, name);
      assert.equal(judgement.decision.why, why, name);
      if ("message" in judgement.decision) assert.equal(judgement.decision.message.size, size, name);
      const expected = checks.slice(0, asked).map((check) => ({ check, verdict: VERDICTS[check], time: 0 }));
      assert.deepEqual(judgement.findings, expected, name);
    }
  }
});

Deno.test("chain shows each check the message as the one before has left it", async () => {
  const seen: number[] = [];
  const names = ["accept", "replace", "failed", "other", "accept"] as const;
  const members = names.map((name): Check => ({
    ...member(name),
    judge: async (message, options) => {
      assert.ok(
        message.id === MESSAGE.id && message.envelope === MESSAGE.envelope && message.client === MESSAGE.client,
      );
      assert.deepEqual(options, OPTIONS);
      seen.push(message.size);
      return VERDICTS[name];
    },
  }));
  await judged(members);
  assert.deepEqual(seen, [0, 0, 1, 1, 2]);
});

Deno.test("chain: a check that fails for want of means ends it, and one that has a mistake is a bug", async () => {
  const failing = (error: Error): Check => ({ ...member("accept"), judge: () => Promise.reject(error) });
  for (const [kind, code] of [["exhausted", 451], ["no-space", 452], ["other", 451]] as const) {
    for (const rejectUnsure of [false, true]) {
      const members = [failing(new IoError(kind, "in vain")), member("reject")];
      const { decision, findings } = await judged(members, { rejectUnsure });
      assert.ok(decision.kind === "refused" && decision.reply.code === code && decision.why === "in vain");
      assert.equal(findings.length, 1);
    }
  }
  await assert.rejects(judged([failing(new TypeError("oops"))]), TypeError);
});

Deno.test("chain asks a check of content when the rules file asked for it, and when there is none", async () => {
  const rows: readonly [asked: string[] | undefined, decision: Decision["kind"]][] = [
    [undefined, "reject"],
    [["filter"], "reject"],
    [["filter", "extchk"], "reject"],
    [["extchk"], "defer"],
    // What nobody can turn off is asked always.
    [[], "discard"],
  ];
  const members = [member("reject", "filter"), member("defer", "extchk"), member("discard")];
  for (const [asked, decision] of rows) {
    assert.equal((await judged(members, { asked })).decision.kind, decision, `${asked}`);
  }
  const none = await judged([member("accept", "filter")], { asked: [] });
  assert.ok(none.decision.kind === "unchecked" && none.findings.length === 0);
});

Deno.test("chain shares the time among its checks, says how much each took, and asks nobody when it is over", async () => {
  const clock = new FakeClock();
  const limits: number[] = [];
  const slow: Check = {
    name: "slow",
    needsFile: false,
    judge: async (_message, { limit }) => {
      limits.push(limit);
      await clock.advance(600);
      return VERDICTS.accept;
    },
  };
  const { decision, findings } = await judged([slow, slow, slow], { clock });
  assert.deepEqual(limits, [1000, 400]);
  assert.deepEqual(findings.map(({ time }) => time), [600, 600, 0]);
  assert.ok(decision.kind === "pass" && /no time was left for slow/.test(decision.why));
  const { verdict } = findings[2]!;
  assert.ok(verdict.kind === "unsure" && verdict.cause === "late");
});

Deno.test("chain needs a file when one of its members does", () => {
  const needs = (...all: readonly boolean[]) =>
    chain(
      new FakeClock(),
      all.map((needsFile) => ({ ...member("accept"), needsFile })),
      policyOf({ rejectUnsure: false }),
    ).needsFile;
  assert.equal(needs(), false);
  assert.equal(needs(false), false);
  assert.equal(needs(false, true), true);
});
