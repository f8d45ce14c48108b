// Tests of lib/checks/rspamd/rspamd.ts with a fake rspamd over real sockets: what it gets, what becomes of each answer, and of
// each fault.

import assert from "node:assert/strict";
import { rspamdCheck } from "../../../lib/checks/rspamd/rspamd.ts";
import type { Mail } from "../../../lib/mail/message.ts";
import type { Address } from "../../../lib/ports/runtime.ts";
import { denoRuntime } from "../../../lib/runtime/deno/runtime.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { fieldsOf, httpAnswer, messageIn, RSPAMD } from "../../fakes/rspamd.ts";
import { FakeScanner, type Protocol } from "../../fakes/scanner.ts";
import { MAIL } from "../../fakes/spool.ts";
import { judgeBy, type Judged, parseServers, testScanner } from "../scanner.ts";

const PLAIN = bytesOf("Subject: hello\n\nworld\n.\n");
const SPAM = bytesOf(`X-Rspamd: {"action":"reject","score":20}\nSubject: hello\n\nworld\n`);

/** A message of more than what is kept in memory: it goes through a file, in several chunks. */
const LARGE = bytesOf(`Subject: large\n\n${"A line.\n\r\n".repeat(70_000)}`);

const { clock, network } = denoRuntime();
const turn = new SharedTurn(clock);

const make = (servers: readonly Address[], timeout: number, password?: string) =>
  rspamdCheck({ clock, network }, { servers, timeout, password, turn });

testScanner({
  name: "rspamd",
  protocol: RSPAMD,
  make,
  small: SPAM,
  large: LARGE,
  isJudged: ({ kind }, octets) => kind === (octets === SPAM ? "reject" : "accept"),
});

function judge(
  octets: Uint8Array,
  { servers, password, mail = MAIL }: { servers: readonly string[]; password?: string; mail?: Mail },
): Promise<Judged> {
  return judgeBy(make(parseServers(servers), 30_000, password), octets, { mail });
}

/** A rspamd that says this of everything. */
function says(answer: string): Protocol {
  return { ...RSPAMD, answer: () => answer };
}

Deno.test("rspamd: what it refuses is refused, what it passes passes", async () => {
  await using server = await FakeScanner.start(RSPAMD);
  const servers = [server.address];
  assert.deepEqual(await judge(PLAIN, { servers }), {
    verdict: {
      kind: "accept",
      why: `rspamd at ${server.address} says no action`,
      facts: { rspamd_score: 0.5, rspamd_required_score: 15 },
    },
    notices: [],
  });
  const { verdict } = await judge(SPAM, { servers });
  assert.equal(verdict.kind, "reject");
  assert.equal("reply" in verdict && replyText(verdict.reply), "550 5.7.1 Spam message rejected");
  assert.equal(server.connections, 2);
});

Deno.test("rspamd gets the message with CR LF, whatever its size, over tcp and unix", async () => {
  const path = `${await Deno.makeTempDir()}/rspamd.sock`;
  await using tcp = await FakeScanner.start(RSPAMD);
  await using unix = await FakeScanner.start(RSPAMD, { path });
  for (const server of [tcp, unix]) {
    for (const message of [new Uint8Array(0), bytesOf("\n"), bytesOf("a\r\nb"), PLAIN, LARGE]) {
      const { verdict } = await judge(message, { servers: [server.address] });
      assert.equal(verdict.kind, "accept", verdict.why);
      const got = textOf(messageIn(server.questions.at(-1)!));
      assert.ok(got === textOf(message).replaceAll("\n", "\r\n"), `${message.length} octets`);
    }
  }
});

Deno.test("rspamd hears what is known of the message", async () => {
  await using server = await FakeScanner.start(RSPAMD);
  const mail: Mail = {
    id: "0123456789",
    envelope: { sender: "", recipients: ["b@example.com", "ü@example.com"] },
    client: { facts: { name: "mx.example.org", helo: "helo.example", ident: "4ABC" }, address: "192.0.2.7" },
  };
  await judge(PLAIN, { servers: [server.address], mail, password: "s3cret" });
  assert.deepEqual(fieldsOf(server.questions[0]!), [
    "Host: rspamd",
    "User-Agent: postprox",
    "Content-Type: message/rfc822",
    `Content-Length: ${PLAIN.length + 4}`,
    "Flags: milter",
    "Password: s3cret",
    "IP: 192.0.2.7",
    "Helo: helo.example",
    "Hostname: mx.example.org",
    "From: <>",
    "Queue-Id: 4ABC",
    "Rcpt: b@example.com",
    "Rcpt: ü@example.com",
  ]);
  assert.ok(textOf(server.questions[0]!).startsWith("POST /checkv2 HTTP/1.1\r\n"));
});

