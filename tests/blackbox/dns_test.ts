// Checks that ask DNS, with a name server that is silent, fails, lies or talks too much. The mail passes in time, and
// the client hears nothing of it. The name server is a fake. tests/e2e/dns_test.ts has real ones.

import assert from "node:assert/strict";
import { kill, Listening } from "../e2e/start.ts";
import { until, within } from "../rig/wait.ts";
import { type DnsAnswer, type DnsHandler, DnsServer } from "../fakes/dns_server.ts";
import { type Case, deliver, expectUsable, read, RECIPIENT, table, type Talk } from "./rig.ts";

let server: DnsServer;

async function around(play: () => Promise<void>): Promise<void> {
  server = await DnsServer.start(() => "silent");
  try {
    await play();
  } finally {
    await server.close();
  }
}

const TIMEOUT = 0.5;
// No check here waits for another, except that the sender is looked at before its recipients.
const LOOKUPS_IN_TURN = 2;
// A start of the program in spawn mode, on a busy machine.
const SLACK = 20;

const options = () => [
  `--dns-server=127.0.0.1:${server.port}`,
  `--dns-timeout=${TIMEOUT}`,
  ...["--check-sender-domain", "--dnsbl=bl.test", "--dnsbl=b2.test", "--rhsbl=rhs.test"],
];

/** The names that listen mode asks lists for at its start (RFC 5782). */
const TEST_ENTRY = /^(?:[12]\.0\.0\.127|invalid)\./;

const CLIENT = "XFORWARD NAME=host.test ADDR=192.0.2.1";

function playWith(handler: DnsHandler, play: (talk: Talk) => Promise<void>): Case["play"] {
  return async (talk) => {
    server.handler = handler;
    server.questions.length = 0;
    await play(talk);
  };
}

const LISTED: DnsAnswer = { records: [{ data: "127.0.0.2" }] };
const THERE: DnsAnswer = { records: [{ data: "10 mx.test" }] };

/** A sender who is in order, and a client who is listed at bl.test, with this text. */
function listedWith(text: DnsAnswer): DnsHandler {
  return ({ name, type, over }) => {
    if (type === "MX") return THERE;
    if (name !== "1.2.0.192.bl.test") return { code: 3 };
    if (type === "A") return LISTED;
    return over === "udp" && JSON.stringify(text).length > 400 ? { truncated: true } : text;
  };
}

async function refusalOf(talk: Talk): Promise<string> {
  const client = await talk.open();
  await client.expect(250, CLIENT);
  await client.expect(250, "MAIL FROM:<me@example.org>");
  const reply = await client.expect(554, `RCPT TO:<${RECIPIENT}>`);
  await client.expect(221, "QUIT");
  await client.expectEnd();
  return reply.raw;
}

const DISTURBANCES: Readonly<Record<string, DnsHandler>> = {
  "is silent": () => "silent",
  "fails": () => ({ code: 2 }),
  "refuses to answer": () => ({ code: 5 }),
  "answers nonsense": () => new Uint8Array(300).fill(0xc0),
  "answers with another id": () => ({ ...LISTED, idOffset: 1 }),
  "answers another question": () => ({ ...LISTED, name: "other.test" }),
  "answers half": () => ({ ...LISTED, missing: 2 }),
  "truncates, and has no more by TCP": ({ over }) => over === "udp" ? { truncated: true } : "silent",
  "has aliases in a circle": ({ name }) => ({ records: [{ type: "CNAME", data: name }] }),
};

