// Keeps copies of messages that are not delivered.

import type { Reply } from "../smtp/reply.ts";
import type { Message } from "./message.ts";

export interface Keeper {
  /** Keeps a copy of `message` on disk, safe from a crash. Returns the id of the copy. Throws `IoError`. */
  keep(message: Message, why: KeptFor): Promise<string>;
}

export interface KeptFor {
  /** The name of the check that decided. */
  readonly check: string;
  /** For people, as in the log. */
  readonly reason: string;
  /** The reply that the client hears. */
  readonly reply: Reply;
}
