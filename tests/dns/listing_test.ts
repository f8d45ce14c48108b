// Tests of lib/dns/listing.ts: what is a listing, and what tells nothing.

import assert from "node:assert/strict";
import { listing, listingText } from "../../lib/dns/listing.ts";
import { Lookups } from "../../lib/dns/lookups.ts";
import { IoError } from "../../lib/runtime/io_error.ts";
import { FakeClock } from "../fakes/clock.ts";
import { type FakeAnswer, FakeResolver } from "../fakes/resolver.ts";

async function ask(answer: FakeAnswer): Promise<readonly string[] | "unknown"> {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  resolver.answers.set("bad.example.l.test A", answer);
  const dns = new Lookups({ clock, resolver }, { timeout: 5000 }).forRuling();
  try {
    return await listing({ name: "Bad.example", zone: "l.test" }, dns);
  } catch (error) {
    assert.ok(error instanceof IoError);
    return "unknown";
  }
}

Deno.test("a listing is an address in 127.0.0.0/8 by which the list does not excuse itself", async () => {
  const rows: readonly (readonly [FakeAnswer, readonly string[] | "unknown"])[] = [
    [["127.0.0.2"], ["127.0.0.2"]],
    [["127.0.0.2", "127.255.254.255"], ["127.0.0.2", "127.255.254.255"]],
    [[], []],
    // Excuses, the host of a parked domain, both at once.
    [["127.255.255.254"], "unknown"],
    [["198.51.100.7"], "unknown"],
    [["127.0.0.2", "198.51.100.7"], "unknown"],
    ["refused", "unknown"],
  ];
  for (const [answer, expected] of rows) assert.deepEqual(await ask(answer), expected, JSON.stringify(answer));
});

Deno.test("names whose servers are silent take no time from a list", async () => {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  resolver.answers.set("bad.example.l.test A", ["127.0.0.2"]);
  const dns = new Lookups({ clock, resolver }, { timeout: 5000 }).forRuling();
  for (let count = 0; count < 10; count++) {
    resolver.answers.set(`n${count}.test A`, "silent");
    const answer = assert.rejects(dns.records(`n${count}.test`, "A"), IoError);
    await clock.advance(5000);
    await answer;
  }
  assert.deepEqual(await listing({ name: "bad.example", zone: "l.test" }, dns), ["127.0.0.2"]);
});

Deno.test("what no name can be is in no list, and a list need not say why", async () => {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  resolver.answers.set("bad.example.l.test TXT", ["because", "second"]);
  const dns = new Lookups({ clock, resolver }, { timeout: 5000 }).forRuling();
  assert.deepEqual(await listing({ name: "[192.0.2.1]", zone: "l.test" }, dns), []);
  assert.equal(await listingText({ name: "bad.example", zone: "l.test" }, dns), "because");
  assert.equal(await listingText({ name: "other.example", zone: "l.test" }, dns), "");
});
