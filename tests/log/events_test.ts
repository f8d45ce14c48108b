// Tests of lib/log/events.ts: each event is one line, with any text of strangers in its fields. And SessionLog has bounds.

import assert from "node:assert/strict";
import type { Envelope } from "../../lib/mail/envelope.ts";
import {
  addWitness,
  type EventName,
  EVENTS,
  type FactsOf,
  SessionLog,
  type Source,
  tell,
} from "../../lib/log/events.ts";
import { formatJson, withHead } from "../../lib/log/json.ts";
import type { Decision, Finding } from "../../lib/mail/judgement.ts";
import type { Facts } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { messageOf } from "../../lib/mail/message.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { MAIL, newSpool } from "../fakes/spool.ts";

const EVIL = 'x\r\nerror: forged verdict="pass\x1b[2J\u2028';

const ENVELOPE: Envelope = {
  sender: EVIL,
  recipients: [EVIL, EVIL],
  client: { address: EVIL, name: EVIL, helo: EVIL },
};

const REPLY = { code: 550, bytes: new TextEncoder().encode(`550-${EVIL}\r\n550 ${EVIL}\r\n`) };
const HOST = { transport: "tcp", host: EVIL, port: 1 } as const;
const SOCKET = { transport: "unix", path: EVIL } as const;
const BROKEN = { doing: EVIL, why: EVIL };
const LIST = { zone: EVIL, entry: EVIL };
const FINDING: Finding = { check: "command", verdict: { kind: "spoilt", why: EVIL, failure: EVIL }, time: 1.6 };
const LOST: Decision = { kind: "refused", check: EVIL, why: EVIL, reply: REPLY, kept: EVIL };

const PASSING = {
  kind: "pass",
  why: "clean",
  message: messageOf(MAIL, newSpool(new FakeRuntime().files, { named: false }).spool),
} as const;

// An event that is missing here does not pass the type check.
const FACTS: { readonly [Name in EventName]: FactsOf<Name> } = {
  connected: { downstream: SOCKET },
  dialogue: { said: bytesOf(EVIL), reply: REPLY },
  ended: BROKEN,
  clientLost: BROKEN,
  clientRefused: { what: EVIL, reply: REPLY },
  downstreamUnreachable: { downstream: HOST, why: EVIL },
  turnedAway: { downstream: SOCKET, greeting: REPLY },
  downstreamLost: BROKEN,
  unasked3xx: { command: bytesOf(EVIL), reply: REPLY },
  clientNotKnown: { why: EVIL },
  tarPit: { recipients: 5 },
  restricted: { ruling: { why: EVIL, reply: REPLY }, envelope: ENVELOPE, recipient: EVIL, deferred: true },
  notice: { text: EVIL },
  message: {
    messageId: EVIL,
    size: 1,
    judgement: { decision: LOST, findings: [FINDING], time: 1.6 },
    reply: REPLY,
  },
  notChecked: { check: EVIL, why: EVIL, message: EVIL },
  discarded: { kind: "discard", check: EVIL, why: EVIL, reply: REPLY, kept: EVIL },
  notKept: { kind: "reject", check: EVIL, why: EVIL, reply: REPLY, notKept: EVIL },
  spoilt: { check: EVIL },
  noTimeLeft: {},
  spoolFailed: { why: EVIL },
  spoolNotRemoved: { why: EVIL },
  unreadable: { why: EVIL },
  possibleDuplicate: { why: EVIL },
  unheard: { envelope: ENVELOPE },
  usage: { text: EVIL },
  cannotStart: { why: EVIL },
  listening: { at: EVIL, filter: EVIL },
  leftOut: { why: EVIL },
  reachable: { at: HOST },
  runsAsRoot: {},
  openSpool: { directory: EVIL },
  notForUser: { why: EVIL },
  filterMissing: { why: EVIL },
  helperFailed: { why: EVIL, pause: 1000 },
  helperSaid: { text: EVIL },
  needsRestart: { options: [EVIL] },
  workerReplaced: { worker: 4711, how: "it was killed by SIGKILL", pause: 2000 },
  shutdown: { signal: EVIL, sessions: 1, limit: 1 },
  drained: { sessions: 1 },
  reloaded: {},
  notReloaded: { why: EVIL },
  noReloadSocket: { why: EVIL },
  notNotified: { why: EVIL },
  notSwept: { why: EVIL },
  swept: { file: EVIL },
  tooManyClients: { peer: EVIL, limit: 1 },
  acceptFailed: { why: EVIL },
  bug: { error: new Error(EVIL) },
  noListing: { zone: EVIL, question: EVIL, answer: EVIL, text: EVIL },
  listsEverything: LIST,
  listsAgain: LIST,
  noTestEntry: LIST,
};

const ID = "0123456789";

function source(envelope?: Envelope, peer?: string): Source {
  return { id: ID, subject: () => ({ peer, envelope }) };
}

