// Tests of lib/wire/deadline.ts: it comes when it is due, once, and one timer serves any number of starts.

import assert from "node:assert/strict";
import { Deadline } from "../../lib/wire/deadline.ts";
import { FakeClock } from "../fakes/clock.ts";

function newDeadline(): {
  clock: FakeClock;
  deadline: Deadline;
  late: string[];
  start: (ms: number, name: string) => void;
} {
  const clock = new FakeClock();
  const deadline = new Deadline(clock);
  const late: string[] = [];
  const begin = clock.now();
  const start = (ms: number, name: string) =>
    deadline.start(clock.now() + ms, () => late.push(`${name} at ${clock.now() - begin}`));
  return { clock, deadline, late, start };
}

Deno.test("Deadline comes when it is due, and once", async () => {
  const { clock, late, start } = newDeadline();
  start(100, "one");
  await clock.advance(99);
  assert.deepEqual(late, []);
  await clock.advance(1000);
  assert.deepEqual(late, ["one at 100"]);
  assert.equal(clock.pending, 0);
});

Deno.test("Deadline.stop keeps it from coming, and a later start is a new one", async () => {
  const { clock, deadline, late, start } = newDeadline();
  start(100, "one");
  await clock.advance(50);
  deadline.stop();
  await clock.advance(60);
  start(100, "two");
  await clock.advance(200);
  assert.deepEqual(late, ["two at 210"]);
});

Deno.test("Deadline.start replaces the deadline before it, an earlier or a later one", async () => {
  for (const [first, second] of [[100, 300], [300, 100]] as const) {
    const { clock, late, start } = newDeadline();
    start(first, "one");
    await clock.advance(10);
    start(second, "two");
    await clock.advance(1000);
    assert.deepEqual(late, [`two at ${second + 10}`]);
  }
});

Deno.test("Deadline keeps one timer for a thousand starts", async () => {
  const { clock, deadline, late, start } = newDeadline();
  for (let count = 0; count < 1000; count++) {
    start(500, "late");
    await clock.advance(1);
    deadline.stop();
    assert.ok(clock.pending <= 1);
  }
  assert.deepEqual(late, []);
});

Deno.test("Deadline.close gives the timer back", () => {
  const { clock, deadline, start } = newDeadline();
  start(100, "one");
  deadline.close();
  assert.equal(clock.pending, 0);
});

Deno.test("Deadline may be started again by the function that it calls", async () => {
  const clock = new FakeClock();
  const deadline = new Deadline(clock);
  let calls = 0;
  const again = () => {
    if (++calls < 3) deadline.start(clock.now() + 10, again);
  };
  deadline.start(clock.now() + 10, again);
  await clock.advance(29);
  assert.equal(calls, 2);
  await clock.advance(1);
  assert.equal(calls, 3);
  assert.equal(clock.pending, 0);
});
