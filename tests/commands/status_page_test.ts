// Tests of lib/commands/status_page.ts: how often the page is made, and what it says of this host.

import assert from "node:assert/strict";
import { StatusPage } from "../../lib/commands/status_page.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { EMPTY } from "../metrics/snapshots.ts";

function bed(): { runtime: FakeRuntime; page: StatusPage; asked: () => number } {
  const runtime = new FakeRuntime();
  let asked = 0;
  const page = new StatusPage(runtime, async () => ({ snapshot: { ...EMPTY, sessionsTotal: ++asked }, faults: [] }));
  return { runtime, page, asked: () => asked };
}

Deno.test("many clients at once make one page, and the next one is fresh", async () => {
  const { runtime, page, asked } = bed();
  const responses = await Promise.all(Array.from({ length: 100 }, () => page.response()));
  assert.equal(asked(), 1);
  assert.equal(new Set(responses.map(({ body }) => body)).size, 1);
  await runtime.clock.advance(99);
  await page.response();
  assert.equal(asked(), 1);
  await runtime.clock.advance(1);
  assert.match((await page.response()).body, /2 since start/);
});

Deno.test("the page has the name of the host, if there is one", async () => {
  const { runtime, page } = bed();
  assert.match((await page.response()).body, /<h1>postprox<\/h1>/);
  runtime.files.replace("/proc/sys/kernel/hostname", bytesOf("mx1.example.org\n"));
  await runtime.clock.advance(100);
  assert.match((await page.response()).body, /<h1>postprox on mx1\.example\.org<\/h1>/);
});

Deno.test("each header field of the response stands there once", async () => {
  const { fields = {}, type } = await bed().page.response();
  assert.equal(type, "text/html; charset=utf-8");
  // The server adds these itself (metrics/http.ts).
  for (const name of Object.keys(fields)) {
    assert.doesNotMatch(name, /^(?:content-(?:type|length)|cache-control|x-content-type-options|date|connection)$/i);
  }
});