table("A name server that does not work refuses no mail", { spawn: "first row", options, around }, [
  ...Object.entries(DISTURBANCES).map(([name, handler]): Case => ({
    name: `it ${name}`,
    play: playWith(handler, async (talk) => {
      const start = performance.now();
      const client = await talk.open();
      await client.expect(250, CLIENT);
      assert.equal((await deliver(client)).code, 250);
      const seconds = (performance.now() - start) / 1000;
      assert.ok(seconds < LOOKUPS_IN_TURN * TIMEOUT + SLACK, `it took ${seconds} s`);
      await talk.logged(/warning: .*cannot check the domain of <sender@example\.org>: MX of example\.org: /);
      await talk.logged(/warning: .*bl\.test is of no use: A of 1\.2\.0\.192\.bl\.test: /);
      await talk.logged(/warning: .*rhs\.test is of no use: A of example\.org\.rhs\.test: /);
      // The failures are known by now.
      const again = performance.now();
      await expectUsable(client);
      assert.ok((performance.now() - again) / 1000 < LOOKUPS_IN_TURN * TIMEOUT + SLACK);
      await client.expect(221, "QUIT");
      await client.expectEnd();
    }),
  })),
  {
    name: "many clients at once, for more lookups than are made at a time",
    modes: ["listen"],
    play: playWith(() => "silent", async (talk) => {
      const start = performance.now();
      await Promise.all(Array.from({ length: 60 }, async (_, at) => {
        const client = await talk.open();
        await client.expect(250, CLIENT.replace(".1", `.${at}`));
        assert.equal((await deliver(client, undefined, { from: `me@host${at}.test` })).code, 250);
      }));
      const seconds = (performance.now() - start) / 1000;
      assert.ok(seconds < LOOKUPS_IN_TURN * TIMEOUT + 2 * SLACK, `it took ${seconds} s`);
    }),
  },
]);

table("What a name server says", { spawn: "first row", options, around }, [
  {
    name: "is asked for once in a session",
    play: playWith(listedWith({}), async (talk) => {
      const client = await talk.open();
      for (let count = 0; count < 3; count++) {
        await client.expect(250, CLIENT);
        await client.expect(250, "MAIL FROM:<me@example.org>");
        for (let recipients = 0; recipients < 10; recipients++) await client.expect(554, `RCPT TO:<${RECIPIENT}>`);
        await client.expect(250, "RSET");
      }
      const asked = server.questions.map(({ name, type }) => `${name} ${type}`).filter((text) =>
        !TEST_ENTRY.test(text)
      );
      assert.deepEqual(asked.sort(), [
        "1.2.0.192.b2.test A",
        "1.2.0.192.bl.test A",
        "1.2.0.192.bl.test TXT",
        "example.org MX",
        "example.org.rhs.test A",
      ]);
    }),
  },
  {
    name: "is never more than one line of a reply",
    play: playWith(
      listedWith({ records: [{ data: ["no\r\n250 yes\r\n", "\x1b[2J\0 caf\xc3\xa9"] }] }),
      async (talk) => {
        const beginning = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.test";
        assert.equal(await refusalOf(talk), `${beginning}; no  250 yes   [2J  caf?\r\n`);
      },
    ),
  },
  {
    name: "is cut to what a line may have",
    play: playWith(listedWith({ records: [{ data: Array(100).fill("x".repeat(255)) }] }), async (talk) => {
      const reply = await refusalOf(talk);
      assert.equal(reply.length, 512);
      assert.ok(reply.endsWith("xxx\r\n"));
    }),
  },
  {
    name: "needs no text",
    play: playWith(listedWith({ code: 2 }), async (talk) => {
      assert.match(await refusalOf(talk), / blocked using bl\.test\r\n$/);
    }),
  },
]);

/** Lists that give the same answer to everything, with a text, and senders that are in order. */
function always(address: string): DnsHandler {
  const records: Readonly<Record<string, DnsAnswer>> = {
    MX: THERE,
    A: { records: [{ data: address }] },
    TXT: { records: [{ data: ["Ask ", "others"] }] },
  };
  return ({ type }) => records[type] ?? {};
}

/** Two messages, each in a session of its own. Neither is refused. */
async function deliverTwo(talk: Talk, address: string): Promise<void> {
  for (const host of [71, 72]) {
    const client = await talk.open();
    await client.expect(250, `XFORWARD NAME=host.test ADDR=${address.replace("*", String(host))}`);
    assert.equal((await deliver(client)).code, 250);
    await client.expect(221, "QUIT");
    await client.expectEnd();
  }
}

