// Tests of lib/checks/spamd/spamd.ts with a fake spamd over real sockets: what it gets, what becomes of each answer, and of
// each fault.

import assert from "node:assert/strict";
import { HEADER_LIMIT } from "../../../lib/checks/spamd/protocol.ts";
import { spamdCheck } from "../../../lib/checks/spamd/spamd.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import type { Address } from "../../../lib/ports/runtime.ts";
import { denoRuntime } from "../../../lib/runtime/deno/runtime.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { FakeScanner, type Protocol } from "../../fakes/scanner.ts";
import { scannedIn, SPAMD, spamdAnswer } from "../../fakes/spamd.ts";
import { judgeBy, type Judged, parseServers, testScanner } from "../scanner.ts";

const HAM = bytesOf("Subject: hello\n\nworld\n.\n");
const SPAM = bytesOf(`X-Score: 7.5\nSubject: hello\n\nworld\n`);

/** A message of more than what is kept in memory: it goes through a file, in several chunks. */
const LARGE = bytesOf(`Subject: large\n\n${"A line.\n\r\n".repeat(70_000)}`);

const { clock, network } = denoRuntime();

const make = (servers: readonly Address[], timeout: number, reject?: number) =>
  spamdCheck({ clock, network }, { servers, timeout, reject, turn: new SharedTurn(clock) });

testScanner({
  name: "spamd",
  protocol: SPAMD,
  make,
  small: SPAM,
  large: LARGE,
  isJudged: (verdict) => /^X-Spam-/.test(headerIn(verdict) ?? ""),
});

function judge(
  octets: Uint8Array,
  { servers, reject }: { servers: readonly string[]; reject?: number },
): Promise<Judged> {
  return judgeBy(make(parseServers(servers), 30_000, reject), octets);
}

/** A spamd that says this of everything. */
function says(answer: string): Protocol {
  return { ...SPAMD, answer: () => answer };
}

function headerIn(verdict: Verdict): string | undefined {
  return "header" in verdict && verdict.header?.whole ? textOf(verdict.header.whole) : undefined;
}

Deno.test("spamd: a message passes with the header that it made", async () => {
  await using server = await FakeScanner.start(SPAMD);
  const servers = [server.address];
  const { verdict, notices } = await judge(HAM, { servers });
  assert.deepEqual(verdict, {
    kind: "accept",
    why: `spamd at ${server.address} gives it a score of 0.1`,
    facts: { spamd_score: 0.1, spamd_required_score: 5 },
    header: { whole: bytesOf("X-Spam-Status: No, score=0.1\n\ttests=A\nSubject: hello\n") },
  });
  assert.deepEqual(notices, []);
  // Spam passes too, unless a score is given that refuses it.
  const spam = await judge(SPAM, { servers });
  assert.equal(
    headerIn(spam.verdict),
    "X-Spam-Flag: YES\nX-Spam-Status: Yes, score=7.5\n\ttests=A\nX-Score: 7.5\nSubject: hello\n",
  );
});

Deno.test("spamd: a score of --spamd-reject or more is refused", async () => {
  await using server = await FakeScanner.start(SPAMD);
  for (
    const [score, reject, isRefused] of [
      ["7.5", 7.5, true],
      ["7.5", 7.6, false],
      ["7.5", -3, true],
      ["-0.5", -0.5, true],
      ["-0.5", -0.4, false],
      ["0", 0, true],
      ["1000", 999.9, true],
    ] as const
  ) {
    const { verdict } = await judge(bytesOf(`X-Score: ${score}\n\n`), { servers: [server.address], reject });
    assert.equal(verdict.kind, isRefused ? "reject" : "accept", `${score} ${reject}`);
    assert.deepEqual(verdict.facts, { spamd_score: Number(score), spamd_required_score: 5 });
    if (isRefused) assert.equal("reply" in verdict && replyText(verdict.reply), "550 5.7.1 Spam message rejected");
  }
});

Deno.test("spamd: to refuse a message it needs no header", async () => {
  for (const header of ["no header\n", "A: b\n".repeat(HEADER_LIMIT / 5)]) {
    await using server = await FakeScanner.start(says(spamdAnswer(15, header)));
    assert.equal((await judge(SPAM, { servers: [server.address], reject: 15 })).verdict.kind, "reject");
  }
});

