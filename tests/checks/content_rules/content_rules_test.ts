// Tests of lib/checks/content_rules/content_rules.ts: what it refuses and logs at any size, and that others get their
// turns.

import assert from "node:assert/strict";
import { contentRulesCheck } from "../../../lib/checks/content_rules/content_rules.ts";
import { parseContentRules } from "../../../lib/checks/content_rules/file.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { messageOf } from "../../../lib/mail/message.ts";
import type { ClientFacts } from "../../../lib/smtp/xforward.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import type { Clock } from "../../../lib/ports/runtime.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { fillSpool, MAIL, newSpool } from "../../fakes/spool.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { octets } from "../../rig/octets.ts";

const RULES = "# rules\nneedle\n^From: Friend@public\\.com\n\n\\(..\\)\\1\\1\\1\\1\n";

/** Time passes with each look at the clock, as it does in a computer. */
class BusyClock implements Clock {
  #now = 0;
  turns = 0;

  now(): number {
    return this.#now++;
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }

  after(_delay: number, callback: () => void): () => void {
    this.turns++;
    queueMicrotask(callback);
    return () => {};
  }
}

interface Judged {
  readonly verdict: Verdict;
  readonly notices: readonly string[];
}

async function judge(
  content: Uint8Array,
  options: { client?: ClientFacts; rules?: string; clock?: Clock; signal?: AbortSignal; limit?: number } = {},
): Promise<Judged> {
  const { rules = RULES, clock = new FakeClock(), signal = new AbortController().signal, limit = 80_000 } = options;
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, content);
  const notices: string[] = [];
  const check = contentRulesCheck(clock, parseContentRules(octets(rules)), {
    file: "rules",
    timeout: 30_000,
    turn: new SharedTurn(clock),
  });
  const notice = (text: string) => void notices.push(text);
  const facts = options.client ?? {};
  const message = messageOf({ ...MAIL, client: { facts, address: facts.address } }, spool);
  const verdict = await check.judge(message, { signal, limit, notice, files });
  await spool.remove();
  return { verdict, notices };
}

Deno.test("contentRulesCheck refuses with 550 and logs the line and the client", async () => {
  const client = { name: "localhost", address: "127.0.0.1" };
  const rows: readonly [text: string, notice: string | undefined, rule?: number][] = [
    ["Subject: hello\n\nyes\n", undefined],
    ["", undefined],
    [
      "From: Friend@public.com\n",
      "Rejecting message with content: From: Friend@public.com from localhost [127.0.0.1]",
      3,
    ],
    ["a\n\nb\nA NEEDLE in hay", "Rejecting message with content: A NEEDLE in hay from localhost [127.0.0.1]", 2],
    ["x abABabABab\n", "Rejecting message with content: x abABabABab from localhost [127.0.0.1]", 5],
    // Nothing is unfolded.
    ["From:\n Friend@public.com\n", undefined],
    // Much of a long line is not.
    [
      `${"x".repeat(500)}needle\n`,
      `Rejecting message with content: ${"x".repeat(200)}... from localhost [127.0.0.1]`,
      2,
    ],
  ];
  for (const [text, notice, rule] of rows) {
    const { verdict, notices } = await judge(bytesOf(text), { client });
    assert.deepEqual(notices, notice === undefined ? [] : [notice]);
    assert.equal(verdict.kind, notice === undefined ? "accept" : "reject", text);
    if (verdict.kind !== "reject") continue;
    assert.equal(textOf(verdict.reply.bytes), "550 5.7.1 Content rejected\r\n");
    assert.equal(verdict.why, `matches rules:${rule}`);
  }
});

Deno.test("contentRulesCheck says unknown if something about the client is not known", async () => {
  const rows = [
    [{}, "unknown [unknown]"],
    [{ address: "192.0.2.1" }, "unknown [192.0.2.1]"],
    [{ name: "mx.example" }, "mx.example [unknown]"],
  ] as const;
  for (const [client, words] of rows) {
    const { notices } = await judge(bytesOf("needle\n"), { client });
    assert.deepEqual(notices, [`Rejecting message with content: needle from ${words}`]);
  }
});

Deno.test("contentRulesCheck reads a message that is a file, to its end", async () => {
  const content = bytesOf("a line of some mail\n".repeat(50_000));
  assert.equal((await judge(content)).verdict.kind, "accept");
  content.set(bytesOf("needle"), content.length - 6);
  assert.equal((await judge(content)).verdict.kind, "reject");
});

Deno.test("contentRulesCheck gives others their turns, and goes on after a line that it gave up", async () => {
  const hostile = `${"a".repeat(40)}${"b".repeat(40)}xy\n`;
  const rules = "^\\(a*\\)*\\(b*\\)*\\1x\\2$\nneedle\n";
  const clock = new BusyClock();
  const { verdict } = await judge(bytesOf(hostile), { rules, clock });
  assert.ok(verdict.kind === "unsure" && /back-reference/.test(verdict.why), verdict.why);
  assert.ok(clock.turns > 100, `${clock.turns} turns`);
  const { verdict: other } = await judge(bytesOf(`${hostile}needle\n`), { rules });
  assert.equal(other.kind, "reject");
});

Deno.test("contentRulesCheck does not lose time because others work, too", async () => {
  // Between two turns of this message ten others have theirs.
  const clock = new class extends BusyClock {
    override after(delay: number, callback: () => void): () => void {
      this.pass(50);
      return super.after(delay, callback);
    }
  }();
  const text = `${"a".repeat(40)}${"b".repeat(40)}xy\nneedle\n`;
  const rules = "^\\(a*\\)*\\(b*\\)*\\1x\\2$\n\\(n\\)eedl\\1*e\n";
  const { verdict } = await judge(bytesOf(text), { rules, clock, limit: Infinity });
  assert.equal(verdict.kind, "reject");
  assert.ok(clock.now() > 30_000);
});

Deno.test("contentRulesCheck ends when its time is over, or when nobody waits", async () => {
  const hostile = `${"a".repeat(40)}${"b".repeat(40)}xy\n`.repeat(1000);
  const rules = "^\\(a*\\)*\\(b*\\)*\\1x\\2$\n";
  const late = await judge(bytesOf(hostile), { rules, clock: new BusyClock(), limit: 50 });
  assert.equal(late.verdict.why, "content rules took longer than the 0.05 s left of --message-timeout");
  const slow = await judge(bytesOf(hostile), { rules, clock: new BusyClock(), limit: Infinity });
  assert.equal(slow.verdict.why, "content rules took longer than 30 s");
  const aborted = await judge(bytesOf(hostile), { rules, signal: AbortSignal.abort() });
  assert.equal(aborted.verdict.kind, "unsure");
});
