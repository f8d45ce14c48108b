// Tests of lib/modes/standing.ts: the status in one line, and what is counted for it.

import assert from "node:assert/strict";
import { addWitness, tell } from "../../lib/log/events.ts";
import type { Decision } from "../../lib/mail/judgement.ts";
import { formatStanding, Tally } from "../../lib/modes/standing.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeLogger } from "../fakes/logger.ts";

const TIME = new Date(2026, 10, 9, 8, 7, 6).getTime();
const REPLY = formatReply("550 5.7.1 no");

Deno.test("formatStanding says how many sessions and messages, and the last error, in one line", () => {
  const rows = [
    [{}, "0 sessions open, 0 in all; 0 messages, 0 refused; no error"],
    [
      { sessionsOpen: 1, sessionsTotal: 3, messages: [{ verdict: "tag", check: "urls", count: 1 }] },
      "1 session open, 3 in all; 1 message, 0 refused; no error",
    ],
    [
      {
        messages: [
          { verdict: "pass", check: "", count: 5 },
          { verdict: "reject", check: "clamd", count: 2 },
          { verdict: "tempfail", check: "", count: 1 },
          { verdict: "discard", check: "command", count: 1 },
        ],
        lastError: { time: TIME, text: "message not checked: no\nSTATUS=forged" },
      },
      "0 sessions open, 0 in all; 9 messages, 3 refused; " +
      "last error 2026-11-09 08:07:06: message not checked: no\\x0aSTATUS=forged",
    ],
  ] as const;
  for (const [facts, line] of rows) {
    assert.equal(
      formatStanding({ sessionsOpen: 0, sessionsTotal: 0, messages: [], lastError: undefined, ...facts }),
      line,
    );
  }
  const long = { sessionsOpen: 0, sessionsTotal: 0, messages: [], lastError: { time: TIME, text: "x".repeat(600) } };
  assert.match(formatStanding(long), /: x{200}\.\.\.$/);
});

Deno.test("Tally counts what the log hears of, with or without a line", () => {
  const logger = new FakeLogger(0);
  const tally = new Tally(() => TIME);
  addWitness(logger, tally.witness);
  assert.match(formatStanding(tally.standing(0)), /^0 sessions open, 0 in all; 0 messages, 0 refused; no error$/);
  tell(logger, "connected", { downstream: { transport: "unix", path: "/x" } });
  tell(logger, "connected", { downstream: { transport: "unix", path: "/x" } });
  for (const kind of ["pass", "replace", "unchecked", "bypass", "discard", "reject", "defer", "refused"] as const) {
    const decision = { kind, why: "why", reply: REPLY } as unknown as Decision;
    const judgement = { decision, findings: [], time: 0 };
    tell(
      logger,
      "message",
      { messageId: undefined, size: 1, judgement, reply: REPLY } as Parameters<typeof tell<"message">>[2],
    );
  }
  assert.equal(formatStanding(tally.standing(1)), "1 session open, 2 in all; 8 messages, 3 refused; no error");

  tell(logger, "noTestEntry", { zone: "z", entry: "e" });
  assert.match(formatStanding(tally.standing(1)), /; no error$/, "a warning is none");
  tell(logger, "spoolFailed", { why: "disk full" });
  assert.match(formatStanding(tally.standing(1)), /; last error 2026-11-09 08:07:06: cannot spool message: disk full$/);
  tell(logger, "bug", { error: new TypeError("x is undefined") });
  assert.match(formatStanding(tally.standing(1)), /: bug: x is undefined$/);
});
