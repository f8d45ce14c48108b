// Tests of lib/settings/load_checks.ts: the turns of filters last as long as the process, and there are none in spawn mode.

import assert from "node:assert/strict";
import { readWords } from "../../lib/commands/commands.ts";
import { type ChecksParts, loadChecks } from "../../lib/settings/load_checks.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const PARTS = { runtime: new FakeRuntime(), logger: new FakeLogger() };

function load(args: readonly string[], parts: ChecksParts = PARTS) {
  return loadChecks(parts, readWords([...args, "mx"]).line.settings);
}

Deno.test("loadChecks has turns for filters in listen mode: 4 for each processor, or as many as --max-filters says", async () => {
  const listen = ["-l", "10025", "-c", "true"];
  assert.equal((await load(listen)).filterTurns?.count, 4 * navigator.hardwareConcurrency);
  assert.equal((await load([...listen, "--max-filters=7"])).filterTurns?.count, 7);
  assert.equal((await load(["-c", "true"])).filterTurns, undefined);
  assert.equal((await load(listen, { ...PARTS, isTrial: true })).filterTurns, undefined);
});

Deno.test("loadChecks goes on with the turns of the checks before, also if it had none to load, and sets their number", async () => {
  const before = await load(["-l", "10025", "--max-filters=7"]);
  const after = await load(["-l", "10025", "-c", "true", "--max-filters=3"], { ...PARTS, ...before });
  assert.ok(after.filterTurns && after.filterTurns === before.filterTurns);
  assert.equal(after.filterTurns.count, 3);
  // A mistake changes nothing.
  const wrong = ["-l", "10025", "--max-filters=9", "--list-name=a.test=x"];
  await assert.rejects(load(wrong, { ...PARTS, ...after }), /no DNS list/);
  assert.equal(after.filterTurns.count, 3);
});