function withRules(dir: string, rules: string, ...words: readonly string[]): string[] {
  Deno.writeTextFileSync(`${dir}/rules`, rules);
  return [`--dns-server=127.0.0.1:${server.port}`, `--check-rules=${dir}/rules`, ...words];
}

const NO_LISTINGS = ["127.0.0.1", "127.0.0.255", "127.0.1.255", "127.255.255.254", "198.51.100.1"];

const noListings = NO_LISTINGS.map((answer): Case => ({
  name: answer,
  play: playWith(always(answer), async (talk) => {
    await deliverTwo(talk, "192.0.2.*");
    for (const zone of ["bl.test", "b2.test", "rbl.test", "rhs.test"]) {
      const line = new RegExp(
        `error: DNS list .* zone=${zone} question=\\S+ answer=${answer} text="Ask others"\n`,
        "g",
      );
      // Once for each process.
      await talk.logged(new RegExp(line.source));
      assert.equal(read(talk.logFile).match(line)?.length, talk.mode === "spawn" ? 2 : 1, zone);
    }
  }),
}));

table("Answers of a DNS list that are no listing refuse no mail", {
  spawn: "first row",
  around,
  options: (dir) =>
    withRules(
      dir,
      "noto:RBL.rbl.test:ALL:ALL\nnoto:ALL:RHS.rhs.test:ALL\n",
      ...["--dnsbl=bl.test", "--dnsbl=b2.test=127.0.0.2-11,127.0.0.0&129"],
    ),
}, noListings);

const PRIVATE = ["127.0.0.*", "10.0.0.*", "169.254.1.*", "172.31.0.*", "192.168.0.*", "IPv6:::1", "IPv6:fd00::*"];

const privateClients = PRIVATE.map((address): Case => ({
  name: address,
  play: playWith(always("127.0.0.2"), async (talk) => {
    await deliverTwo(talk, address);
    assert.deepEqual(server.questions.filter(({ name }) => /^7|^[0-9a-f](?:\.[0-9a-f]){31}/.test(name)), []);
  }),
}));

table("No DNS list is asked about a private address", {
  around,
  options: (dir) => withRules(dir, "noto:RBL.rbl.test:ALL:ALL\n", "--dnsbl=bl.test"),
}, privateClients);

/** Clients and senders are listed, some of them welcome; each list gives its zone in its text. */
const LISTS: DnsHandler = ({ name, type }) => {
  const isListed = /^(?:[67]\.2\.0\.192|bad\.test)\.key\.(?:bl|rhs)\.test$|^7\.2\.0\.192\.wl\.test$/.test(name);
  if (type === "MX" || !isListed) return { code: 3 };
  return type === "A" ? LISTED : { records: [{ data: [`See https://${name.toUpperCase()}/`] }] };
};

function heard(name: string, { address, from, reply }: { address: string; from: string; reply: RegExp }): Case {
  return {
    name,
    play: playWith(LISTS, async (talk) => {
      const client = await talk.open();
      await client.expect(250, `XFORWARD NAME=host.test ADDR=${address}`);
      await client.expect(250, `MAIL FROM:<${from}>`);
      const { raw } = await client.ask(`RCPT TO:<${RECIPIENT}>`);
      assert.match(raw, reply);
      assert.doesNotMatch(raw, /key/i);
      if (raw.startsWith("5")) await talk.logged(/recipient refused .*blocked using key\.(?:bl|rhs)\.test/);
      await client.expect(221, "QUIT");
      await client.expectEnd();
    }),
  };
}

const REFUSED = "^554 5\\.7\\.1 Service unavailable; ";

