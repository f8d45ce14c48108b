// What a check is: it looks at one message and answers with a verdict.
//
// What keeps a check from an opinion is the verdict `unsure`; it throws nothing but the `IoError` of a spool that fails or
// of means that are used up, by which the message cannot be judged at all. When `signal` is aborted nobody waits for the
// answer any more; the check then ends what it has started and returns.

import type { ContentCheck, Envelope } from "../mail/envelope.ts";
import type { Spool } from "../spool/spool.ts";
import type { Verdict } from "../mail/verdict.ts";

export interface Check {
  /** Short, for the log. */
  readonly name: string;
  /** Whether it reads the message by its file name. */
  readonly needsFile: boolean;
  /** What a rules file has to ask for, for this check to look at a message; without it, it looks at each. */
  readonly askedFor?: ContentCheck;
  judge(message: CheckedMessage, options: JudgeOptions): Promise<Verdict>;
}

export interface JudgeOptions {
  readonly signal: AbortSignal;
  /** The time in milliseconds until the answer is of no use. */
  readonly limit: number;
  /** Writes a line of plain words to the log, whatever its verbosity; `text` may hold a stranger's octets. */
  readonly notice: (text: string) => void;
}

export interface CheckedMessage {
  readonly envelope: Envelope;
  /** The address of the client: from XFORWARD, or of the peer of our own connection where that may be the client. */
  readonly clientAddress: string | undefined;
  readonly spool: Spool;
  /** What begins each line of its session in the log. */
  readonly sessionId: string;
}
