// Tests of lib/metrics/meter.ts: what each event adds, and that nothing grows with the mail.

import assert from "node:assert/strict";
import { addWitness, SessionLog, tell } from "../../lib/log/events.ts";
import { Meter, verdictLabel } from "../../lib/metrics/meter.ts";
import type { Histogram, Snapshot } from "../../lib/metrics/snapshot.ts";
import type { Envelope } from "../../lib/mail/envelope.ts";
import type { Decision, Finding } from "../../lib/mail/judgement.ts";
import { messageOf } from "../../lib/mail/message.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { MAIL, newSpool } from "../fakes/spool.ts";

const HOUR = 3_600_000;
const OK = formatReply("250 2.0.0 Ok");
const REFUSED = formatReply("550 5.7.1 No");
const DEFERRED = formatReply("451 4.3.0 Later");
const message = messageOf(MAIL, newSpool(new FakeRuntime().files, { named: false }).spool);
const ENVELOPE: Envelope = {
  sender: "a@example.org",
  recipients: ["b@example.net", "c@example.net"],
  client: { address: "192.0.2.7", name: "mx.example.org" },
};

class Bed {
  now = 100 * HOUR;
  readonly logger = new FakeLogger(0);
  readonly meter = new Meter({ build: { version: "1", runtime: "none" }, now: () => this.now });
  open = 0;

  constructor() {
    addWitness(this.logger, this.meter.witness);
    this.meter.gauges = { sessionsOpen: () => this.open };
  }

  see(): Snapshot {
    return this.meter.snapshot();
  }

  log(envelope: Envelope | undefined = ENVELOPE, peer?: string): SessionLog {
    return new SessionLog(this.logger, "id", () => ({ envelope, peer }));
  }

  message(
    decision: Decision,
    findings: readonly Finding[] = [],
    more: { size?: number; downstreamTime?: number } = {},
  ) {
    const reply = "reply" in decision ? decision.reply : OK;
    const judgement = { decision, findings, time: 1 };
    this.log().tell("message", { messageId: undefined, size: 7, judgement, reply, ...more });
  }
}

function finding(check: string, time: number, verdict: Verdict = { kind: "accept", why: "clean" }): Finding {
  return { check, verdict, time };
}

const countOf = ({ buckets }: Histogram) => buckets.reduce((sum, one) => sum + one);

const LABELS: readonly (readonly [Decision, string])[] = [
  [{ kind: "pass", why: "", message }, "pass"],
  [{ kind: "replace", why: "", message }, "pass"],
  [{ kind: "unchecked", why: "", message }, "unchecked"],
  [{ kind: "tag", why: "", message }, "tag"],
  [{ kind: "bypass", why: "", message }, "bypass"],
  [{ kind: "reject", why: "", reply: REFUSED }, "reject"],
  [{ kind: "defer", why: "", reply: DEFERRED }, "tempfail"],
  [{ kind: "discard", why: "", reply: OK }, "discard"],
  [{ kind: "quarantine", why: "", reply: OK }, "quarantine"],
  // postprox could not handle it: the code of the reply says what that means to the sender.
  [{ kind: "refused", why: "too large", reply: REFUSED }, "reject"],
  [{ kind: "refused", why: "no room", reply: DEFERRED }, "tempfail"],
];

Deno.test("each decision has a label, and a message counts under it, in all and in its minute", () => {
  const bed = new Bed();
  for (const [decision, label] of LABELS) {
    assert.equal(verdictLabel(decision), label);
    bed.message(decision);
  }
  const { messages, messageBytes, minutes: [minute] } = bed.see();
  const counts = Object.fromEntries(messages.map(({ verdict, check, count }) => [`${verdict}/${check}`, count]));
  assert.deepEqual(counts, {
    "pass/": 2,
    "unchecked/": 1,
    "tag/": 1,
    "bypass/": 1,
    "reject/": 2,
    "tempfail/": 2,
    "discard/": 1,
    "quarantine/": 1,
  });
  assert.equal(messageBytes, 7 * LABELS.length);
  assert.deepEqual(minute!.messages, {
    pass: 2,
    unchecked: 1,
    tag: 1,
    bypass: 1,
    reject: 2,
    tempfail: 2,
    discard: 1,
    quarantine: 1,
  });
});

