// Tests of lib/checks/chain.ts: the first refusal ends it, `unsure` is never lost, changes compose, and which checks
// are asked at all.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import type { Check } from "../../lib/checks/check.ts";
import { policyOf, type PolicyOptions } from "../../lib/checks/policy.ts";
import type { Decision, Judgement } from "../../lib/mail/judgement.ts";
import { type Message, messageOf } from "../../lib/mail/message.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { fillSpool, MAIL, newSpool, readAll } from "../fakes/spool.ts";

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
  // A check that cannot decide does not stop the others. It counts if none refuses.
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

Deno.test("chain asks until one refuses, and reports each finding", async () => {
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

Deno.test("chain shows each check the message as the one before left it", async () => {
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

Deno.test("chain: a check without means ends it, and a check with a mistake is a bug", async () => {
  const failing = (error: Error): Check => ({ ...member("accept"), judge: () => Promise.reject(error) });
  for (const [kind, code] of [["exhausted", 451], ["no-space", 452], ["other", 451]] as const) {
    for (const rejectUnsure of [false, true]) {
      const members = [failing(new IoError(kind, "no means")), member("reject")];
      const { decision, findings } = await judged(members, { rejectUnsure });
      assert.ok(decision.kind === "refused" && decision.reply.code === code && decision.why === "no means");
      assert.equal(findings.length, 1);
    }
  }
  await assert.rejects(judged([failing(new TypeError("oops"))]), TypeError);
});

Deno.test("chain asks a check of content if the rules file asks for it, or if there is no rules file", async () => {
  const rows: readonly [asked: string[] | undefined, decision: Decision["kind"]][] = [
    [undefined, "reject"],
    [["filter"], "reject"],
    [["filter", "extchk"], "reject"],
    [["extchk"], "defer"],
    // A check that nobody can turn off is always asked.
    [[], "discard"],
  ];
  const members = [member("reject", "filter"), member("defer", "extchk"), member("discard")];
  for (const [asked, decision] of rows) {
    assert.equal((await judged(members, { asked })).decision.kind, decision, `${asked}`);
  }
  const none = await judged([member("accept", "filter")], { asked: [] });
  assert.ok(none.decision.kind === "unchecked" && none.findings.length === 0);
});

Deno.test("chain shares the time among its checks, says how much each took, and asks none when the time is over", async () => {
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

interface Played {
  readonly judgement: Promise<Judgement>;
  /** Names, in the order in which the scanners were asked. */
  readonly asked: readonly string[];
  /** Those whose signal was aborted before they answered. */
  readonly ended: readonly string[];
  answer(name: string, verdict: Verdict): Promise<void>;
}

/** Plays scanners, whose names begin with `s`, and other checks; each answers when it is told to. */
function played(
  names: readonly string[],
  { clock = new FakeClock(), signal = OPTIONS.signal, message = MESSAGE, ...policy }: {
    clock?: FakeClock;
    signal?: AbortSignal;
    message?: Message;
  } & Partial<PolicyOptions> = {},
): Played {
  const asked: string[] = [];
  const ended: string[] = [];
  const answered = new Set<string>();
  const answers = new Map(names.map((name) => [name, Promise.withResolvers<Verdict>()]));
  const members = names.map((name): Check => ({
    name,
    needsFile: false,
    ...(name.startsWith("s") ? { isScanner: true } : {}),
    judge: (seen, { signal }) => {
      asked.push(`${name}:${seen.size}`);
      signal.addEventListener("abort", () => {
        if (!answered.has(name)) ended.push(name);
        answers.get(name)!.resolve({ kind: "unsure", cause: "failed", why: `${name} was ended` });
      });
      return answers.get(name)!.promise;
    },
  }));
  const judge = chain(clock, members, policyOf({ rejectUnsure: false, ...policy }));
  const judgement = judge.judge(message, { ...OPTIONS, signal });
  return {
    judgement,
    asked,
    ended,
    answer: async (name, verdict) => {
      answered.add(name);
      answers.get(name)!.resolve(verdict);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    },
  };
}

Deno.test("chain asks scanners that stand side by side at once, and the next check after all have answered", async () => {
  const clock = new FakeClock();
  const { judgement, asked, ended, answer } = played(["first", "s1", "s2", "s3", "last"], { clock });
  assert.deepEqual(asked, ["first:0"]);
  await answer("first", VERDICTS.replace);
  assert.deepEqual(asked, ["first:0", "s1:1", "s2:1", "s3:1"]);
  await clock.advance(100);
  await answer("s3", VERDICTS.accept);
  await clock.advance(100);
  await answer("s1", VERDICTS.failed);
  assert.equal(asked.length, 4);
  await answer("s2", VERDICTS.accept);
  assert.deepEqual(asked.slice(4), ["last:1"]);
  await answer("last", VERDICTS.accept);
  const { decision, findings, time } = await judgement;
  assert.ok(decision.kind === "replace" && decision.why === "silent");
  assert.deepEqual(findings.map(({ check, time }) => [check, time]), [
    ["first", 0],
    ["s1", 200],
    ["s2", 200],
    ["s3", 100],
    ["last", 0],
  ]);
  // Side by side: what they took together is not their sum.
  assert.equal(time, 200);
  assert.deepEqual(ended, []);
});

Deno.test("chain: a refusal ends the scanners that are not done, and is the last finding", async () => {
  for (const verdict of [VERDICTS.reject, VERDICTS.defer, VERDICTS.discard, VERDICTS.noMeans]) {
    const { judgement, ended, asked, answer } = played(["s1", "s2", "s3", "last"]);
    await answer("s2", VERDICTS.failed);
    await answer("s1", verdict);
    const { decision, findings } = await judgement;
    assert.equal(decision.why, verdict.why);
    assert.ok("reply" in decision);
    assert.deepEqual(findings.map(({ check }) => check), ["s2", "s1"]);
    assert.deepEqual(ended, ["s3"]);
    assert.equal(asked.length, 3);
  }
});

Deno.test("chain: a scanner that cannot decide stops no other one, with or without -r", async () => {
  for (
    const [rejectUnsure, verdict, kind] of [
      [false, VERDICTS.accept, "pass"],
      [true, VERDICTS.accept, "defer"],
      [true, VERDICTS.reject, "reject"],
    ] as const
  ) {
    const { judgement, ended, answer } = played(["s1", "s2"], { rejectUnsure });
    await answer("s1", VERDICTS.late);
    assert.deepEqual(ended, []);
    await answer("s2", verdict);
    assert.equal((await judgement).decision.kind, kind);
  }
});

Deno.test("chain: an abort stops all scanners, and a mistake in one ends the others", async () => {
  const aborter = new AbortController();
  const stopped = played(["s1", "s2"], { signal: aborter.signal });
  aborter.abort();
  await stopped.judgement;
  assert.deepEqual(stopped.ended, ["s1", "s2"]);

  const { signal } = new AbortController();
  let isEnded = false;
  const broken: Check = {
    name: "s1",
    needsFile: false,
    isScanner: true,
    judge: () => Promise.reject(new TypeError("oops")),
  };
  const slow: Check = {
    ...broken,
    judge: (_message, { signal }) =>
      new Promise((resolve) =>
        signal.addEventListener("abort", () => {
          isEnded = true;
          resolve(VERDICTS.accept);
        })
      ),
  };
  const judge = chain(new FakeClock(), [slow, broken], policyOf({ rejectUnsure: false }));
  await assert.rejects(judge.judge(MESSAGE, { ...OPTIONS, signal }), TypeError);
  assert.ok(isEnded);
});

Deno.test("chain makes the scanners' changes to the header in the order of the checks, for all checks after them", async () => {
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, bytesOf("A: 1\nB: 2\n\ntext\n"));
  const add = (name: string): Verdict => ({
    kind: "accept",
    why: "ham",
    header: { changes: [{ do: "remove", name: "B" }, { do: "add", name, value: "x", at: 0 }] },
  });
  const seen: string[] = [];
  const see: Check = {
    name: "command",
    needsFile: false,
    judge: async (message) => {
      seen.push(textOf(await readAll(message)));
      return VERDICTS.accept;
    },
  };
  const scanners = ["s1", "s2"].map((name): Check => ({
    name,
    needsFile: false,
    isScanner: true,
    judge: async (message) => {
      assert.equal(message.size, spool.size);
      return add(name);
    },
  }));
  const judge = chain(new FakeClock(), [...scanners, see], policyOf({ rejectUnsure: false }));
  const { decision } = await judge.judge(messageOf(MAIL, spool), { ...OPTIONS, files });
  const expected = "s2: x\ns1: x\nA: 1\n\ntext\n";
  assert.deepEqual(seen, [expected]);
  // A field more is no other message.
  assert.ok(decision.kind === "pass" && decision.why === "clean");
  assert.equal(textOf(await readAll(decision.message)), expected);
  assert.equal(decision.message.size, expected.length);
});

Deno.test("chain: a message that cannot be read for its new header does not pass without it", async () => {
  const unreadable = {
    ...MESSAGE,
    chunks: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new IoError("other", "no disk")) }) }),
  };
  const { judgement, answer } = played(["s1", "s2"], { message: unreadable });
  await answer("s1", VERDICTS.accept);
  await answer("s2", { kind: "accept", why: "ham", header: { changes: [{ do: "add", name: "X", value: "y" }] } });
  const { decision, findings } = await judgement;
  assert.ok(decision.kind === "refused" && decision.why === "no disk" && decision.reply.code === 451);
  assert.equal(findings.length, 2);
});

