// Tests of lib/log/events.ts: each event is one line, whatever strangers put into its fields.

import assert from "node:assert/strict";
import type { Envelope } from "../../lib/mail/envelope.ts";
import * as events from "../../lib/log/events.ts";
import type { Finding } from "../../lib/mail/judgement.ts";
import type { Facts } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeLogger } from "../fakes/logger.ts";

const EVIL = 'x\r\nerror: forged verdict="pass\x1b[2J\u2028';

const ENVELOPE: Envelope = {
  sender: EVIL,
  recipients: [EVIL, EVIL],
  client: { address: EVIL, name: EVIL, helo: EVIL },
};

const REPLY = { code: 550, bytes: new TextEncoder().encode(`550-${EVIL}\r\n550 ${EVIL}\r\n`) };

Deno.test("each event is one line, and no text in its fields can break it", () => {
  const logger = new FakeLogger();
  const log = new events.SessionLog(logger, "0123456789", () => ({ peer: EVIL, envelope: ENVELOPE }));
  log.connected({ transport: "unix", path: EVIL });
  log.dialogue(EVIL, REPLY);
  log.ended(EVIL, EVIL);
  log.clientLost(EVIL, EVIL);
  log.clientRefused(EVIL, REPLY);
  log.downstreamUnreachable({ transport: "tcp", host: EVIL, port: 1 }, EVIL);
  log.downstreamLost(EVIL, EVIL);
  log.turnedAway({ transport: "unix", path: EVIL }, REPLY);
  log.unasked3xx(REPLY, EVIL);
  log.possibleDuplicate(EVIL);
  log.unheard(ENVELOPE);
  log.discarded(EVIL);
  log.unreadable(EVIL);
  log.spoolFailed(EVIL);
  const verdict = { kind: "spoilt", why: EVIL, failure: EVIL } as const;
  const findings = [{ check: "command", verdict, time: 1.6 }];
  log.judged({ decision: { kind: "refused", why: EVIL, reply: REPLY }, findings, time: 1 });
  log.message({
    verdict: "pass",
    reason: EVIL,
    messageId: EVIL,
    size: 1,
    judgement: { findings, time: 1.6 },
    reply: REPLY,
  });
  log.restricted({ ruling: { why: EVIL, reply: REPLY }, envelope: ENVELOPE, recipient: EVIL, deferred: true });
  log.tarPit(5);
  log.bug(new Error(EVIL));
  const ofSession = logger.lines.length;
  assert.equal(ofSession, 20);
  events.logUsage(logger, EVIL);
  events.logListening(logger, { transport: "unix", path: EVIL });
  events.logFilterMissing(logger, EVIL);
  events.logShutdown(logger, EVIL, 1);
  events.logSwept(logger, [EVIL], [EVIL]);
  events.logTooManyClients(logger, EVIL, 1);
  events.logAcceptFailed(logger, EVIL);
  events.logBug(logger, EVIL);
  assert.equal(logger.lines.length, ofSession + 9);
  for (const [at, line] of logger.lines.entries()) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\x00-\x1f\x7f\u2028]/);
    if (at < ofSession) assert.match(line, /^[a-z]+: 0123456789: /);
    // A quote that ends a field would let the rest pass for another one.
    assert.doesNotMatch(line, /(?<!\\)" verdict|[^\\]"pass/, line);
  }
});

Deno.test("SessionLog.notice is one line of plain words, with a bound, and one for the session", () => {
  const logger = new FakeLogger();
  const log = new events.SessionLog(logger, "id");
  log.notice(EVIL);
  assert.equal(logger.lines.pop(), 'warning: id: x\\x0d\\x0aerror: forged verdict="pass\\x1b[2J\\u2028');
  for (let count = 0; count < 1500; count++) log.notice("x".repeat(5000));
  assert.equal(logger.lines.length, 999);
  assert.ok(logger.lines.every((line) => line.length < 1100));
  assert.match(logger.lines.at(-1)!, /further notices of this session are left out$/);
});

Deno.test("SessionLog.message shows ten recipients and their number", () => {
  const logger = new FakeLogger();
  const recipients = Array.from({ length: 12 }, (_, at) => `r${at}@d`);
  const envelope = { sender: "", recipients, client: {} };
  new events.SessionLog(logger, "id", () => ({ peer: "127.0.0.1", envelope })).message({
    verdict: "pass",
    reason: "clean",
    messageId: "<a=1@b>",
    size: 7,
    judgement: { findings: [{ check: "clamd", verdict: { kind: "accept", why: "clean" }, time: 9.9 }], time: 12.4 },
    reply: formatReply("250 Ok"),
  });
  const [line] = logger.lines;
  assert.equal(
    line,
    `info: id: message verdict=pass reason=clean peer=127.0.0.1 from=<> to=${
      recipients.slice(0, 10).map((one) => `<${one}>`).join(",")
    },... nrcpt=12 message_id="<a=1@b>" size=7 filter_ms=12 reply="250 Ok"`,
  );
});

Deno.test("SessionLog.message has the facts of all checks, and the time of each where there is more than one", () => {
  const logger = new FakeLogger();
  const finding = (check: string, time: number, facts?: Facts): Finding => ({
    check,
    verdict: { kind: "accept", why: "clean", facts },
    time,
  });
  new events.SessionLog(logger, "id").message({
    verdict: "pass",
    reason: "clean",
    messageId: undefined,
    size: 7,
    judgement: {
      findings: [
        finding("filter-rules", 0.2),
        finding("rspamd", 30.4, { rspamd_score: 1.5, rspamd_symbols: "A(1.5) B" }),
        finding("command", 10.4),
        finding("command", 10.4, { command_fact: 1 }),
      ],
      time: 51.9,
    },
    reply: formatReply("250 Ok"),
  });
  assert.deepEqual(logger.lines, [
    "info: id: message verdict=pass reason=clean size=7 filter_ms=52 filter_rules_ms=0 rspamd_ms=30 command_ms=21 " +
    'rspamd_score=1.5 rspamd_symbols="A(1.5) B" command_fact=1 reply="250 Ok"',
  ]);
});

Deno.test("logBug writes the stack, bounded", () => {
  const logger = new FakeLogger();
  const error = new Error("x".repeat(10_000));
  events.logBug(logger, error);
  events.logBug(logger, "not an error");
  assert.ok(logger.lines[0]!.length < 2000);
  assert.match(logger.lines[1]!, /not an error/);
  events.logBug(logger, new TypeError("short"));
  assert.match(logger.lines[2]!, /TypeError: short.*events_test\.ts/);
});
