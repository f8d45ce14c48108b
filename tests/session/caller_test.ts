// Tests of lib/session/caller.ts and message_client.ts: whose name and address restrictions and checks see.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import { EnvelopeCaller } from "../../lib/session/caller.ts";
import { MessageClient } from "../../lib/session/message_client.ts";
import { NO_EHLO } from "../../lib/session/transaction.ts";
import type { ClientFacts } from "../../lib/smtp/xforward.ts";

type Zone = Readonly<Record<string, readonly string[] | "fails">>;

function dnsOf(zone: Zone): { records(name: string, type: string): Promise<readonly string[]>; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    records: async (name, type) => {
      asked.push(`${name} ${type}`);
      const records = zone[`${name} ${type}`] ?? [];
      if (records === "fails") throw new IoError("timeout", "no answer");
      return records;
    },
  };
}

function callerOf(facts: ClientFacts, connection: { peer?: string | undefined }, dns: ReturnType<typeof dnsOf>) {
  const onUnknown = (why: string) => assert.fail(why);
  return new EnvelopeCaller(emptyEnvelope(facts), connection, { dns, onUnknown });
}

Deno.test("a caller is the client that XFORWARD names, and DNS is asked nothing", async () => {
  const dns = dnsOf({ "1.2.0.192.in-addr.arpa PTR": ["mx.example"], "mx.example A": ["192.0.2.1"] });
  for (
    const [facts, address, name] of [
      [{ address: "192.0.2.1", name: "a.example" }, "192.0.2.1", "a.example"],
      // Downstream's neighbour has looked, and found none.
      [{ address: "192.0.2.1", nameless: "none" }, "192.0.2.1", undefined],
      // It says that nothing is known, which is not that the client is our neighbour.
      [{ nameless: "none" }, undefined, undefined],
      // A name that looks like an address.
      [{ address: "192.0.2.1", name: "10.0.0.1" }, "192.0.2.1", undefined],
    ] as const
  ) {
    const caller = callerOf({ ...facts, told: true }, { peer: "127.0.0.1" }, dns);
    assert.equal(caller.address, address);
    assert.equal(await caller.name(), name);
  }
  // DNS failed there, which is no proof that there is no name.
  const doubtful = callerOf({ told: true, address: "192.0.2.1", nameless: "failed" }, { peer: "127.0.0.1" }, dns);
  assert.equal(doubtful.address, "192.0.2.1");
  await assert.rejects(doubtful.name(), IoError);
  assert.deepEqual(dns.asked, []);
});

Deno.test("a caller's name is looked up if XFORWARD did not give it; without an address it is not known", async () => {
  const dns = dnsOf({ "1.2.0.192.in-addr.arpa PTR": ["mx.example"], "mx.example A": ["192.0.2.1"] });
  const addressed = callerOf({ told: true, address: "192.0.2.1" }, { peer: "127.0.0.1" }, dns);
  assert.equal(await addressed.name(), "mx.example");
  const blank = callerOf({ told: true, helo: "x" }, { peer: "127.0.0.1" }, dns);
  assert.equal(blank.address, undefined);
  assert.equal(await blank.name(), undefined);
  assert.equal(await callerOf({}, {}, dns).name(), undefined);
});

Deno.test("a caller is never the peer if downstream does not allow XFORWARD", async () => {
  const dns = dnsOf({ "1.0.0.127.in-addr.arpa PTR": ["localhost"], "localhost A": ["127.0.0.1"] });
  const noted: string[] = [];
  const onUnknown = (why: string) => void noted.push(why);
  const envelope = { ...emptyEnvelope(), unforwarded: "not offered" };
  const caller = new EnvelopeCaller(envelope, { peer: "127.0.0.1" }, { dns, onUnknown });
  assert.deepEqual(noted, [], "nobody has looked at it");
  assert.equal(caller.address, undefined);
  assert.equal(await caller.name(), undefined);
  const client = new MessageClient(envelope, { peer: "127.0.0.1" }, onUnknown);
  assert.equal(client.address, undefined);
  assert.deepEqual(client.facts, {});
  assert.deepEqual(noted, Array(4).fill("not offered"));
  assert.deepEqual(dns.asked, []);
  // A filter hears nothing of the peer, and so misses nothing where no EHLO was said.
  assert.deepEqual(new MessageClient({ ...envelope, unforwarded: NO_EHLO }, {}, onUnknown).facts, {});
  assert.equal(noted.length, 4);
  // Earlier facts, and those in a command that downstream took, count.
  const told = { ...envelope, client: { told: true, address: "192.0.2.1" } as const };
  assert.equal(new EnvelopeCaller(told, { peer: "127.0.0.1" }, { dns, onUnknown }).address, "192.0.2.1");
  assert.equal(noted.length, 4);
});

Deno.test("the name of our own peer is looked up, and back, when asked", async () => {
  const ptr = "1.2.0.192.in-addr.arpa PTR";
  const v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR";
  const rows: [string | undefined, Zone, string | undefined][] = [
    ["192.0.2.1", { [ptr]: ["mx.example"], "mx.example A": ["198.51.100.1", "192.0.2.1"] }, "mx.example"],
    ["::ffff:192.0.2.1", { [ptr]: ["mx.example"], "mx.example A": ["192.0.2.1"] }, "mx.example"],
    ["2001:db8::1", { [v6]: ["mx.example"], "mx.example AAAA": ["2001:DB8:0::1"] }, "mx.example"],
    ["192.0.2.1", { [ptr]: ["no.example", "mx.example"], "mx.example A": ["192.0.2.1"] }, "mx.example"],
    // A client whose address is its own choice may claim any name.
    ["192.0.2.1", { [ptr]: ["bank.example"], "bank.example A": ["203.0.113.1"] }, undefined],
    ["192.0.2.1", { [ptr]: ["10.0.0.1", "bad name.example"] }, undefined],
    ["192.0.2.1", {}, undefined],
  ];
  for (const [peer, zone, name] of rows) {
    const dns = dnsOf(zone);
    const caller = callerOf({}, { peer }, dns);
    assert.equal(caller.address, peer);
    assert.deepEqual(dns.asked, []);
    assert.equal(await caller.name(), name, JSON.stringify(zone));
  }
});

Deno.test("a caller: an unknown name is not a missing name", async () => {
  const ptr = "1.2.0.192.in-addr.arpa PTR";
  for (const zone of [{ [ptr]: "fails" }, { [ptr]: ["mx.example"], "mx.example A": "fails" }] as Zone[]) {
    await assert.rejects(callerOf({}, { peer: "192.0.2.1" }, dnsOf(zone)).name(), IoError);
  }
  const one = {
    [ptr]: ["dead.example", "mx.example"],
    "dead.example A": "fails",
    "mx.example A": ["192.0.2.1"],
  } as const;
  assert.equal(await callerOf({}, { peer: "192.0.2.1" }, dnsOf(one)).name(), "mx.example");
  // An address has as many names as its owner likes.
  const many = dnsOf({ [ptr]: Array.from({ length: 1000 }, (_, at) => `h${at}.example`) });
  assert.equal(await callerOf({}, { peer: "192.0.2.1" }, many).name(), undefined);
  assert.equal(many.asked.length, 6);
});
