// Tests of lib/mail/verdict.ts: what -r makes of "could not tell", and that it makes nothing of any other verdict.

import assert from "node:assert/strict";
import { formatReply, replyClass } from "../../lib/smtp/reply.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { newSpool } from "../fakes/spool.ts";
import { settle, type Verdict } from "../../lib/mail/verdict.ts";

const CONTENT = newSpool(new FakeRuntime().files).spool;

const FIRM: readonly Exclude<Verdict, { kind: "spoilt" }>[] = [
  { kind: "accept", why: "clean" },
  { kind: "replace", why: "rewritten", content: CONTENT },
  { kind: "reject", why: "spam", reply: formatReply("554 5.7.1 No") },
  { kind: "defer", why: "greylisted", reply: formatReply("451 4.7.1 Later") },
  { kind: "discard", why: "unwanted", reply: formatReply("250 2.0.0 Ok") },
];

Deno.test("settle leaves an opinion as it is, with and without -r", () => {
  for (const verdict of FIRM) {
    assert.equal(settle(verdict, false), verdict, verdict.kind);
    assert.equal(settle(verdict, true), verdict, verdict.kind);
  }
});

Deno.test("settle passes the message when a check could not tell", () => {
  assert.deepEqual(settle({ kind: "unsure", why: "clamd is silent" }, false), {
    kind: "accept",
    why: "clamd is silent",
    unchecked: true,
  });
});

Deno.test("settle passes what the other checks would pass, though not under -r", () => {
  const clean = { kind: "accept", why: "clean" } as const;
  const rewritten = { kind: "replace", why: "rewritten", content: CONTENT } as const;
  for (const others of [clean, rewritten]) {
    const verdict = { kind: "unsure", why: "clamd is silent", others } as const;
    assert.deepEqual(settle(verdict, false), { ...others, why: "clamd is silent" });
    assert.equal(settle(verdict, true).kind, "defer");
  }
});

Deno.test("settle defers it under -r, with 451 4.3.0 and never a 5xx", () => {
  const settled = settle({ kind: "unsure", why: "clamd is silent" }, true);
  assert.ok(settled.kind === "defer");
  assert.equal(settled.why, "clamd is silent");
  assert.equal(replyClass(settled.reply), 4);
  // One line, and nothing in it of what only the log should hear.
  const text = String.fromCharCode(...settled.reply.bytes);
  assert.match(text, /^451 4\.3\.0 [\x20-\x7e]+\r\n$/);
  assert.doesNotMatch(text, /clamd/);
});
