// The phase of a conversation: one table. Replies move the phase, requests never do (RFC 5321 s.4.1.4).
//
// Nothing else stores a phase. A command that is not in the table leaves the phase as it is: downstream refused it, or
// we do not know it. If a transaction exists only downstream, we have none, and we refuse its DATA.

import type { Verb } from "./command.ts";
import type { ReplyClass } from "./reply.ts";

/** `idle`: no transaction. `mail`: downstream accepted a sender. `rcpt`: and at least one recipient. */
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
