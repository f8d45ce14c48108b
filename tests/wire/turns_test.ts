// Tests of lib/wire/turns.ts: how many have a turn at a time, in which order, and for how long the others wait.

import assert from "node:assert/strict";
import { Turns } from "../../lib/wire/turns.ts";
import { FakeClock } from "../fakes/clock.ts";
import { settled } from "../fakes/settled.ts";

Deno.test("Turns lets a fixed number in at a time, and the others in the order in which they came", async () => {
  const clock = new FakeClock();
  const turns = new Turns(clock, 2);
  const inside: string[] = [];
  const ends = new Map<string, () => void>();
  const enter = async (name: string) => {
    ends.set(name, (await turns.take(1000))!);
    inside.push(name);
  };
  for (const name of ["a", "b", "c", "d"]) void enter(name);
  await settled();
  assert.deepEqual(inside, ["a", "b"]);
  ends.get("b")!();
  await settled();
  assert.deepEqual(inside, ["a", "b", "c"]);
  for (const name of ["a", "c"]) ends.get(name)!();
  await settled();
  assert.deepEqual(inside, ["a", "b", "c", "d"]);
  assert.equal(clock.pending, 0);
});

Deno.test("Turns.take gives up in time, and its place goes to the next", async () => {
  const clock = new FakeClock();
  const turns = new Turns(clock, 1);
  const end = (await turns.take(1000))!;
  let late: unknown = "waits";
  let patient: unknown = "waits";
  void turns.take(100).then((turn) => late = turn);
  void turns.take(1000).then((turn) => patient = turn);
  await clock.advance(100);
  assert.equal(late, undefined);
  assert.equal(patient, "waits");
  end();
  await settled();
  assert.equal(typeof patient, "function");
  assert.equal(clock.pending, 0);
});

Deno.test("Turns.take gives up at once when its signal is aborted, and gives nothing to one that was", async () => {
  const clock = new FakeClock();
  const turns = new Turns(clock, 1);
  const end = (await turns.take(1000))!;
  const aborter = new AbortController();
  let left: unknown = "waits";
  let next: unknown = "waits";
  void turns.take(1000, aborter.signal).then((turn) => left = turn);
  void turns.take(1000).then((turn) => next = turn);
  await settled();
  assert.deepEqual([turns.running, turns.waiting], [1, 2]);
  aborter.abort();
  await settled();
  assert.deepEqual([left, next, turns.running, turns.waiting], [undefined, "waits", 1, 1]);
  end();
  await settled();
  assert.equal(typeof next, "function");
  (next as () => void)();
  assert.equal(await turns.take(1000, aborter.signal), undefined);
  assert.deepEqual([turns.running, turns.waiting, clock.pending], [0, 0, 0]);
});

Deno.test("Turns.count may change: those who wait come in, and those who are in go on", async () => {
  const turns = new Turns(new FakeClock(), 1);
  const ends: (() => void)[] = [];
  for (let one = 0; one < 4; one++) void turns.take(1000).then((end) => ends.push(end!));
  await settled();
  turns.count = 3;
  await settled();
  assert.deepEqual([ends.length, turns.running, turns.waiting], [3, 3, 1]);
  turns.count = 1;
  for (const [at, running] of [[0, 2], [1, 1], [2, 1]] as const) {
    ends[at]!();
    await settled();
    assert.equal(turns.running, running);
  }
  assert.deepEqual([ends.length, turns.waiting], [4, 0]);
});
