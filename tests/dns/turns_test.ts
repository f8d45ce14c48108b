// Tests of lib/dns/turns.ts: how many have a turn at a time, in which order, and for how long the others wait.

import assert from "node:assert/strict";
import { Turns } from "../../lib/dns/turns.ts";
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
