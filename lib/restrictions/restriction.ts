// A restriction looks at a sender or a recipient before downstream hears of it, and rules about it.
//
// A restriction throws nothing that it can foresee. If it cannot find something out, it answers `allow` and gives the
// reason to the log. It asks DNS through `dns`, which has a cache and bounds for the session. When `signal` is aborted,
// nobody waits for its ruling any more.

import type { Dns } from "../dns/lookups.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { Reply } from "../smtp/reply.ts";

export interface Restriction {
  /** A short name for the log. */
  readonly name: string;
  /** Called at MAIL FROM for `envelope.sender`. No recipients are known yet. */
  sender?(envelope: Envelope, context: RestrictionContext): Promise<Ruling>;
  /** Called at each RCPT TO. `envelope` holds the recipients that were accepted before. */
  recipient?(recipient: string, envelope: Envelope, context: RestrictionContext): Promise<Ruling>;
}

export interface RestrictionContext {
  /**
   * The client: from XFORWARD, or the peer of our own connection if that may be the client. Look at it only when
   * needed.
   */
  readonly client: Caller;
  readonly dns: Dns;
  readonly signal: AbortSignal;
  /** Writes a line of plain words to the log at any verbosity. `text` may hold a stranger's octets. */
  readonly notice: (text: string) => void;
}

export interface Caller {
  /** Undefined if it is not known. */
  readonly address: string | undefined;
  /** Its name in DNS; undefined if it has none. Throws an `IoError` if the lookup fails. */
  name(): Promise<string | undefined>;
}

/** The content checks that a rules file can turn on, with `allow-filter` and `allow-extchk`. */
export type ContentCheck = "filter" | "extchk";

/** `contentChecks` are those that a rules file asks for. Absent: no opinion. */
export type Ruling = { readonly kind: "allow"; readonly contentChecks?: readonly ContentCheck[] } | Refusal;

/** `why` is for the log. `ends` ends the session. `delay` is the wait before the reply, in milliseconds. */
export interface Refusal {
  readonly kind: "refuse";
  readonly why: string;
  readonly reply: Reply;
  readonly ends?: boolean;
  readonly delay?: number;
}