function told<Name extends EventName>(name: Name, from: Source | undefined): FakeLogger {
  const logger = new FakeLogger();
  tell(logger, name, FACTS[name], from);
  return logger;
}

Deno.test("each event is one line, in a session or not, and no text in its fields can break it", () => {
  const names = Object.keys(FACTS) as EventName[];
  assert.deepEqual(names, Object.keys(EVENTS));
  for (const from of [source(ENVELOPE, EVIL), undefined]) {
    for (const name of names) {
      const [line = "", ...others] = told(name, from).lines;
      assert.deepEqual(others, [], name);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(line, /[\x00-\x1f\x7f\u2028]/, name);
      assert.match(line, from ? /^[a-z]+: 0123456789: [^ ]/ : /^[a-z]+: [^ ]/, name);
      // A quote that ends a field would let the rest pass for another one. Free text has no fields.
      if (name !== "notice") assert.doesNotMatch(line, /(?<!\\)" verdict|[^\\]"pass/, line);
    }
  }
});

Deno.test("each event is one object of JSON with the same fields, and no field takes the place of another", () => {
  for (const from of [source(ENVELOPE, EVIL), undefined]) {
    for (const name of Object.keys(FACTS) as EventName[]) {
      const [entry] = told(name, from).entries;
      const line = withHead({ time: "now", level: "info", pid: 1 }, formatJson(entry!));
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028]/, name);
      const { time, level, pid, session, event, text, ...fields } = JSON.parse(line);
      const { text: said, ...others } = Object.fromEntries(
        Object.entries(entry!.fields ?? {}).filter(([, value]) => value !== undefined),
      );
      assert.deepEqual(
        { time, level, pid, session },
        { time: "now", level: "info", pid: 1, session: from && ID },
        name,
      );
      assert.ok(event !== "", name);
      assert.equal(text, name === "notice" ? EVIL : said, name);
      assert.deepEqual(Object.keys(fields), Object.keys(others), name);
      for (const [key, value] of Object.entries(others)) {
        if (key !== "error") assert.deepEqual(fields[key], value, `${name} ${key}`);
      }
    }
  }
});

Deno.test("an event that -v does not ask for has no line, and nobody formats it", () => {
  const logger = new FakeLogger(1);
  const subject = () => assert.fail("it was formatted");
  tell(logger, "dialogue", { said: bytesOf("NOOP"), reply: REPLY }, { id: ID, subject });
  assert.deepEqual(logger.lines, []);
});

Deno.test("each witness hears of each event that it asks for, with or without a line, before the line", () => {
  const logger = new FakeLogger(0);
  const heard: unknown[] = [];
  const from = source(ENVELOPE);
  addWitness(logger, { dialogue: ({ said }, at) => heard.push(["first", textOf(said), at, logger.lines.length]) });
  addWitness(logger, {
    dialogue: ({ said }, at) => heard.push(["second", textOf(said), at, logger.lines.length]),
    spoolFailed: ({ why }, at) => heard.push([why, at, logger.lines.length]),
  });
  tell(logger, "dialogue", { said: bytesOf("NOOP"), reply: REPLY }, from);
  tell(logger, "swept", { file: "left" });
  tell(logger, "spoolFailed", { why: "disk" });
  assert.deepEqual(heard, [["first", "NOOP", from, 0], ["second", "NOOP", from, 0], ["disk", undefined, 1]]);
  assert.equal(logger.lines.length, 2);
});

Deno.test("SessionLog.notice is one line of plain words, with a bound, and one for the session", () => {
  const logger = new FakeLogger();
  const log = new SessionLog(logger, "id");
  log.notice(EVIL);
  assert.equal(logger.lines.pop(), 'warning: id: x\\x0d\\x0aerror: forged verdict="pass\\x1b[2J\\u2028');
  for (let count = 0; count < 1500; count++) log.notice("x".repeat(5000));
  assert.equal(logger.lines.length, 999);
  assert.ok(logger.lines.every((line) => line.length < 1100));
  assert.match(logger.lines.at(-1)!, /further notices of this session are left out$/);
});

Deno.test("SessionLog.clientNotKnown has one line for the session", () => {
  const logger = new FakeLogger();
  const log = new SessionLog(logger, "id", () => ({ peer: "127.0.0.1" }));
  for (const why of ["first", "second"]) log.clientNotKnown(why);
  assert.match(logger.lines.join("\n"), /^warning: id: client is not known: [^\n]*\? reason=first peer=127\.0\.0\.1$/);
});

Deno.test("the event message shows ten recipients and their number", () => {
  const logger = new FakeLogger();
  const recipients = Array.from({ length: 12 }, (_, at) => `r${at}@d`);
  const envelope = { sender: "", recipients, client: {} };
  tell(logger, "message", {
    messageId: "<a=1@b>",
    size: 7,
    judgement: {
      decision: PASSING,
      findings: [{ check: "clamd", verdict: { kind: "accept", why: "clean" }, time: 9.9 }],
      time: 12.4,
    },
    reply: formatReply("250 Ok"),
  }, source(envelope, "127.0.0.1"));
  const [line] = logger.lines;
  assert.equal(
    line,
    `info: 0123456789: message verdict=pass reason=clean peer=127.0.0.1 from=<> to=${
      recipients.slice(0, 10).map((one) => `<${one}>`).join(",")
    },... nrcpt=12 message_id="<a=1@b>" size=7 filter_ms=12 reply="250 Ok"`,
  );
});

