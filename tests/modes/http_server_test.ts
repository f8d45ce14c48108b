// Tests of lib/modes/http_server.ts: its bounds, and that no client harms another one.

import assert from "node:assert/strict";
import { plainText } from "../../lib/metrics/http.ts";
import { CLIENTS_LIMIT, type Page, serveHttp } from "../../lib/modes/http_server.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeListener } from "../fakes/network.ts";
import { settled } from "../fakes/settled.ts";
import type { Peer } from "../rig/peer.ts";

const GET = "GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

class World {
  readonly clock = new FakeClock();
  readonly logger = new FakeLogger();
  readonly listener = new FakeListener({ transport: "tcp", host: "127.0.0.1", port: 1 });
  readonly ended: Promise<void>;

  constructor(page: Page = () => plainText(200, "here")) {
    const pages = new Map([["/page", page]]);
    this.ended = serveHttp({ clock: this.clock, logger: this.logger }, this.listener, pages);
  }

  async ask(request = GET): Promise<Peer> {
    const peer = this.listener.client();
    peer.say(request);
    await settled();
    return peer;
  }
}

Deno.test("a page is served, and the connection closed", async () => {
  const world = new World();
  const peer = await world.ask();
  assert.match(peer.hear(), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhere\n$/);
  assert.ok(peer.closed);
  const head = await world.ask(GET.replace("GET", "HEAD"));
  assert.match(head.hear(), /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 5\r\n[^]*\r\n\r\n$/);
  assert.equal(world.clock.pending, 0);
  world.listener.close();
  await world.ended;
});

Deno.test("another path is 404, another method 405 with the two that are possible", async () => {
  const world = new World();
  const lost = await world.ask(GET.replace("/page", "/other"));
  assert.match(lost.hear(), /^HTTP\/1\.1 404 Not Found\r\n[^]*\r\n\r\nthere is no such page: there are \/page\n$/);
  const post = await world.ask(GET.replace("GET", "POST"));
  assert.match(post.hear(), /^HTTP\/1\.1 405 Method Not Allowed\r\n[^]*Allow: GET, HEAD\r\n/);
});

Deno.test("a refused request is read on for a moment, so that its client hears the answer", async () => {
  const world = new World();
  const endless = await world.ask(`GET /${"x".repeat(5000)}`);
  assert.match(endless.hear(), /^HTTP\/1\.1 414 /);
  assert.ok(!endless.closed);
  for (let at = 0; at < 100 && !endless.closed; at++) {
    endless.say("x".repeat(10_000));
    await settled();
  }
  assert.ok(endless.closed);
  const silent = await world.ask("nonsense\n");
  assert.match(silent.hear(), /^HTTP\/1\.1 400 /);
  assert.ok(!silent.closed);
  await world.clock.advance(500);
  assert.ok(silent.closed);
  const polite = await world.ask("nonsense\n");
  polite.close();
  await settled();
  assert.ok(polite.closed);
  assert.equal(world.clock.pending, 0);
  assert.deepEqual(world.logger.lines, []);
});

Deno.test("a client that says nothing, takes nothing, or leaves ends after 30 s at most, without a line", async () => {
  const world = new World();
  const silent = await world.ask("");
  const half = await world.ask("GET /page HT");
  const full = world.listener.client();
  full.stallWrites();
  full.say(GET);
  const gone = await world.ask("GET");
  gone.end();
  const reset = await world.ask("GET");
  reset.reset();
  await settled();
  assert.ok(gone.closed && reset.closed);
  await world.clock.advance(29_999);
  assert.ok(!silent.closed && !half.closed && !full.closed);
  await world.clock.advance(1);
  assert.ok(silent.closed && half.closed && full.closed);
  assert.equal(world.clock.pending, 0);
  assert.deepEqual(world.logger.lines, []);
  assert.match((await world.ask()).hear(), / 200 OK/);
});

Deno.test("100 clients are served at a time, and one more hears 503 at once", async () => {
  const world = new World();
  const silent: Peer[] = [];
  for (let at = 0; at < CLIENTS_LIMIT; at++) silent.push(await world.ask(""));
  // The burst is over, so the next one waits for a moment.
  const more = await world.ask();
  await world.clock.advance(5);
  assert.match(more.hear(), /^HTTP\/1\.1 503 [^]*100 clients are served at a time/);
  await world.clock.advance(500);
  assert.ok(more.closed);
  silent[0]!.end();
  await settled();
  assert.match((await world.ask()).hear(), / 200 OK/);
});

Deno.test("a flood waits outside: 100 clients at once, then one each 5 ms", async () => {
  let served = 0;
  const world = new World(() => {
    served++;
    return plainText(200, "here");
  });
  const peers: Peer[] = [];
  for (let at = 0; at < 300; at++) {
    const peer = world.listener.client();
    peer.say(GET);
    peers.push(peer);
  }
  await settled();
  assert.equal(served, 100);
  await world.clock.advance(500);
  assert.ok(served >= 195 && served <= 201, String(served));
  await world.clock.advance(500);
  assert.ok(peers.every((peer) => peer.closed));
});

Deno.test("a page that fails is a bug: 500, the log has it, and the next one is served", async () => {
  let fails = true;
  const world = new World(() => {
    if (fails) throw new TypeError("oops");
    return plainText(200, "here");
  });
  const peer = await world.ask();
  assert.match(peer.hear(), /^HTTP\/1\.1 500 /);
  assert.match(world.logger.lines.join("\n"), /^error: -: bug error="?TypeError: oops/);
  fails = false;
  assert.match((await world.ask()).hear(), / 200 OK/);
});

Deno.test("an accept that fails is tried again", async () => {
  const world = new World();
  world.listener.fail("exhausted");
  const peer = await world.ask();
  assert.equal(peer.hear(), "");
  await world.clock.advance(100);
  assert.match(peer.hear(), / 200 OK/);
});
