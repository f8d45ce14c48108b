// Tests of lib/checks/chain.ts: the first refusal ends it, "could not tell" is never lost, and who is asked at all.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import type { Check } from "../../lib/checks/check.ts";
import { messageOf } from "../../lib/mail/message.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { settle, type Verdict } from "../../lib/mail/verdict.ts";
import { MAIL, newSpool } from "../fakes/spool.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
const MESSAGE = messageOf(MAIL, spool);

const CONTENT = { ...MESSAGE, size: 1 };
const OTHER = { ...MESSAGE, size: 2 };
const VERDICTS: Record<Verdict["kind"], Verdict> = {
  accept: { kind: "accept", why: "clean" },
  replace: { kind: "replace", why: "changed", content: CONTENT },
  reject: { kind: "reject", why: "bad", reply: formatReply("550 No") },
  defer: { kind: "defer", why: "later", reply: formatReply("450 Later") },
  discard: { kind: "discard", why: "gone", reply: formatReply("250 Ok") },
  unsure: { kind: "unsure", why: "silent" },
  spoilt: { kind: "spoilt", why: "lost" },
};

const OPTIONS = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };

type Kind = Verdict["kind"];

function passed(verdict: Verdict, rejectUnsure = false) {
  assert.ok(verdict.kind !== "spoilt");
  return settle(verdict, rejectUnsure);
}

function member(verdict: Verdict, askedFor?: string): Check {
  return { name: verdict.kind, needsFile: false, judge: async () => verdict, ...(askedFor ? { askedFor } : {}) };
}

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
  { checks: ["replace", "unsure", "reject"], verdict: "reject", asked: 3 },
  // A message that is lost is not looked at any more.
  { checks: ["unsure", "spoilt", "accept"], verdict: "spoilt", asked: 2 },
  // A replacement counts when nothing behind it refuses.
  { checks: ["replace", "reject"], verdict: "reject", asked: 2 },
  { checks: ["accept", "replace"], verdict: "replace", asked: 2 },
  { checks: ["replace", "accept"], verdict: "replace", asked: 2 },
];

Deno.test("chain asks until one refuses", async () => {
  for (const { checks, verdict, asked } of ROWS) {
    let count = 0;
    const members = checks.map((kind): Check => ({
      name: kind,
      needsFile: false,
      judge: async (_message, options) => {
        assert.deepEqual(options, OPTIONS);
        count++;
        return VERDICTS[kind];
      },
    }));
    assert.equal((await chain(new FakeClock(), members).judge(MESSAGE, OPTIONS)).kind, verdict, checks.join());
    assert.equal(count, asked, checks.join());
  }
});

Deno.test("chain: a message that passes though one could not tell is what the others made of it", async () => {
  for (const kinds of [["replace", "unsure"], ["unsure", "replace"], ["replace", "unsure", "accept"]] as const) {
    const members = kinds.map((kind) => member(VERDICTS[kind]));
    const verdict = await chain(new FakeClock(), members).judge(MESSAGE, OPTIONS);
    const passing = passed(verdict);
    assert.ok(passing.kind === "replace" && passing.content === CONTENT, kinds.join());
    assert.equal(passed(verdict, true).kind, "defer", kinds.join());
  }
});

Deno.test("chain: what no check has looked at, or could tell of, is unchecked; what one has accepted is not", async () => {
  const rows: readonly [kinds: readonly Kind[], unchecked: true | undefined][] = [
    [[], true],
    [["unsure"], true],
    [["unsure", "unsure"], true],
    [["accept"], undefined],
    [["unsure", "accept"], undefined],
    [["accept", "unsure"], undefined],
  ];
  for (const [kinds, unchecked] of rows) {
    const verdict = await chain(new FakeClock(), kinds.map((kind) => member(VERDICTS[kind]))).judge(MESSAGE, OPTIONS);
    const passing = passed(verdict);
    assert.ok(passing.kind === "accept");
    assert.equal(passing.unchecked, unchecked, kinds.join());
  }
  const noneAsked = { ...OPTIONS, asked: new Set<string>() };
  const passing = await chain(new FakeClock(), [member(VERDICTS.accept, "filter")]).judge(MESSAGE, noneAsked);
  assert.ok(passing.kind === "accept" && passing.unchecked);
});

Deno.test("chain shows each check the message as the one before has left it", async () => {
  const seen: number[] = [];
  const members = [
    VERDICTS.accept,
    VERDICTS.replace,
    VERDICTS.unsure,
    {
      kind: "replace",
      why: "changed again",
      content: OTHER,
    } as const,
    VERDICTS.accept,
  ].map((verdict): Check => ({
    ...member(verdict),
    judge: async (message) => {
      assert.ok(
        message.id === MESSAGE.id && message.envelope === MESSAGE.envelope && message.client === MESSAGE.client,
      );
      seen.push(message.size);
      return verdict;
    },
  }));
  const verdict = await chain(new FakeClock(), members).judge(MESSAGE, OPTIONS);
  assert.deepEqual(seen, [0, 0, 1, 1, 2]);
  const passing = passed(verdict);
  assert.ok(passing.kind === "replace" && passing.content === OTHER);
});

Deno.test("chain gives the last replacement", async () => {
  const members = [member(VERDICTS.replace), member({ kind: "replace", why: "changed", content: OTHER })];
  const verdict = await chain(new FakeClock(), members).judge(MESSAGE, OPTIONS);
  assert.ok(verdict.kind === "replace" && verdict.content === OTHER);
});

Deno.test("chain asks a check of content when the rules file asked for it, and when there is none", async () => {
  const rows: readonly [asked: string[] | undefined, verdict: Kind][] = [
    [undefined, "reject"],
    [["filter"], "reject"],
    [["filter", "extchk"], "reject"],
    [["extchk"], "defer"],
    // What nobody can turn off is asked always.
    [[], "discard"],
  ];
  const members = [member(VERDICTS.reject, "filter"), member(VERDICTS.defer, "extchk"), member(VERDICTS.discard)];
  for (const [asked, verdict] of rows) {
    const given = await chain(new FakeClock(), members).judge(MESSAGE, { ...OPTIONS, asked: asked && new Set(asked) });
    assert.equal(given.kind, verdict, `${asked}`);
  }
});

Deno.test("chain shares the time among its checks, and asks nobody when it is over", async () => {
  const clock = new FakeClock();
  const limits: number[] = [];
  const slow: Check = {
    name: "slow one",
    needsFile: false,
    judge: async (_message, { limit }) => {
      limits.push(limit);
      await clock.advance(600);
      return VERDICTS.accept;
    },
  };
  const verdict = await chain(clock, [slow, slow, slow]).judge(MESSAGE, OPTIONS);
  assert.deepEqual(limits, [1000, 400]);
  assert.ok(verdict.kind === "unsure" && /slow one/.test(verdict.why));
});

Deno.test("chain needs a file when one of its members does", () => {
  const one = (needsFile: boolean): Check => ({ name: "x", needsFile, judge: async () => VERDICTS.accept });
  assert.equal(chain(new FakeClock(), []).needsFile, false);
  assert.equal(chain(new FakeClock(), [one(false)]).needsFile, false);
  assert.equal(chain(new FakeClock(), [one(false), one(true)]).needsFile, true);
});