const CONTENT_TEXT = "A: 1\nX-Postprox: old\n\ntext\n";

async function spooled(text = CONTENT_TEXT) {
  const { files: disk } = new FakeRuntime();
  const made = newSpool(disk);
  await fillSpool(made.spool, bytesOf(text));
  return { ...made, disk, message: messageOf(MAIL, made.spool) };
}

/** A check that sees the text of the message, and says `verdict`. */
function saying(name: string, verdict: Verdict, seen: string[] = [], scanner = true): Check {
  return {
    name,
    needsFile: false,
    ...(scanner ? { isScanner: true } : {}),
    judge: async (message) => {
      seen.push(textOf(await readAll(message)));
      return verdict;
    },
  };
}

Deno.test("chain tags a message on top, and goes on with it", async () => {
  const { message, files } = await spooled();
  const seen: string[] = [];
  const rejecting = (text: string): Verdict => ({ kind: "reject", why: text, reply: formatReply(`550 5.7.1 ${text}`) });
  const wanting: Verdict = {
    kind: "accept",
    why: "ham",
    header: { changes: [{ do: "add", name: "S", value: "s", at: 0 }] },
  };
  const checks = [
    saying("clamd", rejecting("virus found: X")),
    saying("rspamd", wanting),
    saying("urls", rejecting("h is listed by z")),
    saying("command", VERDICTS.accept, seen, false),
  ];
  const actions = new Map([["clamd", "tag"], ["urls", "tag"]] as const);
  const { decision, findings } = await chain(new FakeClock(), checks, policyOf({ rejectUnsure: false, actions }))
    .judge(message, { ...OPTIONS, files });
  const expected = `X-Postprox: urls; h is listed by z\nX-Postprox: clamd; virus found: X\nS: s\n${CONTENT_TEXT}`;
  assert.deepEqual(seen, [expected]);
  assert.ok(decision.kind === "tag" && decision.check === "clamd" && decision.why === "virus found: X");
  assert.equal(decision.would, undefined);
  assert.equal(textOf(await readAll(decision.message)), expected);
  assert.equal(findings.length, 4);
});

