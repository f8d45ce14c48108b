// Tests of lib/checks/chain.ts: the first refusal ends it, and "could not tell" is never lost.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import type { Check, CheckedMessage } from "../../lib/checks/check.ts";
import { emptyEnvelope } from "../../lib/envelope.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { Spool } from "../../lib/spool/spool.ts";
import type { Verdict } from "../../lib/verdict.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const CONTENT = { lineEnds: "lf", async *chunks() {} } as const;
const VERDICTS: Record<Verdict["kind"], Verdict> = {
  accept: { kind: "accept", why: "clean" },
  replace: { kind: "replace", why: "changed", content: CONTENT },
  reject: { kind: "reject", why: "bad", reply: formatReply("550 No") },
  defer: { kind: "defer", why: "later", reply: formatReply("450 Later") },
  discard: { kind: "discard", why: "gone", reply: formatReply("250 Ok") },
  unsure: { kind: "unsure", why: "silent" },
};

const MESSAGE: CheckedMessage = {
  envelope: emptyEnvelope(),
  spool: new Spool(new FakeRuntime().files, { directory: "/tmp", name: "x", named: false }),
};
const OPTIONS = { signal: new AbortController().signal, limit: 1000 };

type Kind = Verdict["kind"];

const ROWS: readonly { checks: readonly Kind[]; verdict: Kind; asked: number }[] = [
  { checks: [], verdict: "accept", asked: 0 },
  { checks: ["accept"], verdict: "accept", asked: 1 },
  { checks: ["accept", "accept"], verdict: "accept", asked: 2 },
  // The first that refuses ends it.
  { checks: ["reject", "defer"], verdict: "reject", asked: 1 },
  { checks: ["defer", "reject"], verdict: "defer", asked: 1 },
  { checks: ["discard", "reject"], verdict: "discard", asked: 1 },
  { checks: ["accept", "reject", "accept"], verdict: "reject", asked: 2 },
  // Who could not tell does not stop the others, and is heard when nobody refuses.
  { checks: ["unsure", "accept"], verdict: "unsure", asked: 2 },
  { checks: ["accept", "unsure"], verdict: "unsure", asked: 2 },
  { checks: ["unsure", "reject"], verdict: "reject", asked: 2 },
  // A replacement counts when nothing behind it refuses.
  { checks: ["replace", "reject"], verdict: "reject", asked: 2 },
  { checks: ["accept", "replace"], verdict: "replace", asked: 2 },
];

Deno.test("chain asks until one refuses", async () => {
  for (const { checks, verdict, asked } of ROWS) {
    let count = 0;
    const members = checks.map((kind): Check => ({
      name: kind,
      needsFile: false,
      judge: async (message, options) => {
        assert.equal(message, MESSAGE);
        assert.equal(options, OPTIONS);
        count++;
        return VERDICTS[kind];
      },
    }));
    assert.equal((await chain(members).judge(MESSAGE, OPTIONS)).kind, verdict, checks.join());
    assert.equal(count, asked, checks.join());
  }
});

Deno.test("chain keeps a replacement that an accepting check stands behind", async () => {
  const members = (["replace", "accept"] as const).map((kind): Check => ({
    name: kind,
    needsFile: false,
    judge: async () => VERDICTS[kind],
  }));
  assert.equal((await chain(members).judge(MESSAGE, OPTIONS)).kind, "replace");
});

Deno.test("chain needs a file when one of its members does", () => {
  const member = (needsFile: boolean): Check => ({ name: "x", needsFile, judge: async () => VERDICTS.accept });
  assert.equal(chain([]).needsFile, false);
  assert.equal(chain([member(false)]).needsFile, false);
  assert.equal(chain([member(false), member(true)]).needsFile, true);
});
