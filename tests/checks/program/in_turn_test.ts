// Tests of lib/checks/program/in_turn.ts: a check waits for its turn within the message's time, and many messages do not
// get past it.

import assert from "node:assert/strict";
import type { Check, CheckOptions } from "../../../lib/checks/check.ts";
import { inTurn } from "../../../lib/checks/program/in_turn.ts";
import { messageOf } from "../../../lib/mail/message.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { Turns } from "../../../lib/wire/turns.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";
import { MAIL, newSpool } from "../../fakes/spool.ts";

const PASSED: Verdict = { kind: "accept", why: "passed" };
const LATE: Verdict = { kind: "unsure", cause: "late", why: "too slow" };

/** A check behind one turn. Each message is judged when the test says so. */
class Bed {
  readonly clock;
  readonly turns;
  readonly asked: { readonly limit: number; readonly answer: (verdict: Verdict) => void }[] = [];
  readonly #runtime = new FakeRuntime();
  readonly #check: Check;

  constructor(turns = 1) {
    this.clock = this.#runtime.clock;
    this.turns = new Turns(this.clock, turns);
    const check: Check = {
      name: "command",
      needsFile: true,
      askedFor: "x",
      judge: (_, { limit }) => new Promise((answer) => this.asked.push({ limit, answer })),
      retire: async () => {},
    };
    this.#check = inTurn(this.clock, check, this.turns);
    assert.deepEqual({ ...this.#check, judge: undefined }, { ...check, judge: undefined });
  }

  judge(limit: number, signal = new AbortController().signal): Promise<Verdict> {
    const { spool, files } = newSpool(this.#runtime.files);
    const options: CheckOptions = { signal, limit, notice: () => {}, files };
    return this.#check.judge(messageOf(MAIL, spool), options);
  }
}

Deno.test("inTurn asks one after another, and the wait is a part of the message's time", async () => {
  const bed = new Bed();
  const verdicts = [bed.judge(1000), bed.judge(1000), bed.judge(1000)];
  await bed.clock.advance(300);
  assert.deepEqual(bed.asked.map(({ limit }) => limit), [1000]);
  bed.asked[0]!.answer(PASSED);
  assert.equal(await verdicts[0], PASSED);
  await bed.clock.advance(200);
  bed.asked[1]!.answer(LATE);
  // It is late by its own time.
  assert.equal(await verdicts[1], LATE);
  await settled();
  assert.deepEqual(bed.asked.map(({ limit }) => limit), [1000, 700, 500]);
  bed.asked[2]!.answer(PASSED);
  assert.equal(await verdicts[2], PASSED);
  assert.deepEqual([bed.turns.running, bed.turns.waiting, bed.clock.pending], [0, 0, 0]);
});

Deno.test("inTurn has no means for a message that waits too long, and does not ask about it", async () => {
  const bed = new Bed();
  void bed.judge(5000);
  const verdict = bed.judge(1000);
  await bed.clock.advance(1000);
  assert.deepEqual(await verdict, {
    kind: "unsure",
    cause: "no means",
    why: "filter was not started: the message waited 1 s for its turn (--max-filters=1)",
    isFull: false,
  });
  assert.equal(bed.asked.length, 1);
});

Deno.test("inTurn has no means for a message whose wait left the program too little time", async () => {
  const bed = new Bed();
  const first = bed.judge(5000);
  const second = bed.judge(1000);
  await bed.clock.advance(900);
  bed.asked[0]!.answer(PASSED);
  await first;
  await bed.clock.advance(100);
  bed.asked[1]!.answer(LATE);
  const verdict = await second;
  assert.ok(verdict.kind === "unsure" && verdict.cause === "no means", JSON.stringify(verdict));
  assert.match(verdict.why, /^too slow: the message waited 0\.9 s for its turn/);
  // Without a wait, the program alone is late.
  const third = bed.judge(1000);
  await bed.clock.advance(1000);
  bed.asked[2]!.answer(LATE);
  assert.equal(await third, LATE);
});

Deno.test("inTurn stops waiting when nobody waits for the answer, and gives the turn back if a check fails", async () => {
  const bed = new Bed();
  const first = bed.judge(5000);
  const aborter = new AbortController();
  const left = bed.judge(5000, aborter.signal);
  const third = bed.judge(5000);
  await settled();
  aborter.abort();
  assert.equal((await left).kind, "unsure");
  assert.equal(bed.asked.length, 1);
  bed.asked[0]!.answer(Promise.reject(new Error("bug")) as never);
  await assert.rejects(first, /bug/);
  await settled();
  bed.asked[1]!.answer(PASSED);
  assert.equal(await third, PASSED);
  assert.deepEqual([bed.turns.running, bed.turns.waiting], [0, 0]);
});
