// Tests of lib/restrictions/dns_list.ts: who is listed, what a listed client hears, and that everyone else passes.

import assert from "node:assert/strict";
import { dnsListRestriction } from "../../lib/restrictions/dns_list.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import { parseDnsList } from "../../lib/dns/list.ts";
import { type FakeAnswer } from "../fakes/resolver.ts";
import { newScene, said, type Scene } from "./restricted.ts";

interface Mail {
  readonly dnsbl?: readonly string[];
  readonly dnswl?: readonly string[];
  readonly rhsbl?: readonly string[];
  readonly listNames?: Readonly<Record<string, string>>;
  readonly address?: string | undefined;
  readonly sender?: string | undefined;
  readonly recipients?: string[];
  readonly answers?: Readonly<Record<string, FakeAnswer>>;
}

async function ask(mail: Mail): Promise<{ reply: string; why: string; scene: Scene }> {
  const {
    dnsbl = [],
    dnswl = [],
    rhsbl = [],
    listNames = {},
    address = "192.0.2.1",
    sender = "me@example.org",
    recipients = [],
  } = mail;
  const scene = newScene({ answers: mail.answers ?? {}, address: "address" in mail ? mail.address : address });
  const restriction = dnsListRestriction({
    dnsbl: dnsbl.map(parseDnsList),
    dnswl: dnswl.map(parseDnsList),
    rhsbl: rhsbl.map(parseDnsList),
    listNames: new Map(Object.entries(listNames)),
  });
  const envelope = { ...emptyEnvelope(), sender: "sender" in mail ? mail.sender : sender, recipients };
  const asking = restriction.recipient!("you@example.net", envelope, scene.context);
  await scene.clock.advance(5000);
  const ruling = await asking;
  return { reply: said(ruling), why: ruling.kind === "refuse" ? ruling.why : "", scene };
}

const LISTED = { "1.2.0.192.bl.test A": ["127.0.0.4"] };
const CLIENT_REPLY = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.test";
const SENDER_REPLY = "554 5.7.1 Service unavailable; Sender address [me@example.org] blocked using rhs.test";

Deno.test("DNS lists of clients", async () => {
  const nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
  const rows: readonly (readonly [Mail, reply: string])[] = [
    // Listed, with a text and without one.
    [{ dnsbl: ["bl.test"], answers: LISTED }, CLIENT_REPLY],
    [
      { dnsbl: ["bl.test"], answers: { ...LISTED, "1.2.0.192.bl.test TXT": ["See http://bl.test", "other"] } },
      `${CLIENT_REPLY}; See http://bl.test`,
    ],
    [{ dnsbl: ["bl.test"], answers: { ...LISTED, "1.2.0.192.bl.test TXT": "timeout" } }, CLIENT_REPLY],
    // Not listed.
    [{ dnsbl: ["bl.test"] }, "allow"],
    [{ answers: LISTED }, "allow"],
    // IPv6, and IPv4 in IPv6.
    [
      { dnsbl: ["bl.test"], address: "2001:DB8::1", answers: { [`${nibbles}.bl.test A`]: ["127.0.0.2"] } },
      "554 5.7.1 Service unavailable; Client host [2001:DB8::1] blocked using bl.test",
    ],
    [
      { dnsbl: ["bl.test"], address: "::ffff:192.0.2.1", answers: LISTED },
      "554 5.7.1 Service unavailable; Client host [::ffff:192.0.2.1] blocked using bl.test",
    ],
    [
      { dnsbl: ["bl.test"], address: "::ffff:10.0.0.1", answers: { "1.0.0.10.bl.test A": ["127.0.0.2"] } },
      "allow",
    ],
    // Nobody knows who it is.
    [{ dnsbl: ["bl.test"], address: undefined, answers: LISTED }, "allow"],
    [{ dnsbl: ["bl.test"], address: "unix", answers: LISTED }, "allow"],
    // The first of the lists speaks, though the second answers too.
    [{ dnsbl: ["no.test", "bl.test"], answers: LISTED }, CLIENT_REPLY],
    [{ dnsbl: ["bl.test", "b2.test"], answers: { ...LISTED, "1.2.0.192.b2.test A": ["127.0.0.2"] } }, CLIENT_REPLY],
    // The addresses that count.
    [{ dnsbl: ["bl.test=127.0.0.2-11"], answers: LISTED }, CLIENT_REPLY],
    [{ dnsbl: ["bl.test=127.0.0.4"], answers: LISTED }, CLIENT_REPLY],
    [{ dnsbl: ["bl.test=127.0.0.2,127.0.0.0&4"], answers: LISTED }, CLIENT_REPLY],
    [{ dnsbl: ["bl.test=127.0.0.2-3"], answers: LISTED }, "allow"],
    [{ dnsbl: ["bl.test=127.0.0.2"], answers: { "1.2.0.192.bl.test A": ["127.0.0.9", "127.0.0.2"] } }, CLIENT_REPLY],
  ];
  for (const [mail, reply] of rows) assert.equal((await ask(mail)).reply, reply, JSON.stringify(mail));
});

