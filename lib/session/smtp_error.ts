// The errors that end a session. Each has a reason for the log, and most have a reply for the client.
//
// Handlers throw them, and the loop of the session explains them. Any other error is a bug. `ClientLost` has no reply,
// because nobody would hear it.

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

/** The connection with downstream is of no more use. The message says why. */
export class DownstreamLost extends Error {
  override readonly name: string = "DownstreamLost";
}

/** Downstream has ended the session by itself. */
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