Deno.test("chain: what is only logged stops nobody, and the message passes as the others left it", async () => {
  for (const verdict of [VERDICTS.reject, VERDICTS.defer, VERDICTS.discard]) {
    const actions = new Map([["s1", "log"]] as const);
    const { judgement, ended, asked, answer } = played(["s1", "s2", "last"], { actions });
    await answer("s1", verdict);
    assert.deepEqual(ended, []);
    await answer("s2", VERDICTS.failed);
    assert.equal(asked.length, 3);
    await answer("last", VERDICTS.replace);
    const { decision } = await judgement;
    assert.ok(decision.kind === "replace" && decision.would === "reject" && decision.check === "s1");
    assert.ok(decision.why === verdict.why && decision.message.size === 1);
  }
  // Another one may still refuse it.
  const { judgement, answer } = played(["s1", "s2"], { actions: new Map([["s1", "log"]]) });
  await answer("s1", VERDICTS.reject);
  await answer("s2", VERDICTS.defer);
  const { decision } = await judgement;
  assert.ok(decision.kind === "defer" && decision.check === "s2" && !("would" in decision));
});

Deno.test("chain: a program that refuses a message and has changed its file leaves nothing that could pass", async () => {
  for (
    const [action, dryRun, kind] of [
      ["tag", false, "refused"],
      ["log", false, "refused"],
      ["reject", false, "reject"],
      ["discard", false, "discard"],
      // The program had a copy then: see judges.ts.
      ["log", true, "pass"],
    ] as const
  ) {
    for (const changes of [true, false]) {
      const { message, files, disk } = await spooled();
      const program: Check = {
        name: "command",
        needsFile: true,
        judge: async (message) => {
          const { path } = await message.file();
          if (changes) disk.overwrite(path, bytesOf("half"));
          return VERDICTS.reject;
        },
      };
      const policy = policyOf({ rejectUnsure: false, actions: new Map([["command", action]]), dryRun });
      const { decision } = await chain(new FakeClock(), [program], policy).judge(message, { ...OPTIONS, files });
      const intact = { tag: "tag", log: "pass", reject: "reject", discard: "discard" }[action];
      assert.equal(decision.kind, changes ? kind : intact, `${action} ${changes}`);
    }
  }
});

Deno.test("chain: each program finds the message in a file, whatever those before did with theirs", async () => {
  const { message, files, disk } = await spooled();
  const paths: string[] = [];
  const program: Check = {
    name: "command",
    needsFile: true,
    judge: async (message) => {
      const { path } = await message.file();
      paths.push(path);
      assert.equal(textOf(disk.octetsOf(path)), CONTENT_TEXT);
      disk.unlink(path);
      return VERDICTS.accept;
    },
  };
  const judge = chain(new FakeClock(), [program, program, program], policyOf({ rejectUnsure: false }));
  const { decision } = await judge.judge(message, { ...OPTIONS, files });
  assert.ok(decision.kind === "pass" && await textOf(await readAll(decision.message)) === CONTENT_TEXT);
  assert.equal(new Set(paths).size, 3);
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
