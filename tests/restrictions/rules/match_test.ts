// Tests of lib/restrictions/rules/match.ts: each kind of pattern, EXCEPT, and the result if DNS does not answer.

import assert from "node:assert/strict";
import { parseRules } from "../../../lib/restrictions/rules/file.ts";
import { type Match, matchesRule } from "../../../lib/restrictions/rules/match.ts";
import { ListStates } from "../../../lib/dns/list_states.ts";
import { IoError } from "../../../lib/ports/io_error.ts";
import { FakeLogger } from "../../fakes/logger.ts";

/** Records by question; `fails` cannot be found out. */
type Zone = Readonly<Record<string, readonly string[] | "fails">>;

interface Mail {
  readonly name?: string | "fails";
  readonly address?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string;
  readonly zone?: Zone;
}

interface Answer {
  readonly match: Match;
  readonly asked: readonly string[];
  readonly doubts: readonly string[];
}

/** Whether a rule with `fields` matches `mail`. */
async function match(fields: string, mail: Mail = {}): Promise<Answer> {
  const [rule] = parseRules(`debug:${fields}`);
  const asked: string[] = [];
  const doubts: string[] = [];
  const { name, zone = {} } = mail;
  const client = {
    address: "address" in mail ? mail.address : "192.0.2.1",
    name: async () => {
      if (name === "fails") throw new IoError("timeout", "name: no answer");
      return name;
    },
  };
  const dns = {
    lists: new ListStates(new FakeLogger()),
    records: async (question: string, type: string) => {
      asked.push(`${question} ${type}`);
      const records = zone[`${question} ${type}`] ?? [];
      if (records === "fails") throw new IoError("timeout", `${question}: no answer`);
      return records;
    },
  };
  const sender = "from" in mail ? mail.from : "me@here.example";
  const found = await matchesRule(rule!, { client, sender, recipient: mail.to ?? "you@there.example" }, {
    dns,
    doubt: (why) => void doubts.push(why),
  });
  return { match: found, asked, doubts };
}

type Row = readonly [pattern: string, mail: Mail, match: Match];

async function checkRows(rows: readonly Row[], fields: (pattern: string) => string): Promise<void> {
  for (const [pattern, mail, expected] of rows) {
    const { match: found, doubts } = await match(fields(pattern), mail);
    assert.equal(found, expected, `${pattern} ${JSON.stringify(mail)}`);
    if (expected === undefined) assert.ok(doubts.length > 0, `${pattern}: no reason`);
  }
}

const V6 = "2001:db8::1";
const V6_REVERSED = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";

Deno.test("matchesRule: sources", async () => {
  const host = { name: "Mail.Example.ORG" };
  await checkRows([
    ["ALL", {}, true],
    ["ALL", { address: undefined }, true],
    // Names.
    ["mail.example.org", host, true],
    ["example.org", host, false],
    ["*.EXAMPLE.org", host, true],
    ["*example.org", { name: "badexample.org" }, true],
    ["m*l.*.org", host, true],
    ["*a*a*", { name: "example.org" }, false],
    ["mail.example.org", {}, false],
    // smtpd's name for a host without one.
    ["unknown", {}, true],
    ["/^unknown$/", {}, true],
    ["KNOWN", host, true],
    ["KNOWN", {}, false],
    ["UNKNOWN", {}, true],
    ["UNKNOWN", host, false],
    // Addresses.
    ["192.0.2.1", {}, true],
    ["192.0.2.11", {}, false],
    ["192.0.2.*", {}, true],
    ["192.0.*", { address: "192.10.2.1" }, false],
    ["*", {}, true],
    ["*", { address: V6 }, true],
    ["192.0.2.0/24", {}, true],
    ["192.0.2.200/25", {}, false],
    ["192.0.2.3/30", {}, true],
    ["0/0", {}, true],
    ["0/0", { address: V6 }, false],
    ["192.0.2.0/24", { address: "::ffff:192.0.2.9" }, true],
    ["192.0.2.*", { address: "::ffff:192.0.2.9" }, true],
    ["[2001:db8::]/32", { address: V6 }, true],
    ["[2001:db8::]/127", { address: V6 }, true],
    ["[2001:db8::]/128", { address: V6 }, false],
    ["[2001:DB8:0:0::0:1]", { address: V6 }, true],
    ["[2001:db8::]/32", {}, false],
    // A name cannot pass for an address.
    ["192.0.2.*", { name: "192.0.2.1.example.org", address: "198.51.100.1" }, false],
    // Regular expressions, on names.
    ["/^mail\\./", host, true],
    ["/EXAMPLE/", host, true],
    ["/^192/", {}, false],
    // With any user.
    ["ALL@192.0.2.1", {}, true],
    // Lists.
    ["a.example 192.0.2.1,b.example", {}, true],
    ["a.example", {}, false],
  ], (source) => `${source}:ALL:ALL`);
});

