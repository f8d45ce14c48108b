// Tests of lib/checks/rspamd/rspamd.ts with a fake rspamd over real sockets: what it gets, what becomes of each answer, and of
// each fault.

import assert from "node:assert/strict";
import { rspamdCheck } from "../../../lib/checks/rspamd/rspamd.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { type Mail, messageOf } from "../../../lib/mail/message.ts";
import { parseScanner } from "../../../lib/ports/address.ts";
import { denoRuntime } from "../../../lib/runtime/deno/runtime.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { fieldsOf, httpAnswer, messageIn, RSPAMD } from "../../fakes/rspamd.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { FakeScanner, FAULTS_AT, type Protocol } from "../../fakes/scanner.ts";
import { fillSpool, MAIL, newSpool } from "../../fakes/spool.ts";
import { freePort } from "../../rig/ports.ts";
import { until } from "../../rig/wait.ts";

const PLAIN = bytesOf("Subject: hello\n\nworld\n.\n");
const SPAM = bytesOf(`X-Rspamd: {"action":"reject","score":20}\nSubject: hello\n\nworld\n`);

/** A message of more than what is kept in memory: it goes through a file, in several chunks. */
const LARGE = bytesOf(`Subject: large\n\n${"A line.\n\r\n".repeat(70_000)}`);

// A fault that is told by time alone is over then.
const SHORT = 400;

const { clock, network } = denoRuntime();
const turn = new SharedTurn(clock);

interface Options {
  readonly servers: readonly string[];
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly password?: string;
  readonly mail?: Mail;
}

async function judge(
  octets: Uint8Array,
  { servers, timeout = 30_000, signal = new AbortController().signal, password, mail = MAIL }: Options,
): Promise<{ verdict: Verdict; notices: string[] }> {
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, octets);
  const addresses = servers.map((server) => parseScanner(server, "127.0.0.1:11333"));
  const check = rspamdCheck({ clock, network }, { servers: addresses, timeout, password, turn });
  const notices: string[] = [];
  const notice = (text: string) => void notices.push(text);
  const verdict = await check.judge(messageOf(mail, spool), { signal, limit: 80_000, notice, files });
  await spool.remove();
  return { verdict, notices };
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
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, PLAIN);
  const servers = [parseScanner(server.address, "")];
  const check = rspamdCheck({ clock, network }, { servers, timeout: 30_000, password: undefined, turn });
  const options = { signal: new AbortController().signal, limit: 80_000, notice: () => {}, files };
  for (let count = 0; count < 3; count++) {
    assert.equal((await check.judge(messageOf(MAIL, spool), options)).kind, "accept");
  }
  assert.deepEqual([server.connections, server.questions.length], [1, 3]);
  server.dropAll();
  assert.equal((await check.judge(messageOf(MAIL, spool), options)).kind, "accept");
  assert.equal(server.connections, 2);
  server.dropAll();
  await spool.remove();
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

Deno.test("rspamd: a fault at any point is no opinion, and another server has one", async () => {
  await using faulty = await FakeScanner.start(RSPAMD);
  await using healthy = await FakeScanner.start(RSPAMD);
  for (const fault of FAULTS_AT) {
    for (const message of [SPAM, LARGE]) {
      const what = `${fault.does} at ${fault.at}, ${message.length} octets`;
      faulty.fault = message === LARGE ? { ...fault, half: 300_000 } : fault;
      const alone = await judge(message, { servers: [faulty.address], timeout: SHORT });
      assert.equal(alone.verdict.kind, "unsure", `${what}: ${alone.verdict.why}`);
      const which = `(cannot connect to )?${faulty.address}:? .`;
      assert.match(alone.verdict.why, new RegExp(`^rspamd could not tell: ${which}`), what);
      assert.deepEqual(alone.notices, [], what);
      const both = await judge(message, { servers: [faulty.address, healthy.address], timeout: 2 * SHORT });
      assert.equal(both.verdict.kind, message === SPAM ? "reject" : "accept", `${what}: ${both.verdict.why}`);
      assert.equal(both.notices.length, 1, what);
      assert.match(both.notices[0]!, new RegExp(`^rspamd at ${healthy.address} answered, because ${which}`), what);
    }
  }
});

Deno.test("rspamd: a server that refuses connections is no opinion, and another server has one", async () => {
  await using healthy = await FakeScanner.start(RSPAMD);
  const refusing = `127.0.0.1:${await freePort()}`;
  const alone = await judge(SPAM, { servers: [refusing, "unix:/nowhere"] });
  assert.match(
    alone.verdict.why,
    /^rspamd could not tell: cannot connect to 127.*; cannot connect to unix:\/nowhere: /,
  );
  assert.equal((await judge(SPAM, { servers: [refusing, healthy.address] })).verdict.kind, "reject");
});

Deno.test("rspamd: when nobody waits any more its connection is closed at once", async () => {
  await using server = await FakeScanner.start(RSPAMD, { fault: { at: "reply", does: "silent" } });
  const aborter = new AbortController();
  const judged = judge(PLAIN, { servers: [server.address], signal: aborter.signal });
  await until(() => server.questions.length === 1, "the question");
  aborter.abort();
  assert.equal((await judged).verdict.kind, "unsure");
  await until(() => server.open === 0, "the end of the connection");
});

Deno.test("rspamd: a message that cannot be read is not the scanner's failure", async () => {
  await using server = await FakeScanner.start(RSPAMD);
  const runtime = new FakeRuntime();
  const { spool, files } = newSpool(runtime.files, { named: false });
  await fillSpool(spool, LARGE);
  runtime.files.fail("read", "other");
  const servers = [parseScanner(server.address, "")];
  const check = rspamdCheck({ clock, network }, { servers, timeout: 1000, password: undefined, turn });
  const options = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };
  await assert.rejects(async () => await check.judge(messageOf(MAIL, spool), options), { name: "IoError" });
  assert.equal(server.questions.length, 0);
  await spool.remove();
});