table("A list with a key in its zone, and one of who is welcome", {
  around,
  options: () => [
    ...[
      `--dns-server=127.0.0.1:${server.port}`,
      "-v",
      "--dnsbl=key.bl.test",
      "--dnswl=wl.test",
      "--rhsbl=KEY.rhs.test.",
    ],
    ...["--list-name=Key.BL.test.=our list", "--list-name=key.rhs.test=rhs.test"],
  ],
}, [
  heard("a client that is listed", {
    address: "192.0.2.6",
    from: "me@good.test",
    reply: new RegExp(
      `${REFUSED}Client host \\[192\\.0\\.2\\.6\\] blocked using our list; See https://6\\.2\\.0\\.192\\.our list/`,
    ),
  }),
  heard("a client that is listed, and welcome", { address: "192.0.2.7", from: "me@good.test", reply: /^250 / }),
  heard("a sender that is listed, and welcome", {
    address: "192.0.2.7",
    from: "me@bad.test",
    reply: new RegExp(
      `${REFUSED}Sender address \\[me@bad\\.test\\] blocked using rhs\\.test; See https://BAD\\.TEST\\.rhs\\.test/`,
    ),
  }),
]);

/** Like `LISTS`. All but one have the test entry 127.0.0.2, and those named all* have everything. */
const TESTED: DnsHandler = (question) => {
  const { name, type } = question;
  if (type !== "MX" && /\.all[0-9]\.test$/.test(name)) return type === "A" ? LISTED : {};
  return /^2\.0\.0\.127\.(?!typo\.)/.test(name) ? LISTED : LISTS(question);
};

table("Lists that list everything are not used in listen mode", {
  around,
  modes: ["listen"],
  options: (dir) => {
    server.handler = TESTED;
    return withRules(
      dir,
      "noto:RBL.all4.test:ALL:ALL\nnoto:ALL:RHS.all5.test:ALL\nnoto:NS=RBL.all6.test:ALL:ALL\n",
      ...["--dnsbl=all1.test", "--dnsbl=key.bl.test", "--rhsbl=all2.test", "--dnswl=all3.test"],
    );
  },
}, [
  {
    name: "of options and of rules, for clients and for senders",
    play: playWith(TESTED, async (talk) => {
      const lines = () => read(talk.logFile).match(/error: DNS list lists everything: .* zone=all[1-6]\.test entry=/g);
      await until(() => lines()?.length === 6, () => `six lists in ${read(talk.logFile)}`);
      await deliverTwo(talk, "192.0.2.*");
      // A list that is in order is used, and nobody is welcome by a list that has everybody.
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=host.test ADDR=192.0.2.6");
      await client.expect(250, "MAIL FROM:<me@good.test>");
      await client.expect(554, `RCPT TO:<${RECIPIENT}>`);
      assert.doesNotMatch(read(talk.logFile), /its test entry/);
    }),
  },
  {
    name: "a list that is new in the rules is asked at SIGHUP",
    play: playWith(TESTED, async (talk) => {
      await (await talk.open()).expect(221, "QUIT");
      Deno.writeTextFileSync(`${talk.dir}/rules`, "noto:RBL.all7.test:ALL:ALL\nnoto:RBL.typo.test:ALL:ALL\n");
      kill(talk.process.pid, "SIGHUP");
      await talk.logged(/error: DNS list lists everything: .* zone=all7\.test entry=127\.0\.0\.1\n/);
      await talk.logged(/warning: DNS list does not list its test entry: .* zone=typo\.test entry=127\.0\.0\.2\n/);
      await deliverTwo(talk, "192.0.2.*");
      // Earlier findings are kept, and are not logged again.
      assert.doesNotMatch(talk.log, / zone=all[1-6]\.test/);
    }),
  },
]);

Deno.test("lists that do not answer do not prevent listen mode from starting and ending", () =>
  around(async () => {
    const words = [`--dns-server=127.0.0.1:${server.port}`, "--dns-timeout=600", "--dnsbl=bl.test", "--log=/dev/null"];
    const program = await Listening.start(["127.0.0.1:9", "-d", "/tmp", ...words]);
    await until(() => server.questions.length > 0, () => "a question");
    kill(program.process.pid, "SIGTERM");
    assert.equal(await within(program.process.ended, () => "the end of the program"), 0);
  }));