Deno.test("DNS lists of senders", async () => {
  const listed = { "example.org.rhs.test A": ["127.0.1.2"] };
  const rows: readonly (readonly [Mail, reply: string])[] = [
    [{ rhsbl: ["rhs.test"], answers: listed }, SENDER_REPLY],
    [
      { rhsbl: ["rhs.test"], answers: { ...listed, "example.org.rhs.test TXT": ["no\r\n250 bounces"] } },
      `${SENDER_REPLY}; no  250 bounces`,
    ],
    [{ rhsbl: ["rhs.test=127.0.1.3"], answers: listed }, "allow"],
    [{ rhsbl: ["rhs.test"] }, "allow"],
    // The domain in any form, with any text before it.
    [
      { rhsbl: ["rhs.test"], sender: "Me@Example.ORG", answers: listed },
      SENDER_REPLY.replace("me@example.org", "Me@Example.ORG"),
    ],
    [
      { rhsbl: ["rhs.test"], sender: "a..b@c@example.org", answers: listed },
      SENDER_REPLY.replace("me@example.org", "a..b@c@example.org"),
    ],
    [
      { rhsbl: ["rhs.test"], sender: "me@bücher.test", answers: { "xn--bcher-kva.test.rhs.test A": ["127.0.0.2"] } },
      SENDER_REPLY.replace("me@example.org", "me@b?cher.test"),
    ],
    // No domain to look for.
    [{ rhsbl: ["rhs.test"], sender: "", answers: { "rhs.test A": ["127.0.0.2"] } }, "allow"],
    [{ rhsbl: ["rhs.test"], sender: undefined, answers: { "rhs.test A": ["127.0.0.2"] } }, "allow"],
    [{ rhsbl: ["rhs.test"], sender: "example.org", answers: listed }, "allow"],
    [{ rhsbl: ["rhs.test"], sender: "me@[192.0.2.1]", answers: { "[192.0.2.1].rhs.test A": ["127.0.0.2"] } }, "allow"],
    [{ rhsbl: ["rhs.test"], sender: `me@${"a.".repeat(125)}org` }, "allow"],
    // Clients go first.
    [{ rhsbl: ["rhs.test"], dnsbl: ["bl.test"], answers: { ...listed, ...LISTED } }, CLIENT_REPLY],
  ];
  for (const [mail, reply] of rows) assert.equal((await ask(mail)).reply, reply, JSON.stringify(mail));
});

