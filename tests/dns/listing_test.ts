// Tests of lib/dns/listing.ts: what a list is asked, what it answers, and what the log gets.

import assert from "node:assert/strict";
import { parseAddresses } from "../../lib/dns/answers.ts";
import { parseIp } from "../../lib/text/ip.ts";
import { ListStates } from "../../lib/dns/list_states.ts";
import { isListed, listingText } from "../../lib/dns/listing.ts";
import { type Dns, Lookups } from "../../lib/dns/lookups.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { type FakeAnswer, FakeResolver } from "../fakes/resolver.ts";

class Scene {
  readonly clock = new FakeClock();
  readonly resolver = new FakeResolver(this.clock);
  readonly logger = new FakeLogger();
  readonly lists = new ListStates(this.logger);

  /** The start of each session. */
  newDns(): Dns {
    const { clock, resolver } = this;
    return new Lookups({ clock, resolver }, { timeout: 5000, lists: this.lists }).forRuling();
  }

  async ask(what: string, addresses?: string, dns = this.newDns()): Promise<boolean | "of no use" | "unknown"> {
    const list = { zone: "l.test", addresses: addresses === undefined ? undefined : parseAddresses(addresses) };
    try {
      return await isListed(list, parseIp(what) ?? what, dns) ?? "of no use";
    } catch (error) {
      assert.ok(error instanceof IoError);
      return "unknown";
    }
  }

  text(what: string): Promise<string> {
    return listingText("l.test", what, this.newDns());
  }
}

Deno.test("whether a list lists a domain, by its answers", async () => {
  const rows: readonly (readonly [FakeAnswer, boolean | "of no use" | "unknown", addresses?: string])[] = [
    [["127.0.0.2"], true],
    [["127.0.0.2", "127.255.254.255"], true],
    [[], false],
    [["127.0.0.2"], false, "127.0.0.3"],
    [["127.0.0.2", "127.0.0.3"], true, "127.0.0.3"],
    // Excuses, the host of a parked domain, a resolver that lies.
    [["127.255.255.254"], "of no use"],
    [["127.0.0.1"], "of no use"],
    [["198.51.100.7"], "of no use"],
    [["127.0.0.1"], "of no use", "127.0.0.2"],
    [["127.0.0.1"], true, "127.0.0.1"],
    // Those that count are enough.
    [["127.0.0.1", "127.0.0.2"], true],
    [["127.0.0.2", "127.255.255.254"], true],
    [["127.0.0.2", "198.51.100.7"], true],
    [["127.0.0.2", "127.0.0.1"], "of no use", "127.0.0.3"],
    ["other", "unknown"],
  ];
  for (const [answer, expected, addresses] of rows) {
    const scene = new Scene();
    scene.resolver.answers.set("bad.example.l.test A", answer);
    assert.equal(await scene.ask("Bad.example", addresses), expected, JSON.stringify([answer, addresses]));
  }
});

Deno.test("no list is asked about addresses of loopback, link-local and private networks", async () => {
  const scene = new Scene();
  for (const address of ["127.0.0.1", "10.1.2.3", "::ffff:192.168.1.1", "::1", "fe80::1%eth0", "fd00::1"]) {
    assert.equal(await scene.ask(address), false, address);
  }
  assert.deepEqual(scene.resolver.asked, []);
  await scene.ask("192.0.2.99");
  await scene.ask("2001:db8::1");
  assert.deepEqual(scene.resolver.asked, [
    "99.2.0.192.l.test A",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.l.test A",
  ]);
});

Deno.test("the log gets an answer that is no listing once, with its text, for all sessions", async () => {
  const scene = new Scene();
  const { answers } = scene.resolver;
  answers.set("1.2.0.192.l.test A", ["127.255.255.254"]);
  answers.set("1.2.0.192.l.test TXT", ["open resolver,\nsee example.org"]);
  for (const name of ["2.2.0.192", "4.2.0.192"]) answers.set(`${name}.l.test A`, ["127.255.255.254"]);
  for (const name of ["3.2.0.192", "5.2.0.192"]) answers.set(`${name}.l.test A`, [`198.51.100.${name[0]}`]);
  for (const last of [1, 2, 3, 4, 5]) assert.equal(await scene.ask(`192.0.2.${last}`), "of no use");
  const words = "error: DNS list gives an answer that is not a listing: it does not count zone=l.test";
  assert.deepEqual(scene.logger.lines, [
    `${words} question=1.2.0.192.l.test answer=127.255.255.254 text="open resolver,\\x0asee example.org"`,
    `${words} question=3.2.0.192.l.test answer=198.51.100.3`,
  ]);
  // The text is not asked for again, except once more when lists are set again.
  const texts = () => scene.resolver.asked.filter((question) => question.endsWith("TXT")).length;
  assert.equal(texts(), 2);
  scene.lists.use([]);
  await scene.ask("192.0.2.4");
  assert.equal(texts(), 3);
});

Deno.test("names whose servers are silent take no time from a list", async () => {
  const scene = new Scene();
  scene.resolver.answers.set("bad.example.l.test A", ["127.0.0.2"]);
  const dns = scene.newDns();
  for (let count = 0; count < 10; count++) {
    scene.resolver.answers.set(`n${count}.test A`, "silent");
    const answer = assert.rejects(dns.records(`n${count}.test`, "A"), IoError);
    await scene.clock.advance(5000);
    await answer;
  }
  assert.equal(await scene.ask("bad.example", undefined, dns), true);
});

Deno.test("a text that can be no name is in no list, and a list need not say why", async () => {
  const scene = new Scene();
  scene.resolver.answers.set("bad.example.l.test TXT", ["because", "second"]);
  scene.resolver.answers.set("broken.example.l.test TXT", "other");
  assert.equal(await scene.ask("[192.0.2.1]"), false);
  assert.equal(await scene.text("bad.example"), "because");
  assert.equal(await scene.text("other.example"), "");
  assert.equal(await scene.text("broken.example"), "");
});
