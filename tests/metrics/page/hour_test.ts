// Tests of lib/metrics/page/hour.ts: the last hour of a snapshot.

import assert from "node:assert/strict";
import { type Hour, hourOf } from "../../../lib/metrics/page/hour.ts";
import { type Minute, MINUTES_KEPT, type Snapshot } from "../../../lib/metrics/snapshot.ts";
import { EMPTY, FULL, NOW, ONE } from "../snapshots.ts";

const MINUTE = 60_000;
const THIS = Math.floor(NOW / MINUTE);

function minute(ago: number, messages: Minute["messages"], sessions = 0, sessionsOpen = 0): Minute {
  return { minute: THIS - ago, messages, sessions, sessionsOpen };
}

function since(ago: number, minutes: readonly Minute[], more: Partial<Snapshot> = {}): Snapshot {
  return { ...EMPTY, startTime: NOW - ago, minutes, ...more };
}

type Facts = Partial<Pick<Hour, "total" | "refused" | "rate" | "sessions" | "peak">>;

const DAY = 1440 * MINUTE;

const ROWS: readonly [name: string, snapshot: Snapshot, facts: Facts][] = [
  ["nothing", EMPTY, { total: 0, refused: 0, rate: 0, sessions: 0, peak: 0 }],
  ["one message in half a minute", ONE, { total: 1, refused: 0, rate: 1, sessions: 1, peak: 1 }],
  [
    "each verdict that delivers nothing",
    since(DAY, [
      minute(9, { pass: 1, tag: 2, bypass: 4, unchecked: 8, reject: 16, tempfail: 32, discard: 64, quarantine: 128 }),
    ]),
    { total: 255, refused: 240, rate: 0 },
  ],
  // NOW is 42 s after the start of its minute.
  ["a mean of the last minutes", since(DAY, [0, 1, 2, 3, 4, 5].map((ago) => minute(ago, { pass: 57 }))), { rate: 60 }],
  ["the minute before them", since(DAY, [minute(6, { pass: 57 })]), { rate: 0 }],
  ["a start two minutes ago", since(2 * MINUTE, [0, 1, 2].map((ago) => minute(ago, { pass: 10 }))), { rate: 15 }],
  [
    "minutes that are too old, or have not come",
    since(DAY, [minute(MINUTES_KEPT, { pass: 1 }, 1, 1), minute(-1, { pass: 1 }, 1, 1)]),
    { total: 0, sessions: 0, peak: 0 },
  ],
  ["sessions that are open since before the hour", since(DAY, [], { sessionsOpen: 7 }), { peak: 7 }],
  ["a peak that is over", since(DAY, [minute(3, {}, 5, 9)], { sessionsOpen: 1 }), { peak: 9, sessions: 5 }],
];

Deno.test("the figures of the hour", () => {
  for (const [name, snapshot, facts] of ROWS) {
    const hour = hourOf(snapshot);
    assert.equal(hour.minutes.length, MINUTES_KEPT, name);
    for (const [key, value] of Object.entries(facts)) assert.equal(hour[key as keyof Facts], value, `${name}: ${key}`);
  }
});

Deno.test("each minute has its place, and those before the start are marked", () => {
  const { minutes } = hourOf(since(3 * MINUTE, [minute(2, { pass: 4 })]));
  assert.deepEqual(minutes.map(({ minute }) => minute), Array.from({ length: 60 }, (_, at) => THIS - 59 + at));
  assert.deepEqual(minutes.slice(-5).map(({ isBefore }) => isBefore), [true, false, false, false, false]);
  assert.deepEqual(minutes.slice(-4).map(({ total }) => total), [0, 4, 0, 0]);
});

Deno.test("verdicts of a full hour add up", () => {
  const hour = hourOf(FULL);
  assert.equal(Object.values(hour.messages).reduce((sum, count) => sum + count), hour.total);
  assert.ok(hour.total > 1000 && hour.refused > 100);
});
