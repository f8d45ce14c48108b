// Where a session stands: one table, and one place that stores the phase.
//
// A phase moves when a reply is known, not when something is asked (RFC 5321 s.4.1.4). There is one exception: the client's
// next command shows that the client has heard of a delivery. An event that a phase has no entry for leaves it as it is: a
// command that downstream refused, or one that we do not know. So if only downstream knows of a transaction, we have none,
// and we refuse its DATA.

import type { Verb } from "./command.ts";

export type Phase =
  /** Downstream has not taken the connection yet. */
  | "connecting"
  /** The client has not heard downstream's greeting yet. */
  | "greeting"
  /** There is no transaction. */
  | "idle"
  /** Downstream has accepted a sender. */
  | "mail"
  /** Downstream has also accepted at least one recipient. */
  | "rcpt"
  /** We have said 354, and owe the client the reply to its message. */
  | "message"
  /** There is no transaction. Downstream has the last message, and the client has not shown that it heard of that. */
  | "delivered"
  /** The client gets the last reply of the session, or a greeting that ends it. */
  | "leaving"
  /** Nothing more is said to the client. */
  | "over";

/** A verb is an event when downstream has accepted that command with a 2xx reply. */
export type Event =
  | Verb
  /** Downstream has taken the connection. */
  | "connected"
  /** The client has heard downstream's greeting. */
  | "greeted"
  /** The client has said one more command. */
  | "heard"
  /** We say 354 to the client's DATA. */
  | "started"
  /** The client hears 2xx to its message, and downstream has that message. */
  | "delivered"
  /** The client hears any other reply to its message, or the message went nowhere. */
  | "dropped"
  /** The reply to the command is the last one of the session. */
  | "last"
  /** The session has ended. */
  | "end";

type Moves = Readonly<Partial<Record<Event, Phase>>>;

const COMMANDS = { MAIL: "mail", RSET: "idle", HELO: "idle", EHLO: "idle", QUIT: "leaving", last: "leaving" } as const;

const MOVES: Readonly<Record<Phase, Moves>> = {
  connecting: { connected: "greeting", end: "over" },
  greeting: { greeted: "idle", last: "leaving", end: "over" },
  idle: { ...COMMANDS, end: "over" },
  mail: { ...COMMANDS, RCPT: "rcpt", end: "over" },
  rcpt: { ...COMMANDS, RCPT: "rcpt", started: "message", end: "over" },
  message: { delivered: "delivered", dropped: "idle", end: "over" },
  delivered: { heard: "idle", end: "over" },
  leaving: { end: "over" },
  over: {},
};

/** The phase that `event` leads to from `phase`. */
export function nextPhase(phase: Phase, event: Event): Phase {
  return MOVES[phase][event] ?? phase;
}

/** The phase of a session. */
export class Dialogue {
  #phase: Phase = "connecting";

  get phase(): Phase {
    return this.#phase;
  }

  /** Moves the phase by an event that has happened. */
  move(event: Event): void {
    this.#phase = nextPhase(this.#phase, event);
  }
}
