// Tests of lib/smtp/dialogue.ts: the phases of a conversation (RFC 5321 s.4.1.4).
//
// The rows are the whole table. Anything else must leave the phase as it is, and the tests try all of that.

import assert from "node:assert/strict";
import { Dialogue, type Event, nextPhase, type Phase } from "../../lib/smtp/dialogue.ts";

// A phase or an event that is missing here does not pass the type check.
const PHASES = Object.keys(
  {
    connecting: 0,
    greeting: 0,
    idle: 0,
    mail: 0,
    rcpt: 0,
    message: 0,
    delivered: 0,
    leaving: 0,
    over: 0,
  } satisfies Record<Phase, 0>,
) as Phase[];
const EVENTS = Object.keys(
  {
    HELO: 0,
    LHLO: 0,
    EHLO: 0,
    MAIL: 0,
    RCPT: 0,
    DATA: 0,
    RSET: 0,
    QUIT: 0,
    AUTH: 0,
    XFORWARD: 0,
    STARTTLS: 0,
    BDAT: 0,
    BURL: 0,
    XCLIENT: 0,
    XEXCH50: 0,
    OTHER: 0,
    connected: 0,
    greeted: 0,
    heard: 0,
    started: 0,
    delivered: 0,
    dropped: 0,
    last: 0,
    end: 0,
  } satisfies Record<Event, 0>,
) as Event[];

const ROWS: readonly { from: readonly Phase[]; events: readonly Event[]; to: Phase }[] = [
  // s.3.1: the connection, then the greeting, which may end the session.
  { from: ["connecting"], events: ["connected"], to: "greeting" },
  { from: ["greeting"], events: ["greeted"], to: "idle" },
  { from: ["greeting"], events: ["last"], to: "leaving" },
  // s.3.3: MAIL begins a transaction, wherever downstream accepts it.
  { from: ["idle", "mail", "rcpt"], events: ["MAIL"], to: "mail" },
  // s.3.3: RCPT belongs to a transaction. If only downstream knows of one, we have none, and stay where we are.
  { from: ["mail", "rcpt"], events: ["RCPT"], to: "rcpt" },
  // s.4.1.1.5: RSET ends it. s.4.1.4: so does a second EHLO or HELO.
  { from: ["idle", "mail", "rcpt"], events: ["RSET", "EHLO", "HELO"], to: "idle" },
  // s.4.1.1.4: only a transaction with a recipient can have a message.
  { from: ["rcpt"], events: ["started"], to: "message" },
  { from: ["message"], events: ["delivered"], to: "delivered" },
  { from: ["message"], events: ["dropped"], to: "idle" },
  // A client that sends one more command has heard the reply to its message.
  { from: ["delivered"], events: ["heard"], to: "idle" },
  // s.4.1.1.10, and each other reply that ends the session.
  { from: ["idle", "mail", "rcpt"], events: ["QUIT", "last"], to: "leaving" },
  // The session may end at any time. Nothing begins it again.
  {
    from: ["connecting", "greeting", "idle", "mail", "rcpt", "message", "delivered", "leaving"],
    events: ["end"],
    to: "over",
  },
];

Deno.test("nextPhase: each phase with each event", () => {
  const rows = ROWS.flatMap(({ from, events, to }) =>
    from.flatMap((phase) => events.map((event) => [`${phase} ${event}`, to] as const))
  );
  const moves = new Map<string, Phase>(rows);
  assert.equal(moves.size, rows.length, "a row that is there twice");
  for (const phase of PHASES) {
    for (const event of EVENTS) {
      const row = `${phase} ${event}`;
      assert.equal(nextPhase(phase, event), moves.get(row) ?? phase, row);
      moves.delete(row);
    }
  }
  assert.deepEqual([...moves], []);
});

const SESSIONS: readonly { events: string; phase: Phase }[] = [
  // CONTRACT, DATA: it needs an accepted recipient, so nothing else leads to a message.
  { events: "connected greeted EHLO MAIL RCPT started", phase: "message" },
  { events: "connected greeted EHLO MAIL started", phase: "mail" },
  { events: "connected greeted EHLO RCPT started", phase: "idle" },
  // CONTRACT, several messages: RSET, EHLO and a new MAIL forget the recipients.
  { events: "connected greeted MAIL RCPT RSET", phase: "idle" },
  { events: "connected greeted MAIL RCPT MAIL", phase: "mail" },
  { events: "connected greeted MAIL RCPT EHLO RCPT", phase: "idle" },
  { events: "connected greeted MAIL RCPT started delivered heard MAIL RCPT started dropped", phase: "idle" },
  // Other commands mean nothing to a transaction.
  { events: "connected greeted MAIL OTHER AUTH XFORWARD RCPT heard OTHER", phase: "rcpt" },
  // Both ways to an end.
  { events: "connected greeted MAIL RCPT started delivered heard QUIT end", phase: "over" },
  { events: "connected end greeted MAIL", phase: "over" },
];

Deno.test("Dialogue follows whole sessions", () => {
  for (const { events, phase } of SESSIONS) {
    const dialogue = new Dialogue();
    assert.equal(dialogue.phase, "connecting");
    for (const event of events.split(" ")) dialogue.move(event as Event);
    assert.equal(dialogue.phase, phase, events);
  }
});
