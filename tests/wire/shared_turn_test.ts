// Tests of lib/wire/shared_turn.ts: with any number at work, the event loop gets its turn. And rules share it.

import assert from "node:assert/strict";
import { parseRules } from "../../lib/restrictions/rules/file.ts";
import { rulesRestriction } from "../../lib/restrictions/rules/rules.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import type { Clock } from "../../lib/ports/runtime.ts";
import { settled } from "../fakes/settled.ts";
import { newScene } from "../restrictions/restricted.ts";

/** A clock that moves by work alone; `turn` is a turn of the event loop, which runs what is due. */
class WorkClock implements Clock {
  #now = 0;
  #due: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  work(milliseconds: number): void {
    this.#now += milliseconds;
  }

  after(_delay: number, callback: () => void): () => void {
    this.#due.push(callback);
    return () => {};
  }

  async turn(): Promise<void> {
    for (const callback of this.#due.splice(0)) callback();
    await settled();
  }

  get isIdle(): boolean {
    return this.#due.length === 0;
  }
}

Deno.test("SharedTurn: one works in a turn of the event loop, in order, and no work is lost", async () => {
  const clock = new WorkClock();
  const turn = new SharedTurn(clock);
  const done: number[] = [];
  for (let worker = 0; worker < 10; worker++) {
    void (async () => {
      for (let slice = 0; slice < 20; slice++) {
        await turn.share();
        clock.work(1);
      }
      done.push(worker);
    })();
  }
  await settled();
  let turns = 0;
  for (; !clock.isIdle; turns++) {
    const before = clock.now();
    await clock.turn();
    assert.ok(clock.now() - before <= 4, `${clock.now() - before} ms in turn ${turns}`);
  }
  assert.deepEqual(done.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(clock.now(), 200);
  assert.ok(turns < 100, `${turns} turns`);
});

Deno.test("SharedTurn: work that ends within its turn does not wait", async () => {
  const clock = new WorkClock();
  const turn = new SharedTurn(clock);
  for (let message = 0; message < 3; message++) {
    await turn.share();
    clock.work(1);
    await turn.share();
    // Later, with turns of the event loop in between, in which nobody works.
    await clock.turn();
    clock.work(1000);
  }
  assert.ok(clock.isIdle);
});

Deno.test("rulesRestriction lets others have their turns between its rules", async () => {
  const clock = new WorkClock();
  // Time passes with each look at the clock, as it does in a computer.
  const busy: Clock = {
    now: () => {
      clock.work(1);
      return clock.now();
    },
    after: (delay, callback) => clock.after(delay, callback),
  };
  const rules = parseRules(Array.from({ length: 100 }, (_, at) => `noto:ALL:ALL:/^a*b${at}@/:550 no\n`).join(""));
  const restriction = rulesRestriction(rules, {
    file: "rules",
    delay: 0,
    turn: new SharedTurn(busy),
    listNames: new Map(),
  });
  const { context } = newScene({ address: "192.0.2.1" });
  const envelope = { ...emptyEnvelope(), sender: "me@here.example" };
  let isOver = false;
  const ruling = restriction.recipient!("you@there.example", envelope, context).finally(() => isOver = true);
  let turns = 0;
  for (await settled(); !isOver && turns < 1000; turns++) await clock.turn();
  assert.equal((await ruling).kind, "allow");
  assert.ok(turns >= 20, `${turns} turns`);
});
