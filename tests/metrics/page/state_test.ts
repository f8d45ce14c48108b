// Tests of lib/metrics/page/state.ts: healthy, worth a look, or not healthy.

import assert from "node:assert/strict";
import { html } from "../../../lib/metrics/page/html.ts";
import { hourOf } from "../../../lib/metrics/page/hour.ts";
import { stateOf } from "../../../lib/metrics/page/state.ts";
import type { Snapshot } from "../../../lib/metrics/snapshot.ts";
import { EMPTY, FULL, NOW, ONE } from "../snapshots.ts";

const WELL = "Mail can be taken. Next hop and scanners answer.";
const MINUTE = 60_000;
const UNCHECKED = [{ minute: Math.floor(NOW / MINUTE), messages: { unchecked: 1 }, sessions: 1, sessionsOpen: 1 }];

const ROWS: readonly [snapshot: Snapshot, faults: readonly string[], level: string, reasons: readonly string[]][] = [
  [EMPTY, [], "ok", [WELL]],
  [ONE, [], "ok", [WELL]],
  [EMPTY, ["clamd does not answer."], "bad", ["clamd does not answer."]],
  [EMPTY, [`<b>"`], "bad", ["&lt;b&gt;&quot;"]],
  [{ ...EMPTY, workers: 3, workersWanted: 4 }, [], "warn", ["3 of 4 workers run."]],
  // While a reload replaces workers, there are more.
  [{ ...EMPTY, workers: 8, workersWanted: 4 }, [], "ok", [WELL]],
  [{ ...EMPTY, filtersWaiting: 1 }, [], "warn", ["1 message waits for a filter."]],
  [{ ...EMPTY, filtersWaiting: 1200 }, [], "warn", ["1,200 messages wait for a filter."]],
  // No check was asked for, so none is at fault.
  [{ ...EMPTY, minutes: UNCHECKED }, [], "ok", [WELL]],
  [{ ...EMPTY, minutes: UNCHECKED, checkErrors: { clamd: 0 } }, [], "ok", [WELL]],
  [{ ...EMPTY, minutes: UNCHECKED, checkErrors: { clamd: 1 } }, [], "warn", [
    "1 message passed unchecked in the last hour.",
  ]],
  [FULL, [], "warn", ["456 messages passed unchecked in the last hour."]],
  [
    { ...EMPTY, lastError: { time: NOW - 3 * MINUTE, text: "<bug>" } },
    [],
    "warn",
    [`Last error, 3 min ago: &lt;bug&gt;`],
  ],
  [{ ...EMPTY, lastError: { time: NOW - 16 * MINUTE, text: "bug" } }, [], "ok", [WELL]],
  // A fault comes first, and what else there is stands below it.
  [{ ...EMPTY, filtersWaiting: 1 }, ["Down."], "bad", ["Down.", "1 message waits for a filter."]],
];

Deno.test("the state is as bad as the worst of its reasons", () => {
  for (const [snapshot, faults, level, reasons] of ROWS) {
    const state = stateOf(snapshot, hourOf(snapshot), { faults });
    assert.equal(state.level, level);
    assert.deepEqual(state.reasons.map((reason) => html`${reason}`.text.replace(/<\/?bdi[^>]*>/g, "")), reasons);
  }
});

Deno.test("the reasons have a bound", () => {
  const { reasons } = stateOf(EMPTY, hourOf(EMPTY), { faults: Array.from({ length: 1000 }, () => "x".repeat(1000)) });
  assert.equal(reasons.length, 10);
  assert.ok(reasons.every((reason) => html`${reason}`.text.length < 350));
});
