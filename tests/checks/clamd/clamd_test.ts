// Tests of lib/checks/clamd/clamd.ts with a fake clamd over real sockets: what becomes of each answer, and of each fault.

import assert from "node:assert/strict";
import { clamdCheck } from "../../../lib/checks/clamd/clamd.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { messageOf } from "../../../lib/mail/message.ts";
import { parseScanner } from "../../../lib/ports/address.ts";
import { denoRuntime } from "../../../lib/runtime/deno/runtime.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { CLAMD, contentOf, EICAR } from "../../fakes/clamd.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { FakeScanner, FAULTS_AT, type Protocol } from "../../fakes/scanner.ts";
import { content, fillSpool, isSame, MAIL, newSpool } from "../../fakes/spool.ts";
import { freePort } from "../../rig/ports.ts";
import { until } from "../../rig/wait.ts";

const CLEAN = bytesOf("Subject: hello\n\nworld\n");
const VIRUS = bytesOf(`Subject: hello\n\n${EICAR}\n`);

/** A message of more than what is kept in memory: it goes through a file, in several chunks. */
const LARGE = content(700_000);

// A fault that is told by time alone is over then.
const SHORT = 400;

const { clock, network } = denoRuntime();

interface Judged {
  readonly verdict: Verdict;
  readonly notices: readonly string[];
}

async function judge(
  octets: Uint8Array,
  { servers, timeout = 30_000, signal = new AbortController().signal }: {
    servers: readonly string[];
    timeout?: number;
    signal?: AbortSignal;
  },
): Promise<Judged> {
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, octets);
  const addresses = servers.map((server) => parseScanner(server, "127.0.0.1:3310"));
  const check = clamdCheck({ clock, network }, { servers: addresses, timeout });
  const notices: string[] = [];
  const notice = (text: string) => void notices.push(text);
  const verdict = await check.judge(messageOf(MAIL, spool), { signal, limit: 80_000, notice, files });
  await spool.remove();
  return { verdict, notices };
}

/** A clamd that says this of everything. */
function says(answer: string): Protocol {
  return { ...CLAMD, answer: () => answer };
}

Deno.test("clamd: what it finds is refused, what it finds nothing in passes", async () => {
  await using server = await FakeScanner.start(CLAMD);
  const servers = [server.address];
  assert.deepEqual(await judge(CLEAN, { servers }), {
    verdict: { kind: "accept", why: "clamd found nothing" },
    notices: [],
  });
  const { verdict, notices } = await judge(VIRUS, { servers });
  assert.equal(verdict.kind, "reject");
  assert.equal("reply" in verdict && replyText(verdict.reply), "550 5.7.1 virus found: Eicar-Test");
  assert.equal(verdict.why, `clamd at ${server.address} found Eicar-Test`);
  assert.deepEqual(verdict.facts, { clamd_virus: "Eicar-Test" });
  assert.deepEqual(notices, []);
  assert.equal(server.connections, 2);
});

Deno.test("clamd gets the message as it is, whatever its size, over tcp and unix", async () => {
  const path = `${await Deno.makeTempDir()}/clamd.sock`;
  await using tcp = await FakeScanner.start(CLAMD);
  await using unix = await FakeScanner.start(CLAMD, { path });
  for (const server of [tcp, unix]) {
    for (const message of [new Uint8Array(0), bytesOf("\n"), CLEAN, LARGE]) {
      const { verdict } = await judge(message, { servers: [server.address] });
      assert.equal(verdict.kind, "accept", verdict.why);
      assert.ok(isSame(contentOf(server.questions.at(-1)!), message), `${message.length} octets`);
    }
  }
});

Deno.test("clamd: a virus name is one line of printable ASCII in the reply, and has a bound", async () => {
  for (
    const [name, shown] of [
      ["a\r\n250 ok", "a  250 ok"],
      ["\u00fcber\u202e\u001b[1m", "?ber? [1m"],
      ["x".repeat(1000), "x".repeat(100)],
    ] as const
  ) {
    await using server = await FakeScanner.start(says(`stream: ${name} FOUND\0`));
    const { verdict } = await judge(CLEAN, { servers: [server.address] });
    assert.equal("reply" in verdict && replyText(verdict.reply), `550 5.7.1 virus found: ${shown}`);
  }
});

Deno.test("clamd: an answer that is neither OK nor FOUND is no opinion", async () => {
  for (
    const [answer, why] of [
      ["INSTREAM size limit exceeded. ERROR\0", "takes no message of 22 octets, see StreamMaxLength in its clamd.conf"],
      ["stream: Can't allocate memory ERROR\0", `answered "stream: Can't allocate memory ERROR"`],
      ["UNKNOWN COMMAND\0", 'answered "UNKNOWN COMMAND", as clamd never does'],
      ["\0", 'answered "", as clamd never does'],
      ["stream: OK", "closed the connection in the middle of its answer"],
      [`stream: ${"x".repeat(1100)} FOUND\0`, "sent more than the 1024 octets that an answer may have"],
    ] as const
  ) {
    await using server = await FakeScanner.start(says(answer));
    const { address } = server;
    assert.deepEqual(await judge(CLEAN, { servers: [address] }), {
      verdict: { kind: "unsure", cause: "failed", why: `clamd could not tell: ${address} ${why}` },
      notices: [],
    });
  }
});