Deno.test("rspamd: recipients that have no room are left out, and the log says so", async () => {
  await using server = await FakeScanner.start(RSPAMD);
  const recipients = Array.from({ length: 5000 }, (_, n) => `recipient-${n}@example.org`);
  const mail = { ...MAIL, envelope: { sender: "a@b", recipients } };
  const { verdict, notices } = await judge(PLAIN, { servers: [server.address], mail });
  assert.equal(verdict.kind, "accept");
  assert.match(notices.join(), /^rspamd takes no more recipients: \d+ of them are left out$/);
});

Deno.test("rspamd: a new subject stands where the old one stood", async () => {
  const answer = httpAnswer('{"action":"rewrite subject","subject":"*** SPAM *** hello"}');
  await using server = await FakeScanner.start(says(answer));
  for (
    const [message, at] of [
      ["Subject: hello\n\n", 0],
      ["A: b\n  c\nSUBJECT : hello\nSubject: two\n\n", 1],
      [`${"A: b\n".repeat(60_000)}Subject: hello\n\n`, 60_000],
    ] as const
  ) {
    const { verdict } = await judge(bytesOf(message), { servers: [server.address] });
    assert.deepEqual("header" in verdict && verdict.header, {
      changes: [
        { do: "remove", name: "Subject", which: 1 },
        { do: "add", name: "Subject", value: "*** SPAM *** hello", at },
      ],
    });
  }
  // In the body there is none.
  const { verdict } = await judge(bytesOf("A: b\n\nSubject: hello\n"), { servers: [server.address] });
  assert.deepEqual("header" in verdict && verdict.header, {
    changes: [{ do: "add", name: "Subject", value: "*** SPAM *** hello" }],
  });
});

Deno.test("rspamd: an answer in chunks, and one that ends with the connection", async () => {
  const json = '{"action":"reject"}';
  for (
    const answer of [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`,
      `HTTP/1.0 200 OK\r\n\r\n${json}`,
    ]
  ) {
    await using server = await FakeScanner.start(says(answer));
    assert.equal((await judge(PLAIN, { servers: [server.address] })).verdict.kind, "reject");
  }
});

Deno.test("rspamd: a server that allows another request gets it on the same connection", async () => {
  await using server = await FakeScanner.start({
    ...RSPAMD,
    answer: () => httpAnswer('{"action":"no action"}').replace("Connection: close\r\n", ""),
    closes: false,
  });
  const check = make(parseServers([server.address]), 30_000);
  for (let count = 0; count < 3; count++) assert.equal((await judgeBy(check, PLAIN)).verdict.kind, "accept");
  assert.deepEqual([server.connections, server.questions.length], [1, 3]);
  await server.dropAll();
  assert.equal((await judgeBy(check, PLAIN)).verdict.kind, "accept");
  assert.equal(server.connections, 2);
  await server.dropAll();
});

Deno.test("rspamd: a malformed answer is no opinion", async () => {
  for (
    const [answer, why] of [
      [httpAnswer('{"error":"Unauthorized"}', "401 Unauthorized"), "answered with HTTP status 401"],
      [httpAnswer("", "204 No Content").replace(/Content-Length.*\r\n/, ""), "answered with HTTP status 204"],
      [httpAnswer("gone", "500 Internal Server Error"), "answered with HTTP status 500"],
      ["HTTP/1.1 503 Busy\r\nContent-Length: 1000000000\r\n\r\n", "sent a body of more than 67108864 octets"],
      ["HTTP/1.1 404 Not Found\r\nContent-Length: 1000\r\n\r\n", "answered with HTTP status 404"],
      [httpAnswer("no json"), "sent no JSON object"],
      [httpAnswer(""), "sent no JSON object"],
      [httpAnswer("[]"), "sent no JSON object"],
      [httpAnswer('{"action":"virus"}'), "wants an action that is not known: virus"],
      [httpAnswer("{}"), "wants an action that is not known: none"],
      [httpAnswer('{"action":"reject"}').slice(0, -1), "sent a response that is cut off"],
      ["SPAMD/1.1 0 EX_OK\r\n\r\n", "sent no HTTP response"],
      ["", "closed the connection"],
    ] as const
  ) {
    await using server = await FakeScanner.start(says(answer));
    const { address } = server;
    assert.deepEqual(await judge(PLAIN, { servers: [address], password: "s3cret" }), {
      verdict: { kind: "unsure", cause: "failed", why: `rspamd could not tell: ${address} ${why}` },
      notices: [],
    });
  }
});

Deno.test("rspamd: an answer counts that comes in the middle of the message", async () => {
  await using server = await FakeScanner.start(RSPAMD);
  const servers = [server.address];
  for (const does of ["close", "reset", "silent"] as const) {
    server.fault = { at: "half request", half: 300_000, does, says: httpAnswer('{"action":"reject"}') };
    assert.equal((await judge(LARGE, { servers })).verdict.kind, "reject", does);
    server.fault = { at: "half request", half: 300_000, does, says: httpAnswer("", "413 Too Large") };
    const { verdict } = await judge(LARGE, { servers });
    assert.equal(verdict.why, `rspamd could not tell: ${servers[0]} answered with HTTP status 413`);
  }
});
