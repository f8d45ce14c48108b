// What ends a session: the reply that the client hears, and the reason that the log gets.
//
// `SmtpError` is thrown by handlers and ends in the session's loop. `ClientLost` has no reply, for nobody is there to hear
// it.

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
  override readonly name = "DownstreamLost";
}
