// Tests of lib/runtime/shared/timers.ts: many timers on one alarm that cannot be cancelled.
//
// The clock stands still until the test moves it. Alarms ring when their time has come, even those that are out of
// date.

import assert from "node:assert/strict";
import { Timers } from "../../lib/runtime/shared/timers.ts";

function testBed() {
  let now = 1000;
  let alarms: { at: number; ring: () => void }[] = [];
  let set = 0;
  const timers = new Timers(() => now, (delay, ring) => {
    set++;
    alarms.push({ at: now + delay, ring });
  });
  const pass = (time: number) => {
    const end = now + time;
    for (;;) {
      const next = alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      now = Math.max(now, next.at);
      alarms = alarms.filter((alarm) => alarm !== next);
      next.ring();
    }
    now = end;
  };
  return { timers, pass, alarmsSet: () => set, alarmsLeft: () => alarms.length };
}

Deno.test("Timers run each callback once, when its time has come, the earliest first", () => {
  const { timers, pass } = testBed();
  const ran: string[] = [];
  timers.after(300, () => ran.push("300"));
  timers.after(100, () => ran.push("100"));
  timers.after(200, () => ran.push("200"));
  pass(99);
  assert.deepEqual(ran, []);
  pass(1);
  assert.deepEqual(ran, ["100"]);
  pass(1000);
  assert.deepEqual(ran, ["100", "200", "300"]);
});

Deno.test("Timers forget a callback that was cancelled, even by another callback of the same moment", () => {
  const { timers, pass, alarmsLeft } = testBed();
  const ran: string[] = [];
  timers.after(100, () => ran.push("canceled"))();
  const cancel: (() => void)[] = [];
  timers.after(200, () => {
    ran.push("first");
    cancel[0]!();
  });
  cancel.push(timers.after(200, () => ran.push("second")));
  pass(1000);
  assert.deepEqual(ran, ["first"]);
  assert.equal(alarmsLeft(), 0);
});

Deno.test("Timers set no alarm for a timer after the one that is set", () => {
  const { timers, pass, alarmsSet } = testBed();
  timers.after(1000, () => {});
  for (let count = 0; count < 100; count++) timers.after(5000 + count, () => {})();
  assert.equal(alarmsSet(), 1);
  pass(10_000);
  assert.equal(alarmsSet(), 1, "nothing is left to ring for");
});

Deno.test("Timers take a delay of 0 or less as the next moment, and a callback may set another timer", () => {
  const { timers, pass } = testBed();
  const ran: number[] = [];
  timers.after(-5, () => {
    ran.push(1);
    timers.after(10, () => ran.push(2));
  });
  assert.deepEqual(ran, [], "not from within the call");
  pass(0);
  assert.deepEqual(ran, [1]);
  pass(10);
  assert.deepEqual(ran, [1, 2]);
});

Deno.test("Timers hold no more alarms than they need, even if one often rings before a far one", () => {
  const { timers, pass, alarmsLeft } = testBed();
  timers.after(300_000, () => {});
  for (let count = 0; count < 1000; count++) {
    timers.after(0, () => {});
    pass(1);
    assert.equal(alarmsLeft(), 1);
  }
});

Deno.test("Timers go on after a callback that throws", () => {
  const { timers, pass } = testBed();
  const ran: string[] = [];
  timers.after(100, () => {
    throw new Error("oops");
  });
  timers.after(200, () => ran.push("second"));
  assert.throws(() => pass(150), /oops/);
  pass(100);
  assert.deepEqual(ran, ["second"]);
});

Deno.test("Timers agree with a sorted list on random delays and cancellations", () => {
  let seed = 5321;
  const random = () => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
  const { timers, pass } = testBed();
  const ran: number[] = [];
  const expected: number[] = [];
  for (let id = 0; id < 2000; id++) {
    const delay = Math.floor(random() * 500);
    const cancel = timers.after(delay, () => ran.push(id));
    if (random() < 0.5) cancel();
    else expected.push(id);
    if (random() < 0.1) pass(Math.floor(random() * 100));
  }
  pass(1000);
  assert.deepEqual(ran.toSorted((a, b) => a - b), expected);
});
