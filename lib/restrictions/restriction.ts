// What a restriction is: it looks at a sender or at a recipient before downstream hears of them, and rules.
//
// A restriction throws nothing that it can foresee: what it could not find out is `allow`, with the reason in a notice to
// the log. It asks DNS through `dns`, which is cached and bounded for the session. When `signal` is aborted nobody waits
// for its ruling any more.

import type { Dns } from "../dns/lookups.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { Reply } from "../smtp/reply.ts";

export interface Restriction {
  /** Short, for the log. */
  readonly name: string;
  /** Asked at MAIL FROM, of `envelope.sender`; no recipients are known yet. */
  sender?(envelope: Envelope, context: RestrictionContext): Promise<Ruling>;
  /** Asked at each RCPT TO; `envelope` holds the recipients that were accepted before. */
  recipient?(recipient: string, envelope: Envelope, context: RestrictionContext): Promise<Ruling>;
}

export interface RestrictionContext {
  /** The client: from XFORWARD, or the peer of our own connection where that may be it. Look at it only when needed. */
  readonly client: Caller;
  readonly dns: Dns;
  readonly signal: AbortSignal;
  /** Writes a line of plain words to the log, whatever its verbosity; `text` may hold a stranger's octets. */
  readonly notice: (text: string) => void;
}

export interface Caller {
  /** Undefined when it is not known. */
  readonly address: string | undefined;
  /** Its name in DNS; undefined when it has none. Throws `IoError` when that could not be found out. */
  name(): Promise<string | undefined>;
}

/** The checks of content that a rules file turns on with `allow-filter` and `allow-extchk`. */
export type ContentCheck = "filter" | "extchk";

/** `contentChecks` are what a rules file asks for; absent: no opinion. */
export type Ruling = { readonly kind: "allow"; readonly contentChecks?: readonly ContentCheck[] } | Refusal;

/** `why` is for the log; `ends` ends the session; `delay` is in milliseconds, before the reply. */
export interface Refusal {
  readonly kind: "refuse";
  readonly why: string;
  readonly reply: Reply;
  readonly ends?: boolean;
  readonly delay?: number;
}
