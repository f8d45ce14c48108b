// The facts about one message before its content: its sender, its recipients, and its client.
//
// Plain data. It holds only the sender and the recipients that downstream accepted.

import type { ClientFacts } from "../smtp/xforward.ts";

export interface Envelope {
  /** The reverse-path without its brackets. The empty string is the null sender. Undefined means not known. */
  readonly sender: string | undefined;
  /** The accepted forward-paths, in order. The list grows during the transaction. */
  readonly recipients: readonly string[];
  readonly client: ClientFacts;
  /** Why the client could not use XFORWARD, in plain words; absent if it could. */
  readonly unforwarded?: string | undefined;
}

export function emptyEnvelope(client: ClientFacts = {}): Envelope {
  return { sender: undefined, recipients: [], client };
}
