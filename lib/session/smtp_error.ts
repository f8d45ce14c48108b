// What ends a session: the reply that the client hears, and the reason that the log gets.
//
// These errors are foreseen: handlers throw them, and the session's loop explains them. Any other error is a bug.
// `ClientLost` has no reply, for nobody is there to hear it.

import type { Reply } from "../smtp/reply.ts";

export class SmtpError extends Error {
  override readonly name = "SmtpError";
  readonly reply: Reply;

  /** `detail` is for the log. */
  constructor(reply: Reply, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.reply = reply;
  }
}

export class ClientLost extends Error {
  override readonly name = "ClientLost";
}

/** The connection with downstream is of no further use; the message says why. */
export class DownstreamLost extends Error {
  override readonly name: string = "DownstreamLost";
}

/** Downstream has ended the session of its own accord. */
export class DownstreamLeft extends DownstreamLost {
  override readonly name = "DownstreamLeft";
  /** Its 421, if it said one. */
  readonly farewell: Reply | undefined;

  constructor(why: string, { farewell, ...options }: ErrorOptions & { readonly farewell?: Reply } = {}) {
    super(why, options);
    this.farewell = farewell;
  }
}

/** Whether `error` is one of these. */
export function isForeseen(error: unknown): boolean {
  return error instanceof SmtpError || error instanceof ClientLost || error instanceof DownstreamLost;
}
