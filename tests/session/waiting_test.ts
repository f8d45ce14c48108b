// Tests of lib/session/waiting.ts: `Stop`, which promises what an AbortSignal does.

import assert from "node:assert/strict";
import { Stop } from "../../lib/session/waiting.ts";

const FIRST = new Error("first");

Deno.test("Stop calls everybody who waits for it once, and keeps the first reason", () => {
  const stop = new Stop();
  const called: string[] = [];
  stop.on(() => called.push(`one: ${stop.reason?.message}`));
  const ignore = stop.on(() => called.push("two"));
  stop.on(() => called.push("three"));
  ignore();
  stop.throwIfCome();
  assert.equal(stop.reason, undefined);
  stop.come(FIRST);
  stop.come(new Error("second"));
  assert.deepEqual(called, ["one: first", "three"]);
  assert.equal(stop.reason, FIRST);
  assert.throws(() => stop.throwIfCome(), FIRST);
});

Deno.test("Stop calls nobody who comes after it, and anybody may stop waiting meanwhile", () => {
  const stop = new Stop();
  const called: string[] = [];
  const ignore = stop.on(() => ignore());
  stop.on(() => called.push("two"));
  stop.come(FIRST);
  stop.on(() => called.push("late"));
  assert.deepEqual(called, ["two"]);
});