Deno.test("the event message has the facts of all checks, and the time of each where there is more than one", () => {
  const logger = new FakeLogger();
  const finding = (check: string, time: number, facts?: Facts): Finding => ({
    check,
    verdict: { kind: "accept", why: "clean", facts },
    time,
  });
  tell(logger, "message", {
    messageId: undefined,
    size: 7,
    judgement: {
      decision: PASSING,
      findings: [
        finding("filter-rules", 0.2),
        finding("rspamd", 30.4, { rspamd_score: 1.5, rspamd_symbols: "A(1.5) B" }),
        finding("command", 10.4),
        finding("command", 10.4, { command_fact: 1 }),
      ],
      time: 51.9,
    },
    reply: formatReply("250 Ok"),
  }, source());
  assert.deepEqual(logger.lines, [
    "info: 0123456789: message verdict=pass reason=clean size=7 filter_ms=52 filter_rules_ms=0 rspamd_ms=30 command_ms=21 " +
    'rspamd_score=1.5 rspamd_symbols="A(1.5) B" command_fact=1 reply="250 Ok"',
  ]);
});

Deno.test("the event bug has the stack, bounded", () => {
  const logger = new FakeLogger();
  const error = new Error("x".repeat(10_000));
  tell(logger, "bug", { error });
  tell(logger, "bug", { error: "not an error" });
  assert.ok(logger.lines[0]!.length < 2000);
  assert.match(logger.lines[1]!, /not an error/);
  tell(logger, "bug", { error: new TypeError("short") });
  assert.match(logger.lines[2]!, /TypeError: short.*events_test\.ts/);
});

const REFUSED = formatReply("550 No");

Deno.test("the log names the check that decided, and what a check would have done", () => {
  const logger = new FakeLogger();
  const log = new SessionLog(logger, "id");
  const decisions: Decision[] = [
    { kind: "reject", check: "clamd", why: "virus", reply: REFUSED },
    { kind: "quarantine", check: "clamd", why: "virus", reply: REFUSED, kept: "7" },
    { ...PASSING, kind: "tag", check: "clamd", why: "virus" },
    { ...PASSING, check: "clamd", would: "reject", why: "virus" },
    { ...PASSING, kind: "bypass", why: "client" },
  ];
  for (const decision of decisions) {
    const judgement = { decision, findings: [], time: 0 };
    log.tell("message", { messageId: undefined, size: 7, judgement, reply: REFUSED });
  }
  log.tell("discarded", { kind: "discard", check: "command", why: "virus", reply: REFUSED });
  log.tell("discarded", { kind: "quarantine", check: "clamd", why: "virus", reply: REFUSED, kept: "7" });
  const failed = { check: "spamd", verdict: { kind: "unsure", cause: "failed", why: "no answer" }, time: 1 } as const;
  log.judged({ decision: PASSING, findings: [failed] });
  const lost = { check: "extchk", verdict: { kind: "spoilt", why: "changed", failure: "died" }, time: 1 } as const;
  log.judged({ decision: { kind: "refused", why: "changed", reply: REFUSED }, findings: [lost] });
  // A dry run had given it a copy.
  log.judged({ decision: PASSING, findings: [{ ...lost, verdict: { kind: "spoilt", why: "changed" } }] });
  const ruling = { why: "rule", reply: REFUSED };
  const envelope = { sender: "", recipients: [], client: {} };
  log.tell("restricted", { ruling, envelope, recipient: "a@b", deferred: false, would: "reject" });
  assert.deepEqual(logger.lines, [
    'info: id: message verdict=reject reason=virus check=clamd size=7 filter_ms=0 reply="550 No"',
    'info: id: message verdict=quarantine reason=virus check=clamd size=7 quarantine=7 filter_ms=0 reply="550 No"',
    'info: id: message verdict=tag reason=virus check=clamd size=7 filter_ms=0 reply="550 No"',
    'notice: id: message verdict=pass reason=virus check=clamd would=reject size=7 filter_ms=0 reply="550 No"',
    'info: id: message verdict=bypass reason=client size=7 filter_ms=0 reply="550 No"',
    "warning: id: message discarded reason=virus check=command",
    "warning: id: message quarantined reason=virus check=clamd quarantine=7",
    'error: id: message not checked reason="no answer" message=passed check=spamd',
    "error: id: message not checked reason=died message=550 check=extchk",
    "error: id: message not delivered: the external checker changed it and did not pass it check=extchk",
    'notice: id: recipient would be refused reason=rule would=reject from=<> to=<a@b> nrcpt=0 reply="550 No"',
  ]);
});