Deno.test("matchesRule: addresses", async () => {
  const rows = [
    ["ALL", "", true],
    ["ALL", "a@b.example", true],
    ["a@b.example", "A@B.Example", true],
    ["a@b.example", "a@b.example.org", false],
    ["*@b.example", "a@b.example", true],
    ["ALL@b.example", "a@b.example", true],
    ["*@*.example", "a@b.example", true],
    ["*", "", true],
    ["*", "a@b.example", true],
    ["*.example", "a@b.example", true],
    ["*@*", "postmaster", false],
    // The rightmost @ parts an address.
    ["a@b@c.example", "a@b@c.example", true],
    ["*@c.example", '"a@b"@c.example', true],
    // One mailbox, however it is written.
    ["a@b.example", '"a"@b.example', true],
    ["a@b.example", "a@b.example.", true],
    // The two forms of a domain that is not ASCII are one domain (RFC 5890).
    ["*@m\u00fcnchen.example", "a@xn--mnchen-3ya.example", true],
    ["*@xn--mnchen-3ya.example", "a@M\u00dcnchen.example", true],
    ["*@*.m\u00fcnchen.example", "a@mx.m\u00fcnchen.example", true],
    ["*@m\u00fcnchen.example", "a@munchen.example", false],
    ["/m\u00fcnchen/", "a@m\u00fcnchen.example", true],
    ["a@b.example", String.raw`"\a"@B.EXAMPLE.`, true],
    ["/^a b@b\\.example$/", '"a b"@b.example', true],
    ["a@b.example", '"a@b.example', false],
    ["/^a@b\\.example$/", "A@b.example", true],
    ["/^$/", "", true],
    ["/^a+$/@b.example", "aaa@b.example", true],
    ["/^a+$/@b.example", "aab@b.example", false],
    ["a@/^b\\.(example|test)$/", "a@b.test", true],
    // An expression that would take too long.
    [String.raw`/^(a*)(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5\6b\1c$/`, `${"a".repeat(400)}bac`, undefined],
  ] as const;
  await checkRows(rows.map(([pattern, from, expected]) => [pattern, { from }, expected]), (from) => `ALL:${from}:ALL`);
  await checkRows(rows.map(([pattern, to, expected]) => [pattern, { to }, expected]), (to) => `ALL:ALL:${to}`);
  // Those without a domain.
  await checkRows([["<>", { from: "" }, true], ["<>", { from: "a@b.example" }, false]], (from) => `ALL:${from}:ALL`);
  await checkRows([
    ["postmaster", { to: "Postmaster" }, true],
    ["postmaster", { to: "postmaster@b.example" }, false],
  ], (to) => `ALL:ALL:${to}`);
});

Deno.test("matchesRule: DNS lists", async () => {
  await checkRows([
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": ["127.0.0.2"] } }, true],
    ["RBL.l.example", {}, false],
    ["RBL.l.example", { address: V6, zone: { [`${V6_REVERSED}.l.example A`]: ["127.0.0.2"] } }, true],
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": "fails" } }, undefined],
    // The list says that it says nothing; the zone has another owner.
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": ["127.255.255.254"] } }, undefined],
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": ["198.51.100.9"] } }, undefined],
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": ["127.0.0.1"] } }, undefined],
    ["ALL EXCEPT RBL.l.example", { zone: { "1.2.0.192.l.example A": ["127.0.0.1"] } }, undefined],
    ["RBL.l.example", { zone: { "1.2.0.192.l.example A": ["127.0.0.1", "127.0.0.2"] } }, true],
    ["RBL.l.example=127.0.0.[2;4]", { zone: { "1.2.0.192.l.example A": ["127.0.0.4"] } }, true],
    ["RBL.l.example=127.0.0.0&6", { zone: { "1.2.0.192.l.example A": ["127.0.0.4"] } }, true],
    ["RBL.l.example=127.0.0.[2;3]", { zone: { "1.2.0.192.l.example A": ["127.0.0.4"] } }, false],
    ["RBL.l.example=127.0.0.1", { zone: { "1.2.0.192.l.example A": ["127.0.0.1"] } }, true],
    // Nobody's business.
    ["RBL.l.example", { address: "10.0.0.1", zone: { "1.0.0.10.l.example A": ["127.0.0.2"] } }, false],
    ["ALL EXCEPT RBL.l.example", { address: "::1" }, true],
  ], (source) => `${source}:ALL:ALL`);
  const listed = { "here.example.l.example A": ["127.0.0.2"] };
  await checkRows([
    ["RHS.l.example", { zone: listed }, true],
    ["RHS.l.example=127.0.0.3", { zone: listed }, false],
    ["*@RHS.l.example=127.0.0.2", { zone: listed }, true],
    ["RHS.l.example", { from: "me@HERE.example", zone: listed }, true],
    ["RHS.l.example", { from: "me@there.example", zone: listed }, false],
    ["me@RHS.l.example", { zone: listed }, true],
    ["you@RHS.l.example", { zone: listed }, false],
    ["RHS.l.example", { from: "", zone: listed }, false],
    ["RHS.l.example", { from: "me@[192.0.2.1]", zone: listed }, false],
    ["RHS.l.example", { from: `me@${"x".repeat(64)}.example`, zone: listed }, false],
    [
      "RHS.l.example",
      { from: "me@b\u00fccher.example", zone: { "xn--bcher-kva.example.l.example A": ["127.0.0.2"] } },
      true,
    ],
    ["RHS.l.example", { zone: { "here.example.l.example A": "fails" } }, undefined],
    ["RHS.l.example", { zone: { "here.example.l.example A": ["127.0.1.255"] } }, undefined],
  ], (from) => `ALL:${from}:ALL`);
});

