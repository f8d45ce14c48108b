// Tests of scripts/test_queue.ts: which file a place takes next.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type Place, TestQueue } from "../../scripts/test_queue.ts";
import { fromFileUrl } from "../e2e/paths.ts";
import { ALONE, LONG, SUITES, WAITING } from "../needs.ts";

const ALONE_ONE = "e2e/package_test.ts";
const ALONE_WAITS = "e2e/postfix_config_lines_test.ts";
const SHORT = "smtp/reply_test.ts";
const LONG_ONE = "faults/faults_test.ts";
const WAITS = "dns/stub_resolver_test.ts";
const FILES = [SHORT, WAITS, ALONE_ONE, ALONE_WAITS, LONG_ONE];

/** What these places take, one after the other, while nothing ends. */
function take(queue: TestQueue, ...places: readonly Place[]): (string | undefined)[] {
  return places.map((place) => queue.take(place));
}

Deno.test("the files that take longest go first, and no two at a time that run alone", () => {
  const queue = new TestQueue(FILES, ["any", "any"]);
  assert.deepEqual(take(queue, "any", "any", "any", "any"), [ALONE_ONE, LONG_ONE, SHORT, WAITS]);
  assert.equal(queue.take("any"), undefined);
  queue.release(SHORT);
  assert.equal(queue.take("any"), undefined);
  queue.release(ALONE_ONE);
  assert.deepEqual(take(queue, "any", "any"), [ALONE_WAITS, undefined]);
});

Deno.test("a place for files that mostly wait takes nothing else, and the others take those last", () => {
  const queue = new TestQueue(FILES, ["any", "waiting"]);
  assert.deepEqual(take(queue, "waiting", "any", "any"), [ALONE_WAITS, LONG_ONE, SHORT]);
  assert.deepEqual(take(queue, "waiting", "waiting"), [WAITS, undefined]);
  queue.release(ALONE_WAITS);
  assert.deepEqual(take(queue, "any", "any"), [ALONE_ONE, undefined]);
});

Deno.test("a file that must run alone holds up no other file that waits", () => {
  const queue = new TestQueue(FILES, ["any", "waiting"]);
  assert.deepEqual(take(queue, "any", "waiting", "waiting"), [ALONE_ONE, WAITS, undefined]);
});

Deno.test("the files that tests/needs.ts names are there", () => {
  for (const name of [...ALONE, ...LONG, ...WAITING]) {
    assert.ok(existsSync(fromFileUrl(new URL(`../${name}`, import.meta.url))), name);
  }
});

Deno.test("a test that leaves out a part has a row of its own file in tests/needs.ts", () => {
  let count = 0;
  for (const file of testFiles(new URL("../", import.meta.url))) {
    const text = Deno.readTextFileSync(file);
    for (const [, part] of text.matchAll(/isLeftOut\("([^"]+)"\)/g)) {
      count++;
      const row = SUITES.find((suite) => suite.part === part);
      assert.ok(row && file.pathname.endsWith(`/tests/${row.where}`), `${file.pathname}: ${part}`);
    }
  }
  assert.ok(count > 10, `${count} parts were found`);
});

function testFiles(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? testFiles(new URL(`${name}/`, folder)) : name.endsWith("_test.ts") ? [new URL(name, folder)] : []
  );
}
