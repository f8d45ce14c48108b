// What is known of one message before its content: who sends it, to whom, and for which client.
//
// Plain data. Sender and recipients are those that downstream accepted; a refused one never gets here.

import type { ClientFacts } from "../smtp/xforward.ts";

export interface Envelope {
  /** The reverse-path without its brackets: the empty string is the null sender, undefined is not known. */
  readonly sender: string | undefined;
  /** The accepted forward-paths, in order; it grows while the transaction goes on. */
  readonly recipients: readonly string[];
  readonly client: ClientFacts;
  /** Why the client could not use XFORWARD, in plain words; absent where it could. */
  readonly unforwarded?: string | undefined;
}

export function emptyEnvelope(client: ClientFacts = {}): Envelope {
  return { sender: undefined, recipients: [], client };
}