Deno.test("matchesRule: name servers and mail exchangers", async () => {
  const zone = {
    "here.example NS": ["ns.host.example"],
    "here.example MX": ["mx.other.example", ""],
    "ns.host.example A": ["198.51.100.7"],
    "mx.other.example AAAA": [V6],
    "7.100.51.198.l.example A": ["127.0.0.2"],
  };
  await checkRows([
    ["NS=ns.host.example", { zone }, true],
    ["NS=*.OTHER.example", { zone }, true],
    ["NS=/^ns\\./", { zone }, true],
    ["NS=ALL", { zone }, true],
    ["NS=ALL", {}, false],
    ["NS=198.51.100.0/24", { zone }, true],
    ["NS=198.51.100.*", { zone }, true],
    ["NS=[2001:db8::]/32", { zone }, true],
    ["NS=192.0.2.0/24", { zone }, false],
    ["NS=RBL.l.example", { zone }, true],
    ["*@NS=ns.host.example", { zone }, true],
    // The servers of the domain above.
    ["NS=ns.host.example", { from: "me@a.b.here.example", zone }, true],
    // A top-level domain is not asked.
    ["NS=ns.host.example", { from: "me@a.b.test", zone: { "test NS": ["ns.host.example"] } }, false],
    // Known: it has an address, or servers of its very own.
    ["NS=KNOWN", { zone }, true],
    ["NS=UNKNOWN", { zone }, false],
    ["NS=UNKNOWN", { from: "me@a.here.example", zone }, true],
    ["NS=KNOWN", { from: "me@a.here.example", zone: { ...zone, "a.here.example AAAA": [V6] } }, true],
    ["NS=UNKNOWN", { from: "me@nowhere..example", zone }, true],
    ["NS=UNKNOWN", { from: "", zone }, false],
    // Lookups that fail.
    ["NS=ns.host.example", { zone: { ...zone, "here.example MX": "fails" } }, true],
    ["NS=mx.other.example", { zone: { ...zone, "here.example MX": "fails" } }, undefined],
    ["NS=192.0.2.1", { zone: { ...zone, "mx.other.example A": "fails" } }, undefined],
    ["NS=KNOWN", { zone: { "here.example NS": "fails" } }, undefined],
    ["NS=UNKNOWN", { zone: { "here.example NS": "fails" } }, undefined],
    ["NS=KNOWN", { zone: { "here.example NS": "fails", "here.example A": ["192.0.2.1"] } }, true],
  ], (from) => `ALL:${from}:ALL`);
  // Of a client: by its name, or else by its address.
  await checkRows([
    ["NS=ns.host.example", { name: "a.here.example", zone }, true],
    ["NS=ns.host.example", { zone: { "2.0.192.in-addr.arpa NS": ["ns.host.example"] } }, true],
    ["NS=ns.host.example", { address: V6, zone: { "8.b.d.0.1.0.0.2.ip6.arpa NS": ["ns.host.example"] } }, true],
    ["NS=ns.host.example", { name: "fails", zone }, undefined],
  ], (source) => `${source}:ALL:ALL`);
});

