// A check looks at one message and answers with a verdict. A judge asks checks, and decides.
//
// A check that cannot decide answers `unsure`. It throws only the `IoError` of a spool that fails, or of means that are
// used up. Then the message cannot be judged at all. When `signal` is aborted, nobody waits for the answer any more.
// The check must then stop its work and return. A judge throws nothing that it can foresee.

import type { Judgement } from "../mail/judgement.ts";
import type { Message } from "../mail/message.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { SpoolFiles } from "../spool/files.ts";

export interface Check {
  /** Its name in options and in the log. */
  readonly name: string;
  /** Whether it reads the message by its file name. */
  readonly needsFile: boolean;
  /** It only reads the message, at the same time as others. It may change the header of a message that passes. */
  readonly isScanner?: true;
  /** A rules file must ask for this, or the check does not look at the message. Absent: it looks at each message. */
  readonly askedFor?: string;
  judge(message: Message, options: CheckOptions): Promise<Verdict>;
  /** Starts what it keeps between messages. */
  start?(): void;
  /** Ends what it keeps between messages. It judges nothing after that. */
  retire?(): Promise<void>;
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the answer is of no use. */
  readonly limit: number;
  /** Writes a line of plain words to the log at any verbosity. `text` may hold a stranger's octets. */
  readonly notice: (text: string) => void;
  /** The files of programs go here. They are removed with the message. */
  readonly files: SpoolFiles;
}

export interface Judge {
  /** Whether one of its checks reads the message by its file name. */
  readonly needsFile: boolean;
  judge(message: Message, options: JudgeOptions): Promise<Judgement>;
  /** Starts what its checks keep between messages. */
  start?(): void;
  /** Ends what its checks keep between messages. It judges nothing after that. */
  retire?(): Promise<void>;
}

export interface JudgeOptions extends CheckOptions {
  /**
   * The content checks that a rules file asks for, for at least one of the recipients. Absent if there is no rules
   * file: then all checks run.
   */
  readonly asked?: ReadonlySet<string> | undefined;
}