Deno.test("the time of each check counts once for a message, and its failures count", () => {
  const bed = new Bed();
  bed.message({ kind: "reject", check: "command", why: "virus", reply: REFUSED }, [
    finding("clamd", 5),
    finding("command", 100),
    finding("command", 300.5),
    finding("spamd", 2000, { kind: "unsure", cause: "late", why: "slow" }),
    finding("extchk", 1, { kind: "spoilt", why: "changed", failure: "died" }),
    finding("urls", 400_000, { kind: "spoilt", why: "changed" }),
  ], { downstreamTime: 30 });
  const { checkSeconds, checkErrors, downstreamSeconds, messages } = bed.see();
  assert.deepEqual(Object.keys(checkSeconds), ["clamd", "command", "spamd", "extchk", "urls"]);
  // 5 ms is in the bucket that ends there.
  assert.deepEqual(checkSeconds["clamd"], { buckets: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], sum: 0.005 });
  assert.deepEqual(checkSeconds["command"], { buckets: [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], sum: 0.4005 });
  assert.equal(checkSeconds["urls"]!.buckets.at(-1), 1);
  assert.deepEqual(checkErrors, { clamd: 0, command: 0, spamd: 1, extchk: 1, urls: 0 });
  assert.equal(downstreamSeconds.sum, 0.03);
  assert.deepEqual(messages, [{ verdict: "reject", check: "command", count: 1 }]);
});

Deno.test("checks that may look at mail begin with 0", () => {
  const bed = new Bed();
  bed.meter.expect(["clamd"]);
  bed.message({ kind: "reject", check: "clamd", why: "virus", reply: REFUSED }, [finding("clamd", 1)]);
  bed.meter.expect(["clamd", "spamd"]);
  const { checkSeconds, checkErrors, messages } = bed.see();
  assert.deepEqual([countOf(checkSeconds["clamd"]!), countOf(checkSeconds["spamd"]!)], [1, 0]);
  assert.deepEqual(checkErrors, { clamd: 0, spamd: 0 });
  assert.deepEqual(messages.filter(({ count }) => count > 0), [{ verdict: "reject", check: "clamd", count: 1 }]);
  assert.equal(messages.length, 4);
});

Deno.test("sessions count, with the most at a time of each minute", async () => {
  const bed = new Bed();
  const begin = () => {
    bed.log().tell("connected", { downstream: { transport: "unix", path: "/x" } });
    // As listen mode does: the session is known a moment later.
    bed.open++;
    return Promise.resolve();
  };
  await begin();
  await begin();
  bed.open = 0;
  await begin();
  bed.open = 1;
  bed.now += 60_000;
  await begin();
  const { sessionsOpen, sessionsTotal, minutes } = bed.see();
  assert.equal(sessionsOpen, 2);
  assert.equal(sessionsTotal, 4);
  assert.deepEqual(minutes.map(({ sessions, sessionsOpen }) => [sessions, sessionsOpen]), [[3, 2], [1, 2]]);
});

Deno.test("possible duplicates count, of both kinds", () => {
  const bed = new Bed();
  bed.log().tell("possibleDuplicate", { why: "no answer" });
  bed.log().tell("unheard", { envelope: ENVELOPE });
  assert.equal(bed.see().possibleDuplicates, 2);
  assert.match(bed.see().lastError!.text, /^possible duplicate: .*: no answer$/);
});

Deno.test("filters that run and wait are asked for", () => {
  const bed = new Bed();
  assert.deepEqual([bed.see().filtersRunning, bed.see().filtersLimit], [0, undefined]);
  bed.meter.gauges = { sessionsOpen: () => 5, filters: () => ({ running: 2, waiting: 3, count: 4 }) };
  const { sessionsOpen, filtersRunning, filtersWaiting, filtersLimit } = bed.see();
  assert.deepEqual([sessionsOpen, filtersRunning, filtersWaiting, filtersLimit], [5, 2, 3, 4]);
});