Deno.test("clamd: an answer counts that comes in the middle of the message", async () => {
  const half = 300_000;
  await using server = await FakeScanner.start(CLAMD);
  const servers = [server.address];
  for (const does of ["close", "reset", "silent"] as const) {
    server.fault = { at: "half request", half, does, says: "stream: Eicar-Test FOUND\0" };
    assert.equal((await judge(LARGE, { servers })).verdict.kind, "reject", does);
    server.fault = { at: "half request", half, does, says: "INSTREAM size limit exceeded. ERROR\0" };
    const { verdict } = await judge(LARGE, { servers });
    assert.equal(
      verdict.why,
      `clamd could not tell: ${servers[0]} takes no message of 700000 octets, see StreamMaxLength in its clamd.conf`,
    );
  }
});

Deno.test("clamd: a message that one server does not take is another one's, and the first is asked first again", async () => {
  await using small = await FakeScanner.start(says("INSTREAM size limit exceeded. ERROR\0"));
  await using large = await FakeScanner.start(CLAMD);
  const servers = [small, large].map(({ address }) => parseScanner(address, ""));
  const check = clamdCheck({ clock, network }, { servers, timeout: 30_000 });
  for (let count = 1; count <= 2; count++) {
    const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
    await fillSpool(spool, VIRUS);
    const options = { signal: new AbortController().signal, limit: 80_000, notice: () => {}, files };
    assert.equal((await check.judge(messageOf(MAIL, spool), options)).kind, "reject");
    assert.equal(small.connections, count);
  }
});

Deno.test("clamd: a fault at any point is no opinion, and another server has one", async () => {
  await using faulty = await FakeScanner.start(CLAMD);
  await using healthy = await FakeScanner.start(CLAMD);
  for (const fault of FAULTS_AT) {
    for (const message of [VIRUS, LARGE]) {
      const what = `${fault.does} at ${fault.at}, ${message.length} octets`;
      faulty.fault = message === LARGE ? { ...fault, half: 300_000 } : fault;
      const alone = await judge(message, { servers: [faulty.address], timeout: SHORT });
      assert.equal(alone.verdict.kind, "unsure", `${what}: ${alone.verdict.why}`);
      // A reset may come before we know that we are connected.
      const which = `(cannot connect to )?${faulty.address}:? .`;
      assert.match(alone.verdict.why, new RegExp(`^clamd could not tell: ${which}`), what);
      assert.deepEqual(alone.notices, [], what);
      const both = await judge(message, { servers: [faulty.address, healthy.address], timeout: 2 * SHORT });
      assert.equal(both.verdict.kind, message === VIRUS ? "reject" : "accept", `${what}: ${both.verdict.why}`);
      assert.equal(both.notices.length, 1, what);
      assert.match(both.notices[0]!, new RegExp(`^clamd at ${healthy.address} answered, because ${which}`), what);
    }
  }
});

Deno.test("clamd: a server that refuses connections is no opinion, and another server has one", async () => {
  await using healthy = await FakeScanner.start(CLAMD);
  const refusing = `127.0.0.1:${await freePort()}`;
  const alone = await judge(VIRUS, { servers: [refusing, `unix:/nowhere`] });
  assert.equal(alone.verdict.kind, "unsure");
  assert.match(alone.verdict.why, /^clamd could not tell: cannot connect to 127.*; cannot connect to unix:\/nowhere: /);
  assert.equal((await judge(VIRUS, { servers: [refusing, healthy.address] })).verdict.kind, "reject");
});

Deno.test("clamd: when nobody waits any more its connection is closed at once", async () => {
  await using server = await FakeScanner.start(CLAMD, { fault: { at: "reply", does: "silent" } });
  const aborter = new AbortController();
  const judged = judge(CLEAN, { servers: [server.address], signal: aborter.signal });
  await until(() => server.questions.length === 1, "the question");
  aborter.abort();
  assert.equal((await judged).verdict.kind, "unsure");
  await until(() => server.open === 0, "the end of the connection");
});

Deno.test("clamd: a message that cannot be read is not the scanner's failure", async () => {
  await using server = await FakeScanner.start(CLAMD);
  const runtime = new FakeRuntime();
  const { spool, files } = newSpool(runtime.files, { named: false });
  await fillSpool(spool, LARGE);
  runtime.files.fail("read", "other");
  const check = clamdCheck({ clock, network }, {
    servers: [parseScanner(server.address, "")],
    timeout: 1000,
  });
  const options = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };
  await assert.rejects(async () => await check.judge(messageOf(MAIL, spool), options), { name: "IoError" });
  assert.equal(server.questions.length, 0);
  await spool.remove();
});

Deno.test("the fake clamd reads what was sent", () => {
  assert.equal(textOf(contentOf(bytesOf("zINSTREAM\0\0\0\0\x02ab\0\0\0\x01c\0\0\0\0"))), "abc");
});