Deno.test("no --dnsbl refuses a client in a --dnswl, and everything else still does", async () => {
  const lists = { dnsbl: ["no.test", "bl.test"], dnswl: ["w1.test", "wl.test"] };
  const welcome = { ...LISTED, "1.2.0.192.wl.test A": ["127.0.5.1"] };
  const rows: readonly (readonly [Mail, reply: string])[] = [
    [{ ...lists, answers: LISTED }, CLIENT_REPLY],
    [{ ...lists, answers: welcome }, "allow"],
    [{ ...lists, dnswl: ["wl.test=127.0.5.0-1"], answers: welcome }, "allow"],
    [{ ...lists, dnswl: ["wl.test=127.0.5.2"], answers: welcome }, CLIENT_REPLY],
    [
      { ...lists, rhsbl: ["rhs.test"], answers: { ...welcome, "example.org.rhs.test A": ["127.0.1.2"] } },
      SENDER_REPLY,
    ],
    // Where it does not work, nobody is welcome.
    ...["silent", "other", ["127.255.255.255"], ["127.0.0.1"], ["198.51.100.1"]].map((answer): [Mail, string] => [
      { ...lists, answers: { ...LISTED, "1.2.0.192.wl.test A": answer as FakeAnswer } },
      CLIENT_REPLY,
    ]),
    // The other lists may be silent.
    [{ ...lists, answers: { ...welcome, "1.2.0.192.no.test A": "silent", "1.2.0.192.w1.test A": "silent" } }, "allow"],
  ];
  for (const [mail, reply] of rows) assert.equal((await ask(mail)).reply, reply, JSON.stringify(mail));
  // A client that is not known, is on this host, or could be refused by no list, is not asked about.
  const nobody: readonly Mail[] = [
    { ...lists, address: undefined },
    { ...lists, address: "10.0.0.1" },
    { dnswl: ["wl.test"] },
  ];
  for (const mail of nobody) assert.deepEqual((await ask(mail)).scene.resolver.asked, [], JSON.stringify(mail));
});

Deno.test("a list has its name in the reply, also inside its text, and its zone in the log", async () => {
  const listNames = { "bl.test": "the list", "rhs.test": "our senders" };
  const answers = { ...LISTED, "1.2.0.192.bl.test TXT": ["see BL.test/?1.2.0.192.bl.test"] };
  const { reply } = await ask({ dnsbl: ["bl.test"], listNames, answers });
  assert.equal(reply, `${CLIENT_REPLY.replace("bl.test", "the list")}; see the list/?1.2.0.192.the list`);
  const sender = await ask({ rhsbl: ["RHS.test."], listNames, answers: { "example.org.rhs.test A": ["127.0.1.2"] } });
  assert.equal(sender.reply, SENDER_REPLY.replace("rhs.test", "our senders"));
  assert.match(sender.why, /^Sender address \[me@example\.org\] blocked using rhs\.test$/);
});

Deno.test("DNS lists that do not work let all pass, and the log says so", async () => {
  for (const answer of ["silent", "other"] as const) {
    const mail = { dnsbl: ["bl.test"], answers: { "1.2.0.192.bl.test A": answer } };
    const { reply, scene } = await ask(mail);
    assert.equal(reply, "allow");
    assert.equal(scene.notices.length, 1);
    assert.match(scene.notices[0]!, /^bl\.test is of no use: /);
    // Once for a message is enough.
    assert.deepEqual((await ask({ ...mail, recipients: ["one@example.net"] })).scene.notices, []);
  }
  // The answers of Spamhaus to a public resolver, of URIBL to unwelcome clients, and of the resolver of a hotel.
  for (const answer of ["127.255.255.254", "127.0.0.1", "198.51.100.7"]) {
    const { reply, scene } = await ask({ dnsbl: ["bl.test"], answers: { "1.2.0.192.bl.test A": [answer] } });
    assert.equal(reply, "allow");
    assert.deepEqual(scene.notices, []);
    assert.equal(scene.logger.find(`zone=bl.test question=1.2.0.192.bl.test answer=${answer}`).length, 1);
  }
});

Deno.test("DNS lists are asked at once, and a silent one does not hide what another says", async () => {
  const answers = { "1.2.0.192.a.test A": "silent", ...LISTED } as const;
  const { reply, scene } = await ask({ dnsbl: ["a.test", "b.test", "bl.test"], answers });
  assert.equal(reply, CLIENT_REPLY);
  assert.equal(scene.notices.length, 1);
});

Deno.test("a DNS list's text makes one line of at most 512 octets", async () => {
  const answers = { ...LISTED, "1.2.0.192.bl.test TXT": ["x\r\n".repeat(1000) + "\0\x1b[2J"] };
  const { reply } = await ask({ dnsbl: ["bl.test"], answers });
  assert.ok(reply.length <= 510);
  assert.match(reply, /^554 5\.7\.1 [ -~]*$/);
});
