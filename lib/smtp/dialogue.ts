// Where a conversation stands: one table, moved by replies, never by requests (RFC 5321 s.4.1.4).
//
// Nothing else stores a phase. What is not in the table leaves it as it is: a command that downstream refused, or one
// that we do not know. So a transaction that only downstream knows of is none to us, and its DATA is refused.

import type { Verb } from "./command.ts";
import type { ReplyClass } from "./reply.ts";

/** `idle`: no transaction. `mail`: sender accepted. `rcpt`: and at least one recipient. */
export type Phase = "idle" | "mail" | "rcpt";

const ACCEPTED: Readonly<Record<Phase, Partial<Record<Verb, Phase>>>> = {
  idle: { MAIL: "mail", RSET: "idle", HELO: "idle", EHLO: "idle" },
  mail: { MAIL: "mail", RCPT: "rcpt", RSET: "idle", HELO: "idle", EHLO: "idle" },
  rcpt: { MAIL: "mail", RCPT: "rcpt", RSET: "idle", HELO: "idle", EHLO: "idle" },
};

/** The phase after downstream's reply of class `reply` to `verb`. DATA is not here: its end always leads to `idle`. */
export function nextPhase(phase: Phase, verb: Verb, reply: ReplyClass): Phase {
  return reply === 2 ? ACCEPTED[phase][verb] ?? phase : phase;
}
