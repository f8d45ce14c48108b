// The patterns of a rules file that ask DNS, with real name servers (dns_bed.ts) and a fake server downstream, in both
// modes.
//
// Needs root and Debian's nsd, rbldnsd and dnsmasq-base. If one is missing, each test fails and says so.

import assert from "node:assert/strict";
import { type Case, table, type Talk } from "../blackbox/rig.ts";
import { type DnsBed, openDnsBed } from "./dns_bed.ts";

let bed: DnsBed | undefined;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    bed = await openDnsBed();
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => await bed?.stop());

// Each rule is for a recipient of its own.
const RULES = `noto:RBL.bl.test:ALL:rbl@*:550 5.7.1 %I is listed
noto:RBL.bl.test=127.0.0.[2;4..5]:RHS.rhs.test=127.0.1.0&2:answer@*:550 5.7.1 %I and %F are listed so
noto:RBL.bl.test=127.0.0.[2;3]:ALL:answer@*:550 5.7.1 %I is listed otherwise
noto:ALL EXCEPT RBL.bl.test:ALL:except@*:550 5.7.1 %I is not listed
noto:ALL:RHS.rhs.test:rhs@*:550 5.7.1 %F does not accept bounces
noto:RBL.closed.test:ALL:closed@*:550 closed
noto:ALL:NS=ns.example.test:ns@*:550 ns
noto:ALL:NS=127.0.0.0/8:address@*:550 address
noto:ALL:NS=UNKNOWN:nowhere@*:550 nowhere
noto:ALL:NS=KNOWN:somewhere@*:550 somewhere
noto:*.example.test:ALL:name@*:550 %H
noto:UNKNOWN:ALL:nobody@*:550 %H
`;

interface Mail {
  readonly client?: string;
  readonly from?: string;
  readonly to: string;
  /** The refusal; absent where the recipient is allowed. */
  readonly reply?: string;
  readonly logged?: RegExp;
}

function rule({ client, from = "me@a.example.test", to, reply, logged }: Mail): Case {
  return {
    name: `${client ?? "our peer"} from ${from} to ${to}: ${reply ?? "allowed"}`,
    play: async (talk: Talk) => {
      const session = await talk.open();
      if (client !== undefined) await session.expect(250, `XFORWARD NAME=[UNAVAILABLE] ADDR=${client}`);
      await session.expect(250, `MAIL FROM:<${from}>`);
      const { raw } = await session.ask(`RCPT TO:<${to}@mx>`);
      if (reply === undefined) assert.match(raw, /^250 /);
      else assert.equal(raw, `${reply}\r\n`);
      assert.equal(talk.downstream.verbs.includes("RCPT"), reply === undefined);
      if (logged) await talk.logged(logged);
      await session.expect(221, "QUIT");
    },
  };
}

function withRules(server: () => string, ...words: readonly string[]): (dir: string) => readonly string[] {
  return (dir) => {
    Deno.writeTextFileSync(`${dir}/rules`, RULES);
    return [`--check-rules=${dir}/rules`, `--dns-server=${server()}`, ...words];
  };
}

function serverOfBed(): string {
  if (!bed) throw problem;
  return bed.server;
}

table("Rules that ask DNS", { options: withRules(serverOfBed) }, [
  rule({ client: "192.0.2.66", to: "rbl", reply: "550 5.7.1 192.0.2.66 is listed" }),
  rule({ client: "192.0.2.1", to: "rbl" }),
  rule({ client: "IPv6:2001:db8:bad::25", to: "rbl", reply: "550 5.7.1 2001:db8:bad::25 is listed" }),
  rule({ client: "IPv6:2001:db8::25", to: "rbl" }),
  rule({
    client: "192.0.2.66",
    from: "me@listed.example.test",
    to: "answer",
    reply: "550 5.7.1 192.0.2.66 and <me@listed.example.test> are listed so",
  }),
  rule({ client: "192.0.2.66", to: "answer" }),
  rule({ client: "192.0.2.1", to: "except", reply: "550 5.7.1 192.0.2.1 is not listed" }),
  rule({ client: "192.0.2.66", to: "except" }),
  rule({
    from: "me@listed.example.test",
    to: "rhs",
    reply: "550 5.7.1 <me@listed.example.test> does not accept bounces",
  }),
  rule({ to: "rhs" }),
  rule({ from: "", to: "rhs" }),
  // A list that does not answer us is no list.
  rule({
    client: "192.0.2.1",
    to: "closed",
    logged: /line 6 of \S+ matches, so it refuses nothing: DNS list closed\.test is of no use/,
  }),
  // The name servers are those of the zone that the name is in.
  rule({ from: "me@example.test", to: "ns", reply: "550 ns" }),
  rule({ from: "me@a.b.c.example.test", to: "ns", reply: "550 ns" }),
  rule({ from: "me@example.test", to: "address", reply: "550 address" }),
  rule({ from: "me@text.example.test", to: "nowhere", reply: "550 nowhere" }),
  rule({ from: "me@missing.example.test", to: "nowhere", reply: "550 nowhere" }),
  rule({ from: "me@nowhere.example.test", to: "nowhere", reply: "550 nowhere" }),
  rule({ from: "", to: "nowhere" }),
  rule({ from: "me@a.example.test", to: "somewhere", reply: "550 somewhere" }),
  rule({ from: "me@aaaa.example.test", to: "somewhere", reply: "550 somewhere" }),
  rule({ from: "me@alias.example.test", to: "somewhere", reply: "550 somewhere" }),
  rule({ from: "me@mx.example.test", to: "somewhere", reply: "550 somewhere" }),
  rule({ from: "me@missing.example.test", to: "somewhere" }),
  // Our own peer is 127.0.0.1, whose name leads back to it.
  rule({ to: "name", reply: "550 host.example.test" }),
  rule({ to: "nobody" }),
  rule({ client: "192.0.2.1", to: "nobody", reply: "550 UNKNOWN" }),
]);

// Nobody answers on port 9 of the loopback interface: the lookup fails at once, or after its time.
table("Rules and a name server that is not there", { options: withRules(() => "127.0.0.1:9", "--dns-timeout=0.5") }, [
  ...["rbl", "except", "rhs", "closed", "ns", "address", "nowhere", "somewhere"].map((to) =>
    rule({
      client: "192.0.2.66",
      from: "me@listed.example.test",
      to,
      logged: /could not tell whether line [0-9]+ of \S+ /,
    })
  ),
  rule({ to: "name", logged: /could not tell whether line 11 of / }),
  rule({ to: "nobody", logged: /could not tell whether line 12 of / }),
]);
