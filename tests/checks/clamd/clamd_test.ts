// Tests of lib/checks/clamd/clamd.ts with a fake clamd over real sockets: what becomes of each answer, and of each fault.

import assert from "node:assert/strict";
import { clamdCheck } from "../../../lib/checks/clamd/clamd.ts";
import type { Address } from "../../../lib/ports/runtime.ts";
import { denoRuntime } from "../../../lib/runtime/deno/runtime.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { CLAMD, contentOf, EICAR } from "../../fakes/clamd.ts";
import { FakeScanner, type Protocol } from "../../fakes/scanner.ts";
import { content, isSame } from "../../fakes/spool.ts";
import { judgeBy, type Judged, parseServers, testScanner } from "../scanner.ts";

const CLEAN = bytesOf("Subject: hello\n\nworld\n");
const VIRUS = bytesOf(`Subject: hello\n\n${EICAR}\n`);

/** A message of more than what is kept in memory: it goes through a file, in several chunks. */
const LARGE = content(700_000);

const { clock, network } = denoRuntime();

const make = (servers: readonly Address[], timeout: number) => clamdCheck({ clock, network }, { servers, timeout });

testScanner({
  name: "clamd",
  protocol: CLAMD,
  make,
  small: VIRUS,
  large: LARGE,
  isJudged: ({ kind }, octets) => kind === (octets === VIRUS ? "reject" : "accept"),
});

function judge(octets: Uint8Array, servers: readonly string[]): Promise<Judged> {
  return judgeBy(make(parseServers(servers), 30_000), octets);
}

/** A clamd that says this of everything. */
function says(answer: string): Protocol {
  return { ...CLAMD, answer: () => answer };
}

Deno.test("clamd: what it finds is refused, what it finds nothing in passes", async () => {
  await using server = await FakeScanner.start(CLAMD);
  const servers = [server.address];
  assert.deepEqual(await judge(CLEAN, servers), {
    verdict: { kind: "accept", why: "clamd found nothing" },
    notices: [],
  });
  const { verdict, notices } = await judge(VIRUS, servers);
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
      const { verdict } = await judge(message, [server.address]);
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
    const { verdict } = await judge(CLEAN, [server.address]);
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
    assert.deepEqual(await judge(CLEAN, [address]), {
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
    assert.equal((await judge(LARGE, servers)).verdict.kind, "reject", does);
    server.fault = { at: "half request", half, does, says: "INSTREAM size limit exceeded. ERROR\0" };
    const { verdict } = await judge(LARGE, servers);
    assert.equal(
      verdict.why,
      `clamd could not tell: ${servers[0]} takes no message of 700000 octets, see StreamMaxLength in its clamd.conf`,
    );
  }
});

Deno.test("clamd: a message that one server does not take is another one's, and the first is asked first again", async () => {
  await using small = await FakeScanner.start(says("INSTREAM size limit exceeded. ERROR\0"));
  await using large = await FakeScanner.start(CLAMD);
  const check = make(parseServers([small.address, large.address]), 30_000);
  for (let count = 1; count <= 2; count++) {
    assert.equal((await judgeBy(check, VIRUS)).verdict.kind, "reject");
    assert.equal(small.connections, count);
  }
});

Deno.test("the fake clamd reads what was sent", () => {
  assert.equal(textOf(contentOf(bytesOf("zINSTREAM\0\0\0\0\x02ab\0\0\0\x01c\0\0\0\0"))), "abc");
});
