// What each scanner must do with the faults of its servers: tests that its check makes with fake servers over real
// sockets. A fault gives no opinion, and another server gives one.
//
// testScanner() makes the tests. judgeBy() lets a check judge one message, for these tests and a scanner's own.

import assert from "node:assert/strict";
import type { Check } from "../../lib/checks/check.ts";
import { type Mail, messageOf } from "../../lib/mail/message.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { parseScanner } from "../../lib/ports/address.ts";
import type { Address } from "../../lib/ports/runtime.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { FakeScanner, type FaultAt, FAULTS_AT, POINTS, type Protocol } from "../fakes/scanner.ts";
import { fillSpool, MAIL, newSpool } from "../fakes/spool.ts";
import { freePort } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";

export interface Scanner {
  readonly name: string;
  readonly protocol: Protocol;
  /** Its check. `timeout` is in milliseconds. */
  readonly make: (servers: readonly Address[], timeout: number) => Check;
  /** A message, and one of more than what is kept in memory: it goes through a file, in several chunks. */
  readonly small: Uint8Array;
  readonly large: Uint8Array;
  /** Whether a healthy server has judged this message. */
  readonly isJudged: (verdict: Verdict, octets: Uint8Array) => boolean;
}

export interface Judged {
  readonly verdict: Verdict;
  readonly notices: readonly string[];
}

// A fault that is told by time alone is over then.
const SHORT = 400;

export async function judgeBy(
  check: Check,
  octets: Uint8Array,
  { mail = MAIL, signal = new AbortController().signal }: { mail?: Mail; signal?: AbortSignal } = {},
): Promise<Judged> {
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, octets);
  const notices: string[] = [];
  const notice = (text: string) => void notices.push(text);
  const verdict = await check.judge(messageOf(mail, spool), { signal, limit: 80_000, notice, files });
  await spool.remove();
  return { verdict, notices };
}

/** Servers as the options name them. */
export function parseServers(servers: readonly string[]): Address[] {
  return servers.map((server) => parseScanner(server, "127.0.0.1:1"));
}

export function testScanner(scanner: Scanner): void {
  const { name, protocol, make, small, large } = scanner;

  Deno.test(`${name}: a fault at any point is no opinion, and another server has one`, async () => {
    for (const fault of FAULTS_AT) {
      await Promise.all([
        stand(scanner, small, fault),
        stand(scanner, large, { ...fault, half: 300_000 }),
      ]);
    }
  });

  Deno.test(`${name}: a server that is slow is heard if it is in time`, async () => {
    await Promise.all(POINTS.map(async (at) => {
      await using server = await FakeScanner.start(protocol, { fault: { at, does: "slow", every: 1 } });
      const { verdict, notices } = await judgeBy(make(parseServers([server.address]), 30_000), small);
      assert.ok(scanner.isJudged(verdict, small), `${at}: ${verdict.why}`);
      assert.deepEqual(notices, [], at);
    }));
  });

  Deno.test(`${name}: a server that refuses connections is no opinion, and another server has one`, async () => {
    await using healthy = await FakeScanner.start(protocol);
    const refusing = `127.0.0.1:${await freePort()}`;
    const alone = await judgeBy(make(parseServers([refusing, "unix:/nowhere"]), 30_000), small);
    assert.equal(alone.verdict.kind, "unsure");
    assert.match(
      alone.verdict.why,
      new RegExp(`^${name} could not tell: cannot connect to 127.*; cannot connect to unix:/nowhere: `),
    );
    const both = await judgeBy(make(parseServers([refusing, healthy.address]), 30_000), small);
    assert.ok(scanner.isJudged(both.verdict, small), both.verdict.why);
  });

  Deno.test(`${name}: when nobody waits any more its connection is closed at once`, async () => {
    await using server = await FakeScanner.start(protocol, { fault: { at: "reply", does: "silent" } });
    const aborter = new AbortController();
    const judged = judgeBy(make(parseServers([server.address]), 30_000), small, { signal: aborter.signal });
    await until(() => server.questions.length === 1, "the question");
    aborter.abort();
    assert.equal((await judged).verdict.kind, "unsure");
    await until(() => server.open === 0, "the end of the connection");
  });

  Deno.test(`${name}: a message that cannot be read is not the scanner's failure`, async () => {
    await using server = await FakeScanner.start(protocol);
    const runtime = new FakeRuntime();
    const { spool, files } = newSpool(runtime.files, { named: false });
    await fillSpool(spool, large);
    runtime.files.fail("read", "other");
    const check = make(parseServers([server.address]), 1000);
    const options = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };
    await assert.rejects(async () => await check.judge(messageOf(MAIL, spool), options), { name: "IoError" });
    assert.equal(server.questions.length, 0);
    await spool.remove();
  });
}

/** Asks a server with this fault alone, and at the same time the same server and a healthy one. */
async function stand(scanner: Scanner, octets: Uint8Array, fault: FaultAt): Promise<void> {
  const { name, protocol, make, isJudged } = scanner;
  await using faulty = await FakeScanner.start(protocol, { fault });
  await using healthy = await FakeScanner.start(protocol);
  const [alone, both] = await Promise.all([
    judgeBy(make(parseServers([faulty.address]), SHORT), octets),
    judgeBy(make(parseServers([faulty.address, healthy.address]), 2 * SHORT), octets),
  ]);
  const what = `${fault.does} at ${fault.at}, ${octets.length} octets`;
  assert.equal(alone.verdict.kind, "unsure", `${what}: ${alone.verdict.why}`);
  // A reset may come before we know that we are connected.
  const which = `(cannot connect to )?${faulty.address}:? .`;
  assert.match(alone.verdict.why, new RegExp(`^${name} could not tell: ${which}`), what);
  assert.deepEqual(alone.notices, [], what);
  assert.ok(isJudged(both.verdict, octets), `${what}: ${both.verdict.why}`);
  assert.equal(both.notices.length, 1, what);
  assert.match(both.notices[0]!, new RegExp(`^${name} at ${healthy.address} answered, because ${which}`), what);
}
