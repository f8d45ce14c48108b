// Tests of lib/metrics/sum.ts: sums over processes, of which some have ended.

import assert from "node:assert/strict";
import { Meter } from "../../lib/metrics/meter.ts";
import type { Snapshot } from "../../lib/metrics/snapshot.ts";
import { sumOf, WorkersSum } from "../../lib/metrics/sum.ts";

const EMPTY = new Meter({ build: { version: "1", runtime: "none" }, now: () => 6_000_000 }).snapshot();

const bucketsWith = (at: number, count: number) =>
  EMPTY.downstreamSeconds.buckets.map((_, place) => place === at ? count : 0);

const ONE: Snapshot = {
  ...EMPTY,
  time: 6_000_100,
  startTime: 5_000_000,
  messages: [{ verdict: "pass", check: "", count: 3 }, { verdict: "reject", check: "clamd", count: 1 }],
  messageBytes: 100,
  sessionsOpen: 2,
  sessionsTotal: 9,
  checkSeconds: { clamd: { buckets: bucketsWith(0, 4), sum: 0.5 } },
  downstreamSeconds: { buckets: bucketsWith(1, 3), sum: 0.25 },
  checkErrors: { clamd: 1 },
  possibleDuplicates: 1,
  filtersRunning: 1,
  filtersWaiting: 2,
  filtersLimit: 4,
  workers: 1,
  minutes: [
    { minute: 1, messages: { pass: 1000 }, sessions: 1, sessionsOpen: 1 },
    { minute: 99, messages: { pass: 1 }, sessions: 1, sessionsOpen: 1 },
    { minute: 100, messages: { pass: 2, reject: 1 }, sessions: 8, sessionsOpen: 2 },
  ],
  refusals: Array.from({ length: 50 }, (_, at) => ({
    time: 1000 - 2 * at,
    what: "message",
    verdict: "reject",
    check: "",
    reason: `one ${at}`,
    recipients: 1,
    reply: "550",
  })),
  lastError: { time: 5, text: "older" },
};

const OTHER: Snapshot = {
  ...ONE,
  time: 6_000_000,
  startTime: 4_000_000,
  messages: [{ verdict: "pass", check: "", count: 4 }],
  checkSeconds: { clamd: { buckets: bucketsWith(0, 1), sum: 0.125 }, urls: { buckets: bucketsWith(14, 1), sum: 400 } },
  checkErrors: { urls: 2 },
  minutes: [{ minute: 100, messages: { pass: 4 }, sessions: 4, sessionsOpen: 3 }],
  refusals: ONE.refusals.map((one) => ({ ...one, time: one.time + 1, reason: one.reason.replace("one", "other") })),
  lastError: { time: 6, text: "newer" },
};

Deno.test("counters, gauges, histograms, minutes and refusals are summed", () => {
  const sum = sumOf([ONE, OTHER]);
  assert.deepEqual(sum, {
    ...EMPTY,
    time: 6_000_100,
    startTime: 4_000_000,
    messages: [{ verdict: "pass", check: "", count: 7 }, { verdict: "reject", check: "clamd", count: 1 }],
    messageBytes: 200,
    sessionsOpen: 4,
    sessionsTotal: 18,
    checkSeconds: {
      clamd: { buckets: bucketsWith(0, 5), sum: 0.625 },
      urls: { buckets: bucketsWith(14, 1), sum: 400 },
    },
    downstreamSeconds: { buckets: bucketsWith(1, 6), sum: 0.5 },
    checkErrors: { clamd: 1, urls: 2 },
    possibleDuplicates: 2,
    filtersRunning: 2,
    filtersWaiting: 4,
    filtersLimit: 8,
    workers: 2,
    minutes: [
      { minute: 99, messages: { pass: 1 }, sessions: 1, sessionsOpen: 1 },
      { minute: 100, messages: { pass: 6, reject: 1 }, sessions: 12, sessionsOpen: 5 },
    ],
    refusals: Array.from({ length: 25 }, (_, at) => [OTHER.refusals[at]!, ONE.refusals[at]!]).flat(),
    lastError: { time: 6, text: "newer" },
  });
  assert.deepEqual(sumOf([EMPTY]), { ...EMPTY, filtersLimit: undefined, lastError: undefined });
});

Deno.test("what a worker counted goes on to count after its end, and what it had open does not", () => {
  const workers = new WorkersSum<string>();
  workers.take("a", ONE);
  workers.take("b", OTHER);
  workers.take("b", { ...OTHER, messageBytes: 1000 });
  const before = workers.with(EMPTY);
  assert.equal(before.messageBytes, 1100);
  workers.end("a");
  workers.end("never seen");
  const after = workers.with(EMPTY);
  assert.deepEqual(after.messages, before.messages);
  assert.deepEqual(after.checkSeconds, before.checkSeconds);
  assert.deepEqual(after.refusals, before.refusals);
  assert.equal(after.messageBytes, 1100);
  assert.deepEqual([after.sessionsOpen, after.filtersRunning, after.filtersLimit, after.workers], [2, 1, 4, 1]);
  workers.end("b");
  // Its name may come back: it is another process.
  workers.take("a", { ...EMPTY, messageBytes: 5, sessionsOpen: 1 });
  const last = workers.with(EMPTY);
  assert.deepEqual([last.messageBytes, last.sessionsOpen, last.filtersLimit], [1105, 1, undefined]);
});
