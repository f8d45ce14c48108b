// Tests of lib/checks/rspamd/verdict.ts: what follows from each action, and which changes of the header.

import assert from "node:assert/strict";
import type { Answer } from "../../../lib/checks/rspamd/answer.ts";
import { verdictOf } from "../../../lib/checks/rspamd/verdict.ts";
import type { HeaderChange } from "../../../lib/mime/header.ts";
import { replyText } from "../../../lib/smtp/reply.ts";

const ANSWER: Answer = {
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

const REFUSALS: readonly { answer: Partial<Answer>; kind: string; reply: string }[] = [
  { answer: { action: "reject" }, kind: "reject", reply: "550 5.7.1 Spam message rejected" },
  { answer: { action: "reject", smtpMessage: "Gtube pattern" }, kind: "reject", reply: "550 5.7.1 Gtube pattern" },
  { answer: { action: "soft reject" }, kind: "defer", reply: "451 4.7.1 Try again later" },
  { answer: { action: "soft reject", smtpMessage: "Greylisted" }, kind: "defer", reply: "451 4.7.1 Greylisted" },
  { answer: { action: "discard", smtpMessage: "x" }, kind: "discard", reply: "250 2.0.0 Ok: discarded" },
  { answer: { action: "quarantine" }, kind: "quarantine", reply: "550 5.7.1 Spam message rejected" },
  { answer: { action: "quarantine", smtpMessage: "Kept" }, kind: "quarantine", reply: "550 5.7.1 Kept" },

  // The text for strangers is one line of printable ASCII, and has our code.
  { answer: { action: "reject", smtpMessage: " \r\n\t " }, kind: "reject", reply: "550 5.7.1 Spam message rejected" },
  {
    answer: { action: "reject", smtpMessage: "250 2.0.0 Ok\r\n250 x\u2028\0ü" },
    kind: "reject",
    reply: "550 5.7.1 250 2.0.0 Ok 250 x  ?",
  },
  {
    answer: { action: "soft reject", smtpMessage: "5.7.1 for ever" },
    kind: "defer",
    reply: "451 4.7.1 5.7.1 for ever",
  },
  {
    answer: { action: "reject", smtpMessage: "x".repeat(5000) },
    kind: "reject",
    reply: `550 5.7.1 ${"x".repeat(500)}`,
  },
];

Deno.test("rspamd: actions that refuse a message", () => {
  for (const { answer, kind, reply } of REFUSALS) {
    const verdict = verdictOf({ ...ANSWER, ...answer }, { server: "127.0.0.1:11333" });
    assert.equal(verdict.kind, kind);
    assert.equal("reply" in verdict && replyText(verdict.reply), reply);
    assert.ok(verdict.why.startsWith(`rspamd at 127.0.0.1:11333 says ${answer.action}`), verdict.why);
    assert.ok(verdict.why.length < 300);
  }
});

const add = (name: string, value: string, at?: number): HeaderChange => ({
  do: "add",
  name,
  value,
  ...at === undefined ? {} : { at },
});
const remove = (name: string, which?: number): HeaderChange => ({
  do: "remove",
  name,
  ...which === undefined ? {} : { which },
});

const ADDED = [{ name: "X-A", value: "a", order: undefined }, { name: "X-B", value: "b", order: -2 }];

const PASSES: readonly { answer: Partial<Answer>; subjectAt?: number; changes?: readonly HeaderChange[] }[] = [
  { answer: { action: "no action" } },
  { answer: { action: "greylist" } },
  { answer: { action: "rewrite subject" } },
  // A subject alone rewrites nothing.
  { answer: { action: "no action", subject: "new" }, subjectAt: 3 },
  ...(["no action", "greylist", "rewrite subject"] as const).map((action) => ({
    answer: { action, added: ADDED, removed: [{ name: "X-C", which: 0 }, { name: "X-D", which: -1 }] },
    changes: [remove("X-C", 0), remove("X-D", -1), add("X-A", "a"), add("X-B", "b", -2)],
  })),
  {
    answer: { action: "add header" },
    changes: [remove("X-Spam"), add("X-Spam", "Yes")],
  },
  {
    answer: { action: "add header", added: ADDED, removed: [{ name: "X-C", which: 2 }] },
    changes: [
      remove("X-C", 2),
      remove("X-Spam"),
      add("X-A", "a"),
      add("X-B", "b", -2),
      add("X-Spam", "Yes"),
    ],
  },
  // It says so already.
  {
    answer: { action: "add header", added: [{ name: "x-spam", value: "Yes", order: 0 }] },
    changes: [remove("X-Spam"), add("x-spam", "Yes", 0)],
  },
  {
    answer: { action: "add header", added: [{ name: "X-Spam", value: "No", order: 0 }] },
    changes: [remove("X-Spam"), add("X-Spam", "No", 0), add("X-Spam", "Yes")],
  },
  {
    answer: { action: "rewrite subject", subject: "new" },
    subjectAt: 0,
    changes: [remove("Subject", 1), add("Subject", "new", 0)],
  },
  {
    answer: { action: "rewrite subject", subject: "new", added: [{ name: "X-A", value: "a", order: 1 }] },
    subjectAt: 3,
    changes: [remove("Subject", 1), add("Subject", "new", 3), add("X-A", "a", 1)],
  },
  // A message without a subject.
  { answer: { action: "rewrite subject", subject: "new" }, changes: [add("Subject", "new")] },
  {
    answer: { action: "no action", dkimSignatures: ["v=1; a", "v=1; b"] },
    changes: [add("DKIM-Signature", "v=1; a", 1), add("DKIM-Signature", "v=1; b", 2)],
  },
];

Deno.test("rspamd: actions that pass a message", () => {
  for (const { answer, subjectAt, changes } of PASSES) {
    const verdict = verdictOf({ ...ANSWER, ...answer }, { server: "x", subjectAt });
    assert.equal(verdict.kind, "accept");
    assert.deepEqual("header" in verdict ? verdict.header : undefined, changes && { changes }, JSON.stringify(answer));
  }
});

Deno.test("rspamd: facts for the log", () => {
  const factsOf = (answer: Partial<Answer>) => verdictOf({ ...ANSWER, ...answer }, { server: "x" }).facts;
  assert.deepEqual(factsOf({}), {});
  assert.deepEqual(
    factsOf({
      score: 7.123456,
      requiredScore: 15,
      symbols: [{ name: "GTUBE", score: 7.225 }, { name: "LOW", score: -0.1 }],
    }),
    { rspamd_score: 7.12, rspamd_required_score: 15, rspamd_symbols: "GTUBE(7.23),LOW(-0.1)" },
  );
  // Refused ones have them too.
  assert.deepEqual(factsOf({ action: "reject", score: 20 }), { rspamd_score: 20 });
  // However many there are, and however long their names.
  const symbols = Array.from({ length: 1000 }, (_, n) => ({ name: "X".repeat(n), score: n }));
  const { rspamd_symbols: shown } = factsOf({ symbols }) as { rspamd_symbols: string };
  assert.ok(shown.length < 510 && shown.endsWith(",..."), shown);
});
