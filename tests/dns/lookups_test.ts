// Tests of lib/dns/lookups.ts: what is asked, how often, and for how long.

import assert from "node:assert/strict";
import { ListStates } from "../../lib/dns/list_states.ts";
import { Lookups } from "../../lib/dns/lookups.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { NameServer } from "../../lib/ports/runtime.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeResolver } from "../fakes/resolver.ts";

interface Scene {
  readonly session: Lookups;
  readonly resolver: FakeResolver;
  readonly clock: FakeClock;
}

function newScene(server?: NameServer): Scene {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  const lists = new ListStates(new FakeLogger());
  return { session: new Lookups({ clock, resolver }, { server, timeout: 5000, lists }), resolver, clock };
}

function isTimeout(error: unknown): boolean {
  return error instanceof IoError && error.kind === "timeout";
}

Deno.test("Lookups asks each question once: it keeps answers, empty answers and failures", async () => {
  const { session, resolver } = newScene();
  resolver.answers.set("a.test A", ["192.0.2.1"]);
  resolver.answers.set("fails.test A", "refused");
  for (const name of ["a.test", "A.Test", "a.test"]) {
    assert.deepEqual(await session.forRuling().records(name, "A"), ["192.0.2.1"]);
  }
  const dns = session.forRuling();
  for (let count = 0; count < 2; count++) {
    assert.deepEqual(await dns.records("a.test", "MX"), []);
    await assert.rejects(dns.records("fails.test", "A"), IoError);
  }
  assert.deepEqual(resolver.asked, ["a.test A", "a.test MX", "fails.test A"]);
});

Deno.test("Lookups shares a lookup that is under way", async () => {
  const { session, resolver, clock } = newScene();
  resolver.answers.set("a.test A", "silent");
  const dns = session.forRuling();
  const both = [dns.records("a.test", "A"), dns.records("a.test", "A")].map((one) => assert.rejects(one, IoError));
  await clock.advance(5000);
  await Promise.all(both);
  assert.deepEqual(resolver.asked, ["a.test A"]);
});

Deno.test("Lookups keeps a bounded number of answers, and forgets the oldest first", async () => {
  const { session, resolver } = newScene();
  const dns = session.forRuling();
  for (let count = 0; count < 1000; count++) await dns.records(`n${count}.test`, "A");
  resolver.asked.length = 0;
  await dns.records("n999.test", "A");
  assert.deepEqual(resolver.asked, []);
  await dns.records("n0.test", "A");
  assert.deepEqual(resolver.asked, ["n0.test A"]);
});

Deno.test("Lookups gives a long answer, and does not keep it", async () => {
  const { session, resolver } = newScene();
  const names = Array.from({ length: 100 }, () => "x".repeat(1000));
  resolver.answers.set("long.test MX", names);
  const dns = session.forRuling();
  for (let count = 0; count < 2; count++) assert.deepEqual(await dns.records("long.test", "MX"), names);
  assert.equal(resolver.asked.length, 2);
});

Deno.test("Lookups has 10 s for names and 25 s for lists in a ruling, and neither takes from the other", async () => {
  const { session, resolver, clock } = newScene();
  const dns = session.forRuling();
  const askInVain = async (name: string, list?: string) => {
    resolver.answers.set(`${name} A`, "silent");
    const answer = assert.rejects(dns.records(name, "A", list === undefined ? {} : { list }), isTimeout);
    await clock.advance(5000);
    await answer;
  };
  for (const name of ["a.test", "b.test", "c.test"]) await askInVain(name);
  for (const list of ["l1", "l2", "l3", "l4", "l5", "l6"]) await askInVain(`d.${list}`, list);
  assert.deepEqual(resolver.asked, ["a.test A", "b.test A", ...["l1", "l2", "l3", "l4", "l5"].map((l) => `d.${l} A`)]);
  // Earlier answers are still known, and the next ruling has time of its own.
  await assert.rejects(dns.records("a.test", "A"), isTimeout);
  assert.deepEqual(await session.forRuling().records("there.test", "A"), []);
  assert.deepEqual(await session.forRuling().records("d.l7", "A", { list: "l7" }), []);
});

Deno.test("Lookups counts parallel lookups once, and no time between lookups", async () => {
  const { session, resolver, clock } = newScene();
  const dns = session.forRuling();
  for (let count = 0; count < 10; count++) resolver.answers.set(`n${count}.test A`, "silent");
  const all = Array.from({ length: 10 }, (_, at) => assert.rejects(dns.records(`n${at}.test`, "A"), isTimeout));
  await clock.advance(5000);
  await Promise.all(all);
  await clock.advance(60_000);
  assert.deepEqual(await dns.records("there.test", "A"), []);
});

Deno.test("Lookups stops asking a list that was silent three times, even if other names get answers", async () => {
  const { session, resolver, clock } = newScene();
  const askInVain = async (name: string, list?: string) => {
    resolver.answers.set(`${name} A`, "silent");
    const answer = assert.rejects(
      session.forRuling().records(name, "A", list === undefined ? {} : { list }),
      isTimeout,
    );
    await clock.advance(5000);
    await answer;
  };
  for (let count = 0; count < 20; count++) await askInVain(`dead${count}.test`);
  for (const name of ["a.l1", "b.l1"]) await askInVain(name, "l1");
  // An answer starts the count again.
  assert.deepEqual(await session.forRuling().records("c.l1", "A", { list: "l1" }), []);
  for (const name of ["d.l1", "e.l1", "f.l1", "g.l1", "h.l1"]) await askInVain(name, "l1");
  assert.deepEqual(resolver.asked.slice(-2), ["e.l1 A", "f.l1 A"]);
  assert.deepEqual(await session.forRuling().records("i.l2", "A", { list: "l2" }), []);
});

Deno.test("Lookups hands on the name server", async () => {
  const server = { address: "192.0.2.53", port: 53 };
  const { session, resolver } = newScene(server);
  await session.forRuling().records("a.test", "A");
  assert.deepEqual(resolver.server, server);
});