Deno.test("matchesRule: EXCEPT, and doubts", async () => {
  const fails = { "1.2.0.192.l.example A": "fails" } as const;
  const listed = { "1.2.0.192.l.example A": ["127.0.0.2"] };
  await checkRows([
    ["192.0.2.0/24 EXCEPT 192.0.2.1", {}, false],
    ["192.0.2.0/24 EXCEPT 192.0.2.2", {}, true],
    ["ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.1", {}, true],
    ["ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.2", {}, false],
    // A certain match stands beside any doubt. So does a certain exception.
    ["RBL.l.example 192.0.2.1", { zone: fails }, true],
    ["192.0.2.1 RBL.l.example", { zone: fails }, true],
    ["RBL.l.example EXCEPT 192.0.2.1", { zone: fails }, false],
    ["ALL EXCEPT RBL.l.example 192.0.2.1", { zone: fails }, false],
    ["192.0.2.2 EXCEPT RBL.l.example", { zone: fails }, false],
    // All else is in doubt.
    ["RBL.l.example 192.0.2.2", { zone: fails }, undefined],
    ["RBL.l.example EXCEPT 192.0.2.2", { zone: fails }, undefined],
    ["ALL EXCEPT RBL.l.example", { zone: fails }, undefined],
    ["ALL EXCEPT ALL EXCEPT RBL.l.example", { zone: fails }, undefined],
    ["ALL EXCEPT RBL.l.example", { zone: listed }, false],
    ["ALL EXCEPT RBL.l.example", {}, true],
    // Unknown facts about the client.
    ["KNOWN", { name: "fails" }, undefined],
    ["UNKNOWN", { name: "fails" }, undefined],
    ["mail.example.org", { name: "fails" }, undefined],
    ["192.0.2.1", { name: "fails" }, true],
    // CONTRACT, XFORWARD: only ALL and UNKNOWN are about a client that is not known.
    ["ALL UNKNOWN", { address: undefined }, true],
    ["UNKNOWN", { address: undefined }, true],
    ["ALL EXCEPT 192.0.2.1 127.0.0.1 KNOWN", { address: undefined }, true],
    ["ALL EXCEPT UNKNOWN", { address: undefined }, false],
    ...[
      "KNOWN",
      "127.0.0.1",
      "127.*",
      "0.0.0.0/0",
      "[::]/0",
      "*",
      "*.*.*.*",
      "unknow*",
      "/./",
      "/^unknown$/",
      "RBL.l.example",
      "NS=ns.host.example",
      "NS=UNKNOWN",
    ].map((pattern) => [pattern, { address: undefined }, false] as const),
    // A name without an address.
    ["mail.example.org", { address: undefined, name: "mail.example.org" }, true],
    ["UNKNOWN 192.0.2.1", { address: undefined, name: "mail.example.org" }, false],
    ["UNKNOWN", { address: undefined, name: "fails" }, undefined],
  ], (source) => `${source}:ALL:ALL`);
  await checkRows([
    ["ALL", { from: undefined }, true],
    ["*", { from: undefined }, undefined],
    ["RHS.l.example", { from: undefined }, undefined],
  ], (from) => `ALL:${from}:ALL`);
  // All three fields have to match; one that certainly does not is enough.
  const fields = "RBL.l.example:ALL:you@there.example";
  assert.equal((await match(fields, { zone: fails })).match, undefined);
  assert.equal((await match(fields, { zone: listed })).match, true);
  assert.equal((await match(fields, { zone: fails, to: "other@there.example" })).match, false);
});

Deno.test("matchesRule asks DNS only what it needs, and within its bounds", async () => {
  assert.deepEqual((await match("RBL.l.example:ALL:other@there.example")).asked, []);
  assert.deepEqual((await match("192.0.2.1 RBL.l.example:ALL:ALL")).asked, []);
  assert.deepEqual((await match("KNOWN:ALL:ALL", { name: "a.example" })).asked, []);

  const deep = await match("ALL:NS=ns.host.example:ALL", { from: `me@${"a.".repeat(120)}example` });
  assert.equal(deep.asked.length, 2 * 17);
  const many = Array.from({ length: 1000 }, (_, at) => `ns${at}.host.example`);
  const wide = await match("ALL:NS=192.0.2.1:ALL", { zone: { "here.example NS": many } });
  assert.equal(wide.asked.length, 2 + 2 * 10);
});

Deno.test("matchesRule reads even a hostile text only once", async () => {
  const start = performance.now();
  const { match: found } = await match(`ALL:${"*a".repeat(50)}*b:ALL`, { from: "a".repeat(2000) });
  assert.equal(found, false);
  assert.ok(performance.now() - start < 5000);
});