Deno.test("a refusal says what, why, by whom, and of whom; the newest comes first", () => {
  const bed = new Bed();
  bed.message({ kind: "reject", check: "clamd", why: "virus", reply: REFUSED });
  bed.now += 1000;
  const ruling = { why: "listed", reply: DEFERRED };
  const restricted = { ruling, envelope: ENVELOPE, recipient: "d@example.net", deferred: false };
  const log = bed.log({ sender: "", recipients: [], client: {} }, "127.0.0.1");
  log.tell("restricted", restricted);
  log.tell("restricted", { ...restricted, recipient: undefined });
  // The message that follows is refused.
  log.tell("restricted", { ...restricted, deferred: true });
  // A dry run refuses nothing.
  log.tell("restricted", { ...restricted, would: "reject" });
  bed.message({ kind: "pass", why: "", message, check: "clamd", would: "reject" });
  const [sender, recipient, whole, ...others] = bed.see().refusals;
  assert.deepEqual(others, []);
  assert.deepEqual(whole, {
    time: 100 * HOUR,
    what: "message",
    verdict: "reject",
    check: "clamd",
    reason: "virus",
    sender: "a@example.org",
    recipients: 2,
    client: "mx.example.org[192.0.2.7]",
    reply: "550 5.7.1 No",
  });
  assert.deepEqual([recipient!.what, recipient!.verdict, recipient!.reason], ["recipient", "tempfail", "listed"]);
  assert.deepEqual([sender!.what, sender!.sender, sender!.recipients, sender!.client], ["sender", "", 0, "127.0.0.1"]);
});

Deno.test("the last error has its words and its reason, with a line of the log or without", () => {
  const bed = new Bed();
  assert.equal(bed.see().lastError, undefined);
  tell(bed.logger, "spoolFailed", { why: "disk full" });
  tell(bed.logger, "helperFailed", { why: "a warning is no error", pause: 1 });
  assert.deepEqual(bed.see().lastError, { time: 100 * HOUR, text: "cannot spool message: disk full" });
  tell(bed.logger, "bug", { error: new TypeError("oops") });
  assert.equal(bed.see().lastError!.text, "bug: oops");
  tell(bed.logger, "spoilt", { check: "extchk" });
  assert.match(bed.see().lastError!.text, /^message not delivered: the external checker changed it/);
});

Deno.test("nothing grows with the mail: 50 refusals, 60 minutes, texts of 600 characters", () => {
  const bed = new Bed();
  const long = "x".repeat(10_000);
  for (let at = 0; at < 5000; at++) {
    bed.now += 7_000;
    bed.log({ sender: long, recipients: [], client: { address: long, name: long } }).tell("message", {
      messageId: undefined,
      size: 1,
      judgement: { decision: { kind: "reject", check: "urls", why: long, reply: REFUSED }, findings: [], time: 0 },
      reply: formatReply(`550 ${long}`),
    });
  }
  const { refusals, minutes, messages } = bed.see();
  assert.equal(refusals.length, 50);
  assert.equal(refusals[0]!.time, bed.now);
  assert.equal(minutes.length, 60);
  assert.equal(minutes.at(-1)!.minute, Math.floor(bed.now / 60_000));
  assert.equal(messages.length, 1);
  for (const { reason, sender, client, reply } of refusals) {
    for (const text of [reason, sender!, client!, reply]) assert.equal(text.length, 600);
  }
});

Deno.test("a clock that is set back loses the minutes that have not come yet, and goes on", () => {
  const bed = new Bed();
  bed.message({ kind: "unchecked", why: "", message });
  bed.now -= HOUR / 2;
  bed.message({ kind: "unchecked", why: "", message });
  bed.now += 60_000;
  bed.message({ kind: "unchecked", why: "", message });
  const { minutes, messages } = bed.see();
  const first = 99.5 * 60;
  assert.deepEqual(minutes.map(({ minute }) => minute), [first, first + 1]);
  assert.equal(messages[0]!.count, 3);
});

Deno.test("a snapshot is plain JSON, and later events do not change it", () => {
  const bed = new Bed();
  bed.message({ kind: "unchecked", why: "", message }, [finding("clamd", 1)], { downstreamTime: 1 });
  const before = bed.see();
  const text = JSON.stringify(before);
  assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(before)));
  bed.message({ kind: "unchecked", why: "", message }, [finding("clamd", 1)], { downstreamTime: 1 });
  assert.equal(JSON.stringify(before), text);
});
