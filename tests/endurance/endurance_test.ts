// The short forms of `deno task endurance`: the same loads with smaller numbers. Every load must succeed, and every
// bound on memory must hold. Times, and things that grow only slowly, are left to the whole run.

import { strict as assert } from "node:assert";
import { addressMany, flood, holdIdle, sendLarge, sendMany, slopeOf, trickle } from "./endurance.ts";
import type { Figure } from "./endurance_bed.ts";

const WARM_UP = 3000;

function assertPassed(figures: readonly Figure[]): void {
  assert.deepEqual(figures.filter(({ passed, wholeRunOnly }) => !passed && !wholeRunOnly), []);
}

Deno.test("endurance: thousands of messages in one process leave nothing behind", async () => {
  assertPassed(await sendMany({ count: 1000, size: 5000, connections: 10 }, 3));
});

Deno.test("endurance: idle connections cost little", async () => {
  assertPassed(await holdIdle(500, WARM_UP));
});

Deno.test("endurance: a large message does not go through memory", async () => {
  assertPassed(await sendLarge(10_000_000, [], WARM_UP));
  assertPassed(await sendLarge(10_000_000, ["-c", "true"], WARM_UP));
});

Deno.test("endurance: a transaction with a thousand recipients", async () => {
  assertPassed(await addressMany(1000));
});

Deno.test("endurance: the session's time limit ends a client that trickles", async () => {
  assertPassed(await trickle(1, 100));
});

Deno.test("endurance: clients beyond the limit get 421 and take no place", async () => {
  assertPassed(await flood(10, 100));
});

Deno.test("endurance: the slope of a series is the slope of most of its points", () => {
  const at = (kib: readonly number[]) => kib.map((kib, i) => ({ messages: 100 * (i + 1), kib }));
  assert.equal(slopeOf(at([50, 50, 50, 50])), 0);
  assert.equal(slopeOf(at([50, 60, 70, 80])), 0.1);
  assert.equal(slopeOf(at([50, 50, 90, 50, 50])), 0);
});
