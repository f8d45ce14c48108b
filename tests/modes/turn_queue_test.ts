// Tests of lib/modes/turn_queue.ts and lib/modes/linked_turns.ts: the turns of filters over all workers.

import assert from "node:assert/strict";
import { LinkedTurns } from "../../lib/modes/linked_turns.ts";
import { TurnQueue } from "../../lib/modes/turn_queue.ts";
import { FakeClock } from "../fakes/clock.ts";
import { settled } from "../fakes/settled.ts";

function newQueue(count: number) {
  const granted: string[] = [];
  return { granted, queue: new TurnQueue<string>(count, (worker, id) => granted.push(`${worker}${id}`)) };
}

Deno.test("TurnQueue gives turns in the order of all requests, and no more than there are", () => {
  const { queue, granted } = newQueue(2);
  for (const [worker, id] of [["a", 1], ["b", 1], ["b", 2], ["a", 2]] as const) queue.want(worker, id);
  assert.deepEqual(granted.splice(0), ["a1", "b1"]);
  assert.deepEqual([queue.running, queue.waiting], [2, 2]);
  queue.end("a", 1);
  assert.deepEqual(granted.splice(0), ["b2"]);
  // Nobody knows these.
  queue.end("a", 1);
  queue.end("c", 1);
  assert.deepEqual(granted.splice(0), []);
  queue.end("b", 1);
  queue.end("b", 2);
  assert.deepEqual(granted, ["a2"]);
});

Deno.test("TurnQueue: the turns of a worker that has ended come back, and its requests are forgotten", () => {
  const { queue, granted } = newQueue(2);
  for (const [worker, id] of [["a", 1], ["a", 2], ["a", 3], ["b", 1], ["c", 1]] as const) queue.want(worker, id);
  granted.length = 0;
  queue.forget("a");
  assert.deepEqual(granted, ["b1", "c1"]);
  assert.deepEqual([queue.running, queue.waiting], [2, 0]);
});

Deno.test("TurnQueue: another count counts at once, and those that run go on", () => {
  const { queue, granted } = newQueue(3);
  for (const id of [1, 2, 3, 4, 5]) queue.want("a", id);
  granted.length = 0;
  queue.count = 1;
  queue.end("a", 1);
  queue.end("a", 2);
  assert.deepEqual([queue.running, granted], [1, []]);
  queue.count = 3;
  assert.deepEqual(granted, ["a4", "a5"]);
});

class Bed {
  readonly clock = new FakeClock();
  readonly said: string[] = [];
  readonly turns = new LinkedTurns(this.clock, {
    want: (id) => this.said.push(`want ${id}`),
    end: (id) => this.said.push(`end ${id}`),
  });
}

Deno.test("LinkedTurns asks for each turn, and says when it is over", async () => {
  const { turns, said, clock } = new Bed();
  const one = turns.take(1000);
  const other = turns.take(1000);
  assert.deepEqual(said.splice(0), ["want 1", "want 2"]);
  assert.deepEqual([turns.running, turns.waiting], [0, 2]);
  turns.granted(2);
  const end = await other;
  assert.deepEqual([turns.running, turns.waiting], [1, 1]);
  end!();
  assert.deepEqual(said.splice(0), ["end 2"]);
  turns.granted(1);
  (await one)!();
  assert.deepEqual(said, ["end 1"]);
  assert.equal(clock.pending, 0);
});

Deno.test("LinkedTurns gives up in time or when nobody waits any more, and gives back a turn that comes too late", async () => {
  const { turns, said, clock } = new Bed();
  const late = turns.take(1000);
  const stop = new AbortController();
  const unwanted = turns.take(5000, stop.signal);
  await clock.advance(1000);
  assert.equal(await late, undefined);
  stop.abort();
  assert.equal(await unwanted, undefined);
  turns.granted(1);
  turns.granted(2);
  await settled();
  assert.deepEqual(said, ["want 1", "want 2", "end 1", "end 2"]);
  assert.equal(await turns.take(1000, stop.signal), undefined);
  assert.deepEqual([turns.running, turns.waiting, clock.pending, said.length], [0, 0, 0, 4]);
});
