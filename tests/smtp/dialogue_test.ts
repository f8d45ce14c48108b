// Tests of lib/smtp/dialogue.ts: where a conversation stands (RFC 5321 s.4.1.4).
//
// The rows are the whole table: what is not in them must leave the phase as it is, and that is tried out in full.

import assert from "node:assert/strict";
import type { Verb } from "../../lib/smtp/command.ts";
import { nextPhase, type Phase } from "../../lib/smtp/dialogue.ts";
import type { ReplyClass } from "../../lib/smtp/reply.ts";

// A phase or a verb that is missing here does not pass the type check.
const PHASES = Object.keys({ idle: 0, mail: 0, rcpt: 0 } satisfies Record<Phase, 0>) as Phase[];
const VERBS = Object.keys(
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
  } satisfies Record<Verb, 0>,
) as Verb[];
const CLASSES: readonly ReplyClass[] = [2, 3, 4, 5];

const MOVES: readonly { from: Phase; verb: Verb; to: Phase }[] = [
  // s.3.3: MAIL begins a transaction, from wherever downstream accepts it.
  { from: "idle", verb: "MAIL", to: "mail" },
  { from: "mail", verb: "MAIL", to: "mail" },
  { from: "rcpt", verb: "MAIL", to: "mail" },
  // s.3.3: RCPT belongs to a transaction. One that only downstream knows of is none to us.
  { from: "mail", verb: "RCPT", to: "rcpt" },
  { from: "rcpt", verb: "RCPT", to: "rcpt" },
  { from: "idle", verb: "RCPT", to: "idle" },
  // s.4.1.1.5: RSET ends it. s.4.1.4: so does a second EHLO or HELO.
  { from: "idle", verb: "RSET", to: "idle" },
  { from: "mail", verb: "RSET", to: "idle" },
  { from: "rcpt", verb: "RSET", to: "idle" },
  { from: "idle", verb: "EHLO", to: "idle" },
  { from: "mail", verb: "EHLO", to: "idle" },
  { from: "rcpt", verb: "EHLO", to: "idle" },
  { from: "idle", verb: "HELO", to: "idle" },
  { from: "mail", verb: "HELO", to: "idle" },
  { from: "rcpt", verb: "HELO", to: "idle" },
];

Deno.test("nextPhase moves on a command that downstream accepted", () => {
  for (const { from, verb, to } of MOVES) assert.equal(nextPhase(from, verb, 2), to, `${from} ${verb}`);
});

Deno.test("nextPhase stays for every other verb and every other class of reply", () => {
  const moving = new Set(MOVES.map(({ from, verb }) => `${from} ${verb} 2`));
  let stayed = 0;
  for (const from of PHASES) {
    for (const verb of VERBS) {
      for (const reply of CLASSES) {
        const row = `${from} ${verb} ${reply}`;
        if (moving.has(row)) continue;
        assert.equal(nextPhase(from, verb, reply), from, row);
        stayed++;
      }
    }
  }
  assert.equal(stayed, PHASES.length * VERBS.length * CLASSES.length - MOVES.length);
});

const SESSIONS: readonly { said: string; phase: Phase }[] = [
  // CONTRACT, DATA: it needs an accepted recipient, so `rcpt` is reached in no other way.
  { said: "EHLO 2, MAIL 2, RCPT 2", phase: "rcpt" },
  { said: "EHLO 2, MAIL 2, RCPT 5, RCPT 4", phase: "mail" },
  { said: "EHLO 2, MAIL 2, RCPT 5, RCPT 2, RCPT 5", phase: "rcpt" },
  { said: "EHLO 2, MAIL 5, RCPT 2", phase: "idle" },
  { said: "EHLO 2, RCPT 2", phase: "idle" },
  // CONTRACT, several messages: RSET, EHLO and a new MAIL forget the recipients; a refused one of them does not.
  { said: "MAIL 2, RCPT 2, RSET 2", phase: "idle" },
  { said: "MAIL 2, RCPT 2, RSET 5", phase: "rcpt" },
  { said: "MAIL 2, RCPT 2, MAIL 2", phase: "mail" },
  { said: "MAIL 2, RCPT 2, MAIL 5", phase: "rcpt" },
  { said: "MAIL 2, RCPT 2, EHLO 2, RCPT 2", phase: "idle" },
  { said: "MAIL 2, RCPT 2, EHLO 5", phase: "rcpt" },
  // What means nothing to a transaction.
  { said: "MAIL 2, OTHER 2, AUTH 3, AUTH 2, XFORWARD 2, RCPT 2, OTHER 5", phase: "rcpt" },
];

Deno.test("nextPhase follows whole sessions", () => {
  for (const { said, phase } of SESSIONS) {
    const end = said.split(", ").reduce<Phase>((at, step) => {
      const [verb, reply] = step.split(" ");
      return nextPhase(at, verb as Verb, Number(reply) as ReplyClass);
    }, "idle");
    assert.equal(end, phase, said);
  }
});