Deno.test("spamd gets the message as it is, whatever its size, and a last line with its end", async () => {
  const path = `${await Deno.makeTempDir()}/spamd.sock`;
  await using tcp = await FakeScanner.start(SPAMD);
  await using unix = await FakeScanner.start(SPAMD, { path });
  for (const server of [tcp, unix]) {
    for (const message of [new Uint8Array(0), bytesOf("\n"), bytesOf("A: b\r\n\nc"), HAM, LARGE]) {
      const { verdict } = await judge(message, { servers: [server.address] });
      assert.equal(verdict.kind, "accept", verdict.why);
      const text = textOf(message);
      assert.ok(textOf(scannedIn(server.questions.at(-1)!)) === (text.endsWith("\n") ? text : `${text}\n`));
    }
  }
});

Deno.test("spamd: the header of a report is not that of the message: its marks are taken", async () => {
  const made = "Received: x\nX-Spam-Flag: YES\nSubject: [SPAM]\nContent-Type: multipart/mixed; boundary=x\n\n";
  await using server = await FakeScanner.start(says(spamdAnswer(15, made)));
  for (const size of [1, 100_000]) {
    const message = bytesOf(`X-Spam-Flag: NO\nSubject: hello\nContent-Type: text/plain\n\n${"body\n".repeat(size)}`);
    const { verdict } = await judge(message, { servers: [server.address] });
    assert.equal(headerIn(verdict), "X-Spam-Flag: YES\nSubject: [SPAM]\nContent-Type: text/plain\n");
  }
});

Deno.test("spamd: a malformed answer is no opinion", async () => {
  for (
    const [answer, why] of [
      ["SPAMD/1.0 76 Bad header line: (EOF during headers)\r\n", "answered 76 Bad header line: (EOF during headers)"],
      ["SPAMD/1.1 69 EX_UNAVAILABLE\r\nContent-length: 0\r\n\r\n", "answered 69 EX_UNAVAILABLE"],
      [spamdAnswer(1, ""), "sent a malformed header"],
      [spamdAnswer(1, "\n"), "sent a malformed header"],
      [spamdAnswer(1, "hello world\n\n"), "sent a malformed header"],
      [spamdAnswer(1, "A: b\nhello world\n\n"), "sent a malformed header"],
      [spamdAnswer(1, "A: b\n\n").slice(0, -1), "sent a header that is cut off"],
      [`${spamdAnswer(1, "A: b\n\n")}x`, "sent more than it said"],
      [spamdAnswer(1, "A: b\n".repeat(HEADER_LIMIT / 5 + 1)), "sent a header of more than 262144 octets"],
      ["SPAMD/1.1 0 EX_OK\r\n\r\n", "sent no score"],
      ["HTTP/1.1 200 OK\r\n\r\n", "sent no answer of spamd's protocol"],
      ["SPAMD/1.1 0 EX_OK\r\n", "sent an answer that is cut off"],
      ["", "closed the connection"],
    ] as const
  ) {
    await using server = await FakeScanner.start(says(answer));
    const { address } = server;
    assert.deepEqual(await judge(HAM, { servers: [address], reject: 5 }), {
      verdict: { kind: "unsure", cause: "failed", why: `spamd could not tell: ${address} ${why}` },
      notices: [],
    });
  }
});

Deno.test("spamd: an answer counts that comes in the middle of the message", async () => {
  await using server = await FakeScanner.start(SPAMD);
  const servers = [server.address];
  for (const does of ["close", "reset", "silent"] as const) {
    server.fault = { at: "half request", half: 300_000, does, says: spamdAnswer(15, "A: b\n\n") };
    assert.equal((await judge(LARGE, { servers, reject: 5 })).verdict.kind, "reject", does);
    server.fault = { at: "half request", half: 300_000, does, says: "SPAMD/1.1 74 EX_IOERR\r\n\r\n" };
    assert.equal(
      (await judge(LARGE, { servers })).verdict.why,
      `spamd could not tell: ${servers[0]} answered 74 EX_IOERR`,
    );
  }
});
