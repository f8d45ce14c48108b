// What a check is: it looks at one message and answers with a verdict.
//
// A check throws nothing that it can foresee: what keeps it from an opinion is the verdict `unsure`. When `signal` is
// aborted nobody waits for the answer any more; the check then ends what it has started and returns.

import type { Envelope } from "../envelope.ts";
import type { Spool } from "../spool/spool.ts";
import type { Verdict } from "../verdict.ts";

export interface Check {
  /** Short, for the log. */
  readonly name: string;
  /** Whether it reads the message by its file name. */
  readonly needsFile: boolean;
  /** `limit` is the time in milliseconds until the answer is of no use. */
  judge(message: CheckedMessage, options: { signal: AbortSignal; limit: number }): Promise<Verdict>;
}

export interface CheckedMessage {
  readonly envelope: Envelope;
  readonly spool: Spool;
}
